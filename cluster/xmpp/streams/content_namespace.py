"""Stanzas to and from streams whose content namespace is not that of clients (RFC 6120 section 4.8.2): those of
components (XEP-0114) and servers."""

from __future__ import annotations

import re
from functools import cache, lru_cache

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.extensions.probe import as_followed, with_probe, with_trace, without_trace
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.limits import SMALL_BYTES
from cluster.xmpp.namespaces import CLIENT, COMPONENT, SERVER
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Kind, Stanza, opening
from cluster.xmpp.streams.stamp import MalformedTo, NotAStanza

_CLIENT = CLIENT.encode()
_AMPERSAND = ord("&")
_VALUE = rb"""\s*+=\s*+(?:'[^']*+'|"[^"]*+")"""
_TAG = re.compile(rb"<(\w++)((?:\s++[^\s=/>]++" + _VALUE + rb")*)")
"""The opening tag of an element without a prefix, and its attributes."""
_ATTRIBUTE = re.compile(rb"\s++([^\s=]++)" + _VALUE)


@cache
def _kinds(namespace: str) -> dict[str, Kind]:
    kinds: tuple[Kind, ...] = ("message", "presence", "iq")
    return {f"{namespace} {kind}": kind for kind in kinds}


_CACHED_BYTES = 1_024
"""Nearly all stanzas are shorter. The names of longer ones are not kept: each has its namespace, so that they could be
a thousand times as long."""


@lru_cache(maxsize=256)
def _of_clients(payloads: tuple[str, ...], namespace: str) -> tuple[str, ...]:
    """The names of these payloads, of which some are of the stream's content namespace (with a space)."""
    return tuple([name.replace(namespace, f"{CLIENT} ") for name in payloads])


def into_stream(stanza: Stanza, namespace: str = COMPONENT) -> Stanza:
    """The stanza as it stands in a stream of this content namespace; a followed one says its trace id there."""
    stanza = with_trace(stanza) if namespace == SERVER else with_probe(stanza)
    if _CLIENT not in stanza.raw:
        return stanza  # its bytes name neither namespace: they take that of the stream
    tree = stanza.tree
    _move(tree, namespace)
    return msgspec.structs.replace(stanza, raw=xml.serialize(tree, inherited=namespace))


def _move(element: Element, to: str) -> None:
    """A forwarded stanza (XEP-0297) in another payload is separate content, and keeps the namespace of clients."""
    namespace, name = xml.split(element.tag)
    if namespace == CLIENT:
        element.tag = f"{{{to}}}{name}"
        for child in element:
            _move(child, to)


def out_of_stream(child: Slice, namespace: str = COMPONENT) -> Stanza:
    """A stanza of a stream of this content namespace, in that of clients: its bytes begin with its `from` (see
    `opening`).

    Raises StreamError for another element, or one that lacks an address (XEP-0114 section 3, RFC 6120 section 4.9.3.7),
    MalformedTo for an invalid `to`.
    """
    kind = _kinds(namespace).get(child.name)
    if kind is None:
        raise NotAStanza(child.name)
    get = child.attributes.get
    try:
        from_ = Jid.parse(get("from") or "")
    except JidError as error:
        raise StreamError(StreamCondition.IMPROPER_ADDRESSING, f"a {kind} from={get('from')!r}: {error}") from None
    of_clients = _of_clients if len(child.raw) <= _CACHED_BYTES else _of_clients.__wrapped__
    payloads = of_clients(tuple(child.payloads), f"{namespace} ")
    to, raw = get("to"), _raw(child, kind, from_, namespace)
    if not to:
        raise StreamError(StreamCondition.IMPROPER_ADDRESSING, f"a {kind} of {from_} without `to`")
    try:
        address = Jid.parse(to)
    except JidError as error:
        raise MalformedTo(Stanza(kind, None, from_, get("id"), get("type"), payloads, raw), str(error)) from None
    stanza = Stanza(kind, address, from_, get("id"), get("type"), payloads, raw)
    return without_trace(stanza) if namespace == SERVER else as_followed(stanza)


def _raw(child: Slice, kind: Kind, from_: Jid, namespace: str) -> bytes:
    begin, raw = opening(kind, from_), child.raw
    # "&#" could spell the namespace
    if len(raw) <= SMALL_BYTES and namespace.encode() not in raw and not (_AMPERSAND in raw and b"&#" in raw):
        if raw.startswith(begin):
            return raw
        if (tag := _TAG.match(raw)) is not None and tag[1] == kind.encode():
            rest = b"".join([each[0] for each in _ATTRIBUTE.finditer(tag[2]) if each[1] != b"from"])
            return b"".join((begin, rest, raw[tag.end(2) :]))
    tree = xml.parse(raw)
    for element in tree.iter():
        of, name = xml.split(element.tag)
        if of == namespace:
            element.tag = f"{{{CLIENT}}}{name}"
    others = {name: value for name, value in tree.attrib.items() if name != "from"}
    tree.attrib.clear()
    tree.attrib.update({"from": str(from_), **others})
    return xml.serialize(tree)
