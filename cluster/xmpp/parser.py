"""The incremental parser of a stream: bytes in, slices of those bytes out (RFC 6120 sections 4 and 11).

expat checks well-formedness and resolves namespaces; the callbacks only count depth. Each child of the stream is passed
on as a slice of the input, so no tree is built unless a handler reads it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import MutableSequence
from functools import lru_cache
from typing import Any
from xml.parsers import expat

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.limits import FROM_CLIENT, MAX_NAMESPACE, Limits
from cluster.xmpp.namespaces import CLIENT, STREAMS, XML
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.tokens import UnfinishedToken, may_have_odd_namespace

RENEW_AFTER_BYTES = 262_144
"""expat keeps every name that it has seen, so one parser reads at most this of a stream, and one stanza."""

_OPENING_TAG = re.compile(rb"<[^\s/>]++(?:[^\"'>]++|\"[^\"]*+\"|'[^']*+')*>")
_MAX_LEFT_BYTES = 5
"""Three bytes of a character, until expat has seen the same number again (since 2.6)."""
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_RESTRICTED = {expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]}


_RESTING = expat.ParserCreate()
"""Replaces the expat parser of a stream that rests."""
_NOTHING: list[Any] = []
_NO_ATTRIBUTES: dict[str, str] = {}
"""Of a stream that rests; all share them. An empty list takes 56 bytes, an empty dict 64."""


@lru_cache(maxsize=16)
def _opening(root: str, declared: tuple[tuple[str, str], ...]) -> bytes:
    """The tag of a stream's element with these namespaces, by their prefixes; usual streams share it."""
    declarations = [f" xmlns{':' + prefix if prefix else ''}={quoteattr(uri)}" for prefix, uri in declared if uri]
    return f"<{root}{''.join(declarations)}>".encode()


class StreamHeader(msgspec.Struct, frozen=True):
    """The peer opened its stream (RFC 6120 section 4.7)."""

    to: str | None
    from_: str | None
    id: str | None
    version: str | None
    lang: str | None
    content_namespace: str
    namespaces: tuple[str, ...] = ()
    """The namespaces of further prefixes: a server declares dialback this way (XEP-0220 section 2.4.1)."""


class Slice(msgspec.Struct, frozen=True, gc=False):
    """One complete child of the stream: a stanza, or a step of the negotiation."""

    name: str
    """`namespace name`, as expat gives it."""
    attributes: dict[str, str]
    payloads: tuple[str, ...]
    """`namespace name` of each child element."""
    raw: bytes
    """Its bytes; they need no declarations except the stream's default namespace and the prefix `stream`."""


class StreamEnd(msgspec.Struct, frozen=True):
    """The peer closed its stream (RFC 6120 section 4.4)."""


class StreamParser:
    """Parses one stream from its header to its end; a restarted stream needs a new parser."""

    __slots__ = (
        "_attributes", "_base", "_buffer", "_content_namespace", "_declared", "_depth", "_done", "_expat",
        "_foreign_context", "_foreign_marks", "_found", "_limits", "_max_bytes", "_max_depth",
        "_max_nodes", "_name", "_nodes", "_opening", "_payloads", "_start", "_unfinished",
    )  # fmt: skip

    def __init__(self, limits: Limits = FROM_CLIENT) -> None:
        """`limits`: of each child of the stream."""
        self._limits = limits
        self._max_bytes = limits.max_bytes
        self._max_depth = limits.max_depth
        self._max_nodes = limits.max_nodes
        self._buffer: bytes | bytearray = b""  # what was parsed of the incomplete child
        self._unfinished = UnfinishedToken()
        self._base = 0  # stream offset of the buffer's first byte
        self._done = 0  # stream offset after the last complete child
        self._start = 0  # stream offset of the incomplete child
        self._depth = 0
        self._nodes = 0
        self._name = ""
        self._attributes = _NO_ATTRIBUTES
        self._payloads: list[str] = _NOTHING
        self._opening = b""  # the tag of the stream's element, without its attributes
        self._declared: dict[str, str] = {}  # until that tag has ended
        self._foreign_context = b""  # how to parse a slice of a stream with unusual declarations
        self._foreign_marks: tuple[bytes, ...] = ()  # a slice without any of these uses none of them
        self._content_namespace = CLIENT
        self._found: MutableSequence[StreamHeader | Slice | StreamEnd] = _NOTHING
        self._expat = self._new_expat()

    def _new_expat(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("UTF-8", " ")
        parser.StartElementHandler = self._on_start
        parser.EndElementHandler = self._on_end
        parser.StartNamespaceDeclHandler = self._on_declaration
        parser.XmlDeclHandler = self._on_xml_declaration
        # RFC 6120 section 11.1
        parser.CommentHandler = parser.ProcessingInstructionHandler = self._on_restricted
        parser.StartDoctypeDeclHandler = self._on_restricted
        return parser

    def allow(self, limits: Limits) -> None:
        """Change the limits: the peer has been authenticated since."""
        self._limits = limits
        self._max_bytes, self._max_depth, self._max_nodes = limits.max_bytes, limits.max_depth, limits.max_nodes

    @property
    def pending_bytes(self) -> int:
        """Size of the incomplete child."""
        return len(self._buffer) + len(self._unfinished.held)

    def feed(self, data: bytes, found: MutableSequence[StreamHeader | Slice | StreamEnd]) -> None:
        """Parse `data` and append to `found` what it completed.

        Raises StreamError for what is not allowed in a stream; the content before it is in `found` all the same.
        """
        if tokens := self._unfinished.complete(data):
            self._found = found
            if self._expat is _RESTING:
                self._wake()
            self._buffer = self._joined(tokens) if self._buffer else tokens
            self._parse(tokens)
            if self._depth == 1:
                self._forget_gap()
            elif self._depth:
                self._forget_until(self._start)
            if self._base > RENEW_AFTER_BYTES and self._depth:
                self._renew()
        if (self._buffer or self._unfinished.held) and self.pending_bytes > self._limits.max_bytes:
            raise self._too_big()

    def _joined(self, tokens: bytes) -> bytearray:
        """The bytes of the incomplete child; with room for more, so that not every piece copies it."""
        buffer = bytearray(self._buffer) if isinstance(self._buffer, bytes) else self._buffer
        buffer += tokens
        return buffer

    def _parse(self, tokens: bytes) -> None:
        if self._depth:  # a call of each declaration would take a sixth of the time
            self._expat.StartNamespaceDeclHandler = self._on_declaration if may_have_odd_namespace(tokens) else None
        elif self._buffer.startswith(_UTF_16) or b"\0" in self._buffer[:2]:  # expat reads it, whatever its settings
            raise StreamError(StreamCondition.UNSUPPORTED_ENCODING, "a stream is UTF-8")
        try:
            self._expat.Parse(tokens, False)
        except expat.ExpatError as error:
            if error.code in _RESTRICTED:
                raise StreamError(StreamCondition.RESTRICTED_XML, "entities are not allowed") from None
            raise StreamError(StreamCondition.NOT_WELL_FORMED, str(error)) from None
        if (at := self._expat.CurrentByteIndex) != self._base + len(self._buffer):
            self._check_left(self._buffer[at - self._base :])

    def _check_left(self, left: bytes | bytearray) -> None:
        """Check what expat has not accepted of whole tokens: the beginning of a character, or what cannot be a token.

        So too for input that does not end in a tag: expat would scan it again with every piece until then.
        """
        if left.startswith((b"<!", b"<?")):
            self._on_restricted()
        if left.startswith((b"<", b"&")) or len(left) > _MAX_LEFT_BYTES:
            raise StreamError(StreamCondition.NOT_WELL_FORMED, "this cannot become XML")

    def rest(self) -> None:
        """Free the memory of expat, some 10 KiB, until more input comes; does nothing within a child."""
        if self._depth == 1 and not self.pending_bytes:
            self._expat = _RESTING
            self._found, self._attributes, self._payloads = _NOTHING, _NO_ATTRIBUTES, _NOTHING  # of the last child

    def end(self) -> None:
        """No more input comes. expat refers to its callbacks: it would stay until a collection of cycles."""
        self._expat = _RESTING

    def _wake(self) -> None:
        """A new expat parser, at the same place of the stream."""
        self._expat = self._new_expat()
        self._expat.StartElementHandler = self._expat.StartNamespaceDeclHandler = None
        self._expat.Parse(self._opening, False)
        self._expat.StartElementHandler = self._on_start
        self._base = self._done = len(self._opening)

    def _renew(self) -> None:
        """Let expat forget the names of earlier children, also within a child that began since."""
        buffer = self._buffer
        self._expat = _RESTING
        if buffer:
            self._wake()
            self._depth = 1
            self._expat.Parse(buffer, False)
        else:
            self._base = 0

    def _too_big(self) -> StreamError:
        text = f"a stanza may have at most {self._limits.max_bytes} bytes"
        return StreamError(StreamCondition.POLICY_VIOLATION, text)

    def _forget_gap(self) -> None:
        """Only white space is allowed between two children (RFC 6120 section 4.4)."""
        end = self._base + len(self._buffer)
        if self._done != end:
            self._check_gap(end)
        self._base = self._done = end
        self._buffer = b""

    def _forget_until(self, offset: int) -> None:
        if offset != self._base:
            self._buffer = bytes(self._buffer[offset - self._base :])
            self._base = offset

    def _on_start(self, name: str, attributes: dict[str, str]) -> None:
        depth = self._depth
        self._depth = depth + 1
        self._nodes = nodes = self._nodes + 1 + len(attributes)
        if depth == 2:
            self._payloads.append(name)
        elif depth == 1:
            self._start = start = self._expat.CurrentByteIndex
            if start != self._done:
                self._check_gap(start)
            self._name, self._attributes, self._payloads = name, attributes, []
            self._nodes = nodes = 1 + len(attributes)
        elif depth == 0:
            self._on_header(name, attributes)
        if nodes > self._max_nodes or depth > self._max_depth:
            limits = self._limits
            raise StreamError(
                StreamCondition.POLICY_VIOLATION,
                f"a stanza may be {limits.max_depth} elements deep and have {limits.max_nodes} elements and attributes",
            )

    def _on_end(self, name: str) -> None:
        self._depth = depth = self._depth - 1
        if depth == 1:
            base = self._base
            self._done = end = self._end_of_child()
            raw = bytes(self._buffer[self._start - base : end - base])
            if len(raw) > self._max_bytes:
                raise self._too_big()
            for mark in self._foreign_marks:
                if mark in raw:
                    tree = xml.parse(raw, self._foreign_context)
                    raw = xml.serialize(tree, inherited=self._content_namespace)
                    break
            self._found.append(Slice(self._name, self._attributes, tuple(self._payloads), raw))
        elif depth == 0:
            self._check_gap(self._expat.CurrentByteIndex)
            self._found.append(StreamEnd())

    def _end_of_child(self) -> int:
        """Stream offset after the child that just ended."""
        # expat's index is before an end tag, but after an empty-element tag
        index = self._expat.CurrentByteIndex - self._base
        if not self._payloads:
            opening = _OPENING_TAG.match(self._buffer, self._start - self._base)
            if opening and opening.group().endswith(b"/>"):
                return self._base + opening.end()
        return self._base + self._buffer.index(b">", index) + 1

    def _check_gap(self, until: int) -> None:
        if self._buffer[self._done - self._base : until - self._base].strip():
            raise StreamError(StreamCondition.BAD_FORMAT, "text between stanzas")

    def _on_header(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        if local != "stream":
            raise StreamError(StreamCondition.BAD_FORMAT, f"expected <stream:stream>, not <{local}>")
        if namespace != STREAMS:
            raise StreamError(StreamCondition.INVALID_NAMESPACE, f"a stream's namespace is {STREAMS}")
        begin = self._expat.CurrentByteIndex - self._base
        opening = _OPENING_TAG.match(self._buffer, begin)
        if opening is None:
            raise StreamError(StreamCondition.NOT_WELL_FORMED, "the stream's tag cannot be read")
        self._done = self._base + opening.end()
        declared, self._declared = self._declared, _NO_ATTRIBUTES
        default = declared.setdefault("", "")
        root = opening.group()[1:].split(maxsplit=1)[0].rstrip(b">").decode()
        self._opening = _opening(root, tuple(declared.items()))
        self._content_namespace = default or CLIENT  # without a default its elements have prefixes
        if not declared.items() <= {"": self._content_namespace, "stream": STREAMS}.items():
            declarations = " ".join(
                f"xmlns{':' + prefix if prefix else ''}={quoteattr(uri)}" for prefix, uri in declared.items()
            )
            self._foreign_context = f"<context {declarations}>".encode()
        foreign = {prefix: uri for prefix, uri in declared.items() if prefix and prefix != "stream"}
        is_usual = bool(default) and declared.get("stream", STREAMS) == STREAMS
        self._foreign_marks = tuple([f"{prefix}:".encode() for prefix in foreign]) if is_usual else (b"",)
        get, lang = attributes.get, f"{XML} lang"
        self._found.append(
            StreamHeader(
                get("to"), get("from"), get("id"), get("version"), get(lang), self._content_namespace,
                tuple(foreign.values()),
            )
        )  # fmt: skip

    def _on_declaration(self, prefix: str | None, uri: str | None) -> None:
        if uri and "}" in uri:  # which a tree could not distinguish from the end of the namespace
            raise StreamError(StreamCondition.NOT_WELL_FORMED, f"{uri!r} is not a URI: RFC 3986 allows no braces")
        if uri and len(uri) > MAX_NAMESPACE:
            text = f"a namespace may have at most {MAX_NAMESPACE} characters"
            raise StreamError(StreamCondition.POLICY_VIOLATION, text)
        if not self._depth:
            self._declared[prefix or ""] = uri or ""

    def _on_xml_declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding and encoding.upper() != "UTF-8":  # RFC 6120 section 11.6
            raise StreamError(StreamCondition.UNSUPPORTED_ENCODING, "a stream is UTF-8")

    def _on_restricted(self, *_: object) -> None:
        raise StreamError(StreamCondition.RESTRICTED_XML, "comments, DTDs and processing instructions are not allowed")
