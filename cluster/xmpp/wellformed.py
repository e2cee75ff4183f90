"""Checks that bytes for a client are one element, whoever wrote them (RFC 6120 section 11)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from xml.parsers import expat

from cluster.xmpp.limits import CARRIED, MAX_NAMESPACE
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.tokens import may_have_long_namespace

_NUL = 0
_TAGS = {kind: (f"<{kind}".encode(), f"</{kind}>".encode()) for kind in ("message", "presence", "iq")}


class _Restricted(Exception):
    """The bytes have something that a client must not be sent (RFC 6120 section 11.1, limits.py)."""


def why_malformed(raw: bytes) -> str:
    """Why these bytes are not one element, as a client would read them; empty if they are."""
    return _why_not_one(raw, None)


def _why_not_one(raw: bytes, on_cdata: Callable[[], None] | None) -> str:
    if _NUL in raw:
        return "it has a NUL character, or is UTF-16"  # which expat reads, whatever its settings
    parser = expat.ParserCreate("UTF-8", "}")  # so every prefix is bound, and no namespace contains the separator
    parser.CommentHandler = parser.ProcessingInstructionHandler = _refuse
    parser.XmlDeclHandler = parser.StartDoctypeDeclHandler = _refuse
    parser.StartCdataSectionHandler = on_cdata
    if may_have_long_namespace(raw):
        parser.StartNamespaceDeclHandler = _refuse_long
    try:
        parser.Parse(raw, True)  # one element, or there is junk after it: a second, forged stanza
    except (expat.ExpatError, _Restricted) as error:
        return f"its bytes are not one element: {error}"
    return ""


SHORT_BYTES = 2_000
"""A stanza of this size is not counted when it comes over a link: it may be deeper than a server writes one, but not so
deep (`<a></a>` has seven bytes) that its tree could not be written. Nearly all are shorter."""


def why_too_large(raw: bytes, max_bytes: int = CARRIED.max_bytes) -> str:
    """Why servers do not pass on this element (CARRIED of xmpp/limits.py); empty if they do."""
    limits = CARRIED
    if len(raw) > max_bytes:
        return f"it has {len(raw)} bytes; at most {max_bytes} are carried"
    if len(raw) <= limits.max_nodes and raw.count(b"<") <= 2 * limits.max_depth:
        return ""  # too short for the number of nodes, with too few tags to be too deep
    size = _Size()
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = size.start, size.end
    parser.Parse(raw, True)
    if size.deepest > limits.max_depth or size.nodes > limits.max_nodes:
        return f"it is {size.deepest} elements deep and has {size.nodes} elements and attributes"
    return ""


class _Size:
    """Counts as `xmpp/parser.py` does."""

    def __init__(self) -> None:
        self.nodes = self.deepest = self._depth = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.nodes += 1 + sum(not each.startswith("xmlns") for each in attributes)
        self._depth += 1
        self.deepest = max(self.deepest, self._depth)

    def end(self, name: str) -> None:
        self._depth -= 1


def are_elements(stanzas: Sequence[Stanza], tag: bytes) -> bool:
    """True if each of these byte strings is certainly one element; False means unknown. `tag`: a name that no sender
    can guess.

    One parser for all takes half the time. Each is in a tag that it cannot close, so it is balanced. It begins and ends
    with a tag of its kind and has no further tag that begins one: so the two belong to the same element. A CDATA
    section could reach from one into the next: if there is any, the answer is False.
    """
    if len(stanzas) < 2 or not all(map(_is_simple, stanzas)):
        return False
    between = (b"</%b><%b>" % (tag, tag)).join([stanza.raw for stanza in stanzas])
    return not _why_not_one(b"<x><%b>%b</%b></x>" % (tag, between, tag), _refuse)


def _is_simple(stanza: Stanza) -> bool:
    begin, end = _TAGS[stanza.kind]
    return stanza.raw.rfind(begin) == 0 and stanza.raw.endswith(end)


def _refuse_long(prefix: str | None, uri: str | None) -> None:
    if uri and len(uri) > MAX_NAMESPACE:
        raise _Restricted(f"a namespace has more than {MAX_NAMESPACE} characters")


def _refuse(*_: object) -> None:
    raise _Restricted("a comment, a declaration, a DTD or a processing instruction is in it")
