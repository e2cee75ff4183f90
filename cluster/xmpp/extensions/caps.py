"""Entity capabilities (XEP-0115, XEP-0390): what a presence says of its client, and whether its answer is just that.

An answer that does not have the hash, or of which no hash can be made, counts only for the client that gave it:
otherwise it could poison a cache (XEP-0115 section 9.3).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import accumulate
from typing import TypeVar
from xml.etree.ElementTree import ParseError

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.data_form import DATA
from cluster.xmpp.namespaces import XML
from cluster.xmpp.stanza import Stanza

CAPS = "http://jabber.org/protocol/caps"
CAPS_2 = "urn:xmpp:caps"
HASHES = "urn:xmpp:hashes:2"
INFO = "http://jabber.org/protocol/disco#info"
NOTIFY = "+notify"
"""After the name of a node: the client wants its notifications (XEP-0060 section 9.2)."""
MAX_INTERESTS = 256
"""Nodes whose events one client gets."""
MAX_INTERESTS_BYTES = 8_192
"""Of their names together; they are kept for each client."""
MAX_TEXT = 1_023
"""Characters of a node and of a hash, both of which are kept; longer ones are ignored."""
_ALGORITHMS = {
    "sha-1": "sha1", "sha-224": "sha224", "sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512",
    "sha3-256": "sha3_256", "sha3-512": "sha3_512",
}  # fmt: skip
"""By their names in XEP-0300."""
P = TypeVar("P", bytes, tuple[bytes, ...])
_C = re.compile(rb"<c\s[^<>]*/>")
"""Usually only this element has to be parsed; to parse the whole presence costs ten times as much."""
_MAX_C_BYTES = 4_096
"""Of an element whose meaning is cached."""


class Capabilities(msgspec.Struct, frozen=True):
    """What a presence refers to."""

    node: str
    """Where the client is asked what that is (XEP-0030)."""
    algorithm: str = ""
    """By which the answer is checked; empty: it cannot be, and counts for the client alone (XEP-0115 section 8)."""
    hash: str = ""
    version: int = 1
    """1: XEP-0115; 2: XEP-0390."""


def read(presence: Stanza) -> Capabilities | None:
    """The capabilities that a presence refers to; None if it refers to none."""
    old, new = f"{CAPS} c" in presence.payloads, f"{CAPS_2} c" in presence.payloads
    if not old and not new:
        return None
    if old and not new and (found := _C.findall(presence.raw)) and len(found) == 1 and len(found[0]) <= _MAX_C_BYTES:
        try:
            if (capabilities := _read_element(found[0])) is not None:
                return capabilities
        except ParseError:
            pass  # text that looks like it, or a prefix that is declared around it
    tree = presence.tree
    return _read(tree.find(f"{{{CAPS}}}c"), tree.find(f"{{{CAPS_2}}}c"))


@lru_cache(maxsize=4_096)
def _read_element(raw: bytes) -> Capabilities | None:
    element = xml.parse(raw)
    return _read(element if element.tag == f"{{{CAPS}}}c" else None, None)


def _read(old: Element | None, new: Element | None) -> Capabilities | None:
    return next((each for each in _named(old, new) if max(len(each.node), len(each.hash)) <= MAX_TEXT), None)


def _named(old: Element | None, new: Element | None) -> Iterator[Capabilities]:
    """The best ones first."""
    if old is not None and old.get("hash") in _ALGORITHMS and old.get("ver"):
        hash = old.get("ver", "")
        yield Capabilities(f"{old.get('node', '')}#{hash}", old.get("hash", ""), hash)
    for each in new.findall(f"{{{HASHES}}}hash") if new is not None else ():
        algorithm, hash = each.get("algo", ""), (each.text or "").strip()
        if algorithm in _ALGORITHMS and hash:
            yield Capabilities(f"{CAPS_2}#{algorithm}.{hash}", algorithm, hash, 2)
    if old is not None and old.get("ver"):
        yield Capabilities(f"{old.get('node', '')}#{old.get('ver')}")


def is_proved(capabilities: Capabilities, query: Element) -> bool:
    """Whether the answer has the hash (XEP-0115 section 5.4; XEP-0390 section 4.4)."""
    if not capabilities.algorithm:
        return False
    try:
        octets = _input_2(query) if capabilities.version == 2 else _input(query)
    except _IllFormed:
        return False
    return _digest(octets, capabilities.algorithm) == capabilities.hash


def interests(query: Element) -> frozenset[str]:
    """The nodes whose events the client wants."""
    features = (feature.get("var", "") for feature in query.findall(f"{{{INFO}}}feature"))
    wanted = [feature.removesuffix(NOTIFY) for feature in features if feature.endswith(NOTIFY)][:MAX_INTERESTS]
    sizes_bytes = accumulate(len(name.encode()) for name in wanted)
    return frozenset(name for name, bytes in zip(wanted, sizes_bytes, strict=True) if bytes <= MAX_INTERESTS_BYTES)


def verification(query: Element) -> str:
    """The SHA-1 verification string of a description (XEP-0115 section 5.1). Raises ValueError where there is none."""
    return _digest(_input(query), "sha-1")


def _digest(octets: bytes, algorithm: str) -> str:
    return base64.b64encode(hashlib.new(_ALGORITHMS[algorithm], octets).digest()).decode()


class _IllFormed(ValueError):
    """No hash can be made of it, or of two of them the same one."""


# --- XEP-0115


def _input(query: Element) -> bytes:
    identities = [_identity(identity) for identity in query.findall(f"{{{INFO}}}identity")]
    features = [_octets(feature.get("var")) for feature in query.findall(f"{{{INFO}}}feature")]
    forms: dict[bytes, list[bytes]] = {}
    for form in query.findall(f"{{{DATA}}}x"):
        form_type, lines = _form(form)
        if form_type in forms:
            raise _IllFormed("two forms of one type")
        if form_type:
            forms[form_type] = lines
    lines = [b"/".join(identity) for identity in _once(sorted(identities))] + _once(sorted(features))
    for form_type, fields in sorted(forms.items()):
        lines += [form_type, *fields]
    if any(b"<" in line for line in lines):
        raise _IllFormed("a part contains the separator")
    return b"".join(line + b"<" for line in lines)


def _once(parts: list[P]) -> list[P]:
    if len(set(parts)) < len(parts):
        raise _IllFormed("something is listed twice")
    return parts


def _identity(identity: Element) -> tuple[bytes, ...]:
    return tuple(_octets(identity.get(part)) for part in ("category", "type", f"{{{XML}}}lang", "name"))


def _form(form: Element) -> tuple[bytes, list[bytes]]:
    """Its type, empty where it does not count, and its fields (section 5.4)."""
    fields = {_octets(field.get("var")): field for field in form.findall(f"{{{DATA}}}field")}
    said = fields.pop(b"FORM_TYPE", None)
    if said is None or said.get("type", "hidden") != "hidden":
        return b"", []
    types = set(_values(said))
    if len(types) != 1:
        raise _IllFormed("a form has one type")
    lines = [line for name, field in sorted(fields.items(), key=_first) for line in (name, *_values(field))]
    return types.pop(), lines


def _first(pair: tuple[bytes, Element]) -> bytes:
    return pair[0]


def _values(field: Element) -> list[bytes]:
    return sorted(_octets(value.text) for value in field.findall(f"{{{DATA}}}value"))


def _octets(text: str | None) -> bytes:
    return (text or "").encode()


# --- XEP-0390 section 4.1


def _input_2(query: Element) -> bytes:
    if any(child.tag not in (f"{{{INFO}}}identity", f"{{{INFO}}}feature", f"{{{DATA}}}x") for child in query):
        raise _IllFormed("something else is in it")
    features = [_octets(feature.get("var")) + b"\x1f" for feature in query.findall(f"{{{INFO}}}feature")]
    identities = [_ended(_identity(each), b"\x1f") + b"\x1e" for each in query.findall(f"{{{INFO}}}identity")]
    forms = [_form_2(form) for form in query.findall(f"{{{DATA}}}x")]
    return b"".join(b"".join(sorted(parts)) + b"\x1c" for parts in (features, identities, forms))


def _form_2(form: Element) -> bytes:
    fields = form.findall(f"{{{DATA}}}field")
    if len(fields) < len(form) or all(field.get("var") != "FORM_TYPE" for field in fields):
        raise _IllFormed("a form of fields with a type")
    parts = [_ended((_octets(field.get("var")), *_values(field)), b"\x1f") + b"\x1e" for field in fields]
    return b"".join(sorted(parts)) + b"\x1d"


def _ended(parts: Iterable[bytes], end: bytes) -> bytes:
    return b"".join(part + end for part in parts)
