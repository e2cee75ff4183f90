"""The content of a flow's stanzas, and how an arrived stanza differs from it.

A stanza is a function of its number, so an arrival is compared with the content itself and not with a record of it.
Servers may add to a message, after its sender's content: a `<stanza-id/>` (XEP-0359) of the sender's or the receiver's
account or domain, a `<delay/>` (XEP-0203) of one of these, and the mark of a delivery that no archive keeps
(xmpp/stanza_id.py). They may remove the probe, as a domain does beyond `trace.probes_per_minute` of the topology. Any
other difference is an alteration.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any, Literal, NamedTuple

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.muc import OCCUPANT_ID
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, DELAY, DELIVERY, PROBE, STANZA_ID, XML
from cluster.xmpp.parser import Slice
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.stanza import Kind, Stanza

VERIFY = "urn:xmpplab:verify:0"
"""Of the payload of iq requests."""

_HEADER = ("type", "from", "to", "id")
_STANZA_ID = re.compile(rb"<(?:[^\s<>/:]+:)?(?:stanza-id|delivery)\s[^>]*>")
_ID_OR_BY = re.compile(rb"""\s(id|by)\s*=\s*["']([^"']*)""")
_TAIL = re.compile(
    rb"(?:<occupant-id xmlns='urn:xmpp:occupant-id:0' id='[^'<]*'/>)?"
    rb"(?:<stanza-id xmlns='urn:xmpp:sid:0' by=(?:\"[^\"<]*\"|'[^'<]*') id=(?:\"[^\"<]*\"|'[^'<]*')/>)*"
    rb"(?:<delivery xmlns='urn:xmpplab:delivery:0' id=\"[^\"<]*\"/>)?</[a-z]+>",
    re.ASCII,
)
_BY = re.compile(rb" by=[\"']([^\"']*)")
_PROBE = f"{{{PROBE}}}probe"
_SHOWN_CHARACTERS = 40

Form = Literal["direct", "carbon", "archive", "answer", "text"]
"""The form of an arrival: as it is; in a carbon; in the result of an archive query; as the answer to an iq; as a
text."""


class Expected(NamedTuple):
    """A stanza as its receiver must get it."""

    kind: Kind
    type: str | None
    from_: str
    to: str
    id: str
    payload: bytes
    """Everything between its tags."""
    probe: bytes = b""
    """The last part of it, which may be missing."""

    @property
    def header(self) -> dict[str, str]:
        """Its attributes."""
        values = (self.type, self.from_, self.to, self.id)
        return {name: value for name, value in zip(_HEADER, values, strict=True) if value is not None}


class Content:
    """The content of the stanzas of one flow."""

    def __init__(
        self, kind: Kind, prefix: str, to: Jid, size: int, *, is_followed: bool, in_room: bool = False
    ) -> None:
        """`prefix` begins all ids; `size`: bytes of a stanza as near as its address allows.

        `is_followed`: each message asks to have its hops recorded; `in_room`: `to` is a room.
        """
        self.kind = kind
        self.to = to
        self._prefix = prefix
        self._is_followed = is_followed
        self.in_room = in_room
        self._type = "groupchat" if in_room else {"message": "chat", "iq": "get", "presence": None}[kind]
        self._filling = ""
        self._filling = "x" * max(0, size - len(self.stanza(0).raw))

    def id(self, sequence: int) -> str:
        """The id of a stanza, and its trace id."""
        return f"{self._prefix}{sequence}"

    def text(self, sequence: int) -> str:
        """The text for a reader."""
        return f"{self.id(sequence)} {self._filling}".rstrip()

    def payload(self, sequence: int) -> bytes:
        """Everything between its tags."""
        text = self.text(sequence)
        if self.kind == "presence":
            return f"<status>{text}</status>".encode()
        if self.kind == "iq":
            return f"<query xmlns='{VERIFY}'>{text}</query>".encode()
        return f"<body>{text}</body>".encode() + self._probe(sequence)

    def _probe(self, sequence: int) -> bytes:
        is_followed = self._is_followed and self.kind == "message"
        return f"<probe xmlns='{PROBE}' id='{self.id(sequence)}'/>".encode() if is_followed else b""

    def stanza(self, sequence: int) -> Stanza:
        """The stanza as it is sent."""
        id = self.id(sequence)
        kind_of = f" type='{self._type}'" if self._type else ""
        begin = f"<{self.kind} to={quoteattr(str(self.to))}{kind_of} id='{id}'>".encode()
        raw = begin + self.payload(sequence) + f"</{self.kind}>".encode()
        return Stanza(self.kind, self.to, None, id, self._type, (), raw)

    def expected(self, sequence: int, from_: Jid) -> Expected:
        """The stanza as it must arrive."""
        payload, probe = self.payload(sequence), self._probe(sequence)
        return Expected(self.kind, self._type, str(from_), str(self.to), self.id(sequence), payload, probe)

    def expected_in_room(self, sequence: int, from_: Jid, to: Jid) -> Expected:
        """As an occupant, `to`, has to hear it from another, `from_`."""
        return self.expected(sequence, from_)._replace(to=str(to))

    def expected_answer(self, sequence: int, requester: Jid) -> Expected:
        """The answer to an iq as it must arrive: it returns the content."""
        return Expected("iq", "result", str(self.to), str(requester), self.id(sequence), self.payload(sequence))


def difference(child: Slice, expected: Expected, givers: Collection[str]) -> str:
    """How the stanza differs from the expected one; empty if it does not.

    `givers`: the addresses that may have added a stanza-id or a delay.
    """
    if _is_as_written(child, expected, givers):
        return ""
    return "; ".join(_differences(xml.parse(child.raw), expected, givers))


def difference_of(tree: Element, expected: Expected, givers: Collection[str]) -> str:
    """The same for a stanza within another."""
    return "; ".join(_differences(tree, expected, givers))


def _is_as_written(child: Slice, expected: Expected, givers: Collection[str]) -> bool:
    """True if header and bytes are as sent, and only stanza-ids were added; False: only a tree can tell."""
    if child.name != f"{CLIENT} {expected.kind}" or child.attributes != expected.header:
        return False
    begin = child.raw.find(b">") + 1
    payload = expected.payload
    if not child.raw.startswith(payload, begin):
        payload = payload.removesuffix(expected.probe)
    end = begin + len(payload)
    if not (child.raw.startswith(payload, begin) and _TAIL.fullmatch(child.raw, end)):
        return False
    return all(by.decode() in givers for by in _BY.findall(child.raw, end))


def _differences(tree: Element, expected: Expected, givers: Collection[str]) -> Iterator[str]:
    _, kind = xml.split(tree.tag)
    if tree.tag != f"{{{CLIENT}}}{expected.kind}":
        yield f"it is {kind}, not {expected.kind}"
    for name in _HEADER:
        seen, wanted = tree.get(name), expected.header.get(name)
        if seen != wanted:
            yield f"{name} is {_shown(seen)}, not {_shown(wanted)}"
    for name in sorted({*tree.keys()} - {*_HEADER, f"{{{XML}}}lang"}):
        yield f"attribute {name} was added"
    begin = f"<{expected.kind} xmlns='{CLIENT}'>".encode()
    wanted_children = list(xml.parse(begin + expected.payload + f"</{expected.kind}>".encode()))
    if tree.find(_PROBE) is None:
        wanted_children = [each for each in wanted_children if each.tag != _PROBE]
    yield from _payload_differences([each for each in tree if not _is_addition(each, givers)], wanted_children)
    if (tree.text or "").strip():
        yield f"text was added: {_shown(tree.text)}"


def _payload_differences(seen: list[Element], wanted: list[Element]) -> Iterator[str]:
    seen_names, wanted_names = [each.tag for each in seen], [each.tag for each in wanted]
    for name in dict.fromkeys(wanted_names):
        if (missing := wanted_names.count(name) - seen_names.count(name)) > 0:
            yield f"payload <{xml.split(name)[1]}/> is missing" + (f" {missing} times" if missing > 1 else "")
    for name in dict.fromkeys(seen_names):
        if seen_names.count(name) > wanted_names.count(name):
            yield f"payload <{xml.split(name)[1]}/> was added"
    if sorted(seen_names) == sorted(wanted_names) and seen_names != wanted_names:
        yield "payloads are in another order"
    for one in wanted:
        others = [each for each in seen if each.tag == one.tag]
        if len(others) == 1 and canonical(others[0]) != canonical(one):
            yield _altered(others[0], one)


def _altered(seen: Element, wanted: Element) -> str:
    name = xml.split(wanted.tag)[1]
    if wanted.text and not seen.text and not len(seen):
        return f"{name} is empty"
    if seen.text != wanted.text:
        return f"{name} was altered: {_shown(seen.text)} instead of {_shown(wanted.text)}"
    return f"{name} was altered"


def _is_addition(child: Element, givers: Collection[str]) -> bool:
    if child.tag == f"{{{STANZA_ID}}}stanza-id":
        return child.get("by") in givers
    if child.tag in (f"{{{DELIVERY}}}delivery", f"{{{OCCUPANT_ID}}}occupant-id"):
        return True
    return child.tag == f"{{{DELAY}}}delay" and child.get("from") in (None, *givers)


def canonical(element: Element) -> tuple[Any, ...]:
    """The same text for all spellings of the same XML: prefixes, quotes and the order of attributes do not matter."""
    children = tuple((canonical(child), child.tail or "") for child in element)
    return element.tag, tuple(sorted(element.items())), element.text or "", children


def _shown(text: str | None) -> str:
    if text is None:
        return "none"
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…")


def stanza_id(raw: bytes, *, with_mark: bool = True) -> int:
    """A number for a message's stanza-ids (XEP-0359), or its mark: the same in any spelling. 0: it has none."""
    tags = [tag for tag in _STANZA_ID.findall(raw) if with_mark or b"stanza-id" in tag]
    return hash(frozenset(tuple(sorted(_ID_OR_BY.findall(tag))) for tag in tags)) if tags else 0


def known_by(raw: bytes, id: str, sender: Jid) -> int:
    """What a client recognises copies by: the stanza-ids; for a message from a gateway, its `id`.

    A gateway gives a repeated message the same `id` (docs/gateways), and the server another stanza-id.
    """
    return hash(id) if sender.is_bare and id else stanza_id(raw)
