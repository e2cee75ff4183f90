"""The incremental parser of a stream: bytes in, slices of those bytes out (RFC 6120 sections 4 and 11).

expat checks well-formedness and resolves namespaces; the callbacks only count depth. What stands between the
stream's tags is handed on as the slice of input that it came in, so nobody pays for a tree that nobody reads.
"""

from __future__ import annotations

import re
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.limits import FROM_CLIENT, Limits
from cluster.xmpp.namespaces import CLIENT, STREAMS, XML

_OPENING_TAG = re.compile(rb"<[^\s/>]+(?:[^\"'>]|\"[^\"]*\"|'[^']*')*>")
_TAG = re.compile(rb"<(?:[^\"'>]|\"[^\"]*\"|'[^']*')*>")
_RESTRICTED = {expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]}


_RESTING = expat.ParserCreate()
"""Stands for the expat parser of a stream that rests."""


class StreamHeader(msgspec.Struct, frozen=True):
    """The peer opened its stream (RFC 6120 section 4.7)."""

    to: str | None
    from_: str | None
    id: str | None
    version: str | None
    lang: str | None
    content_namespace: str


class Slice(msgspec.Struct, frozen=True, gc=False):
    """One complete child of the stream: a stanza, or a step of the negotiation."""

    name: str
    """`namespace name`, as expat gives it."""
    attributes: dict[str, str]
    payloads: tuple[str, ...]
    """`namespace name` of each child element."""
    raw: bytes
    """Its bytes; they need no declaration but the stream's default namespace and the prefix `stream`."""


class StreamEnd(msgspec.Struct, frozen=True):
    """The peer closed its stream (RFC 6120 section 4.4)."""


class StreamParser:
    """Parses one stream from its header to its end; a restarted stream needs a new parser."""

    __slots__ = (
        "_attributes", "_base", "_buffer", "_content_namespace", "_declared", "_depth", "_done", "_expat",
        "_foreign_context", "_found", "_held", "_limits", "_name", "_nodes", "_payloads", "_root", "_start",
    )  # fmt: skip

    def __init__(self, limits: Limits = FROM_CLIENT) -> None:
        """`limits`: of each child of the stream."""
        self._limits = limits
        self._buffer = b""
        self._held = b""  # a token that is not complete yet
        self._base = 0  # stream offset of the buffer's first byte
        self._done = 0  # stream offset behind the last complete child
        self._start = 0  # stream offset of the child that is being read
        self._depth = 0
        self._nodes = 0
        self._name = ""
        self._attributes: dict[str, str] = {}
        self._payloads: list[str] = []
        self._root = ""  # the name of the stream's element, with its prefix
        self._declared: dict[str, str] = {}
        self._foreign_context = b""  # how to parse a slice of a stream with unusual declarations
        self._content_namespace = CLIENT
        self._found: list[StreamHeader | Slice | StreamEnd] = []
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

    @property
    def pending_bytes(self) -> int:
        """Size of what was received and is not yet a complete child."""
        return len(self._buffer) + len(self._held)

    def feed(self, data: bytes, found: list[StreamHeader | Slice | StreamEnd]) -> None:
        """Parse `data` and append to `found` what it completed.

        Raises StreamError for what may not stand in a stream; what came before it is in `found` all the same.
        """
        self._found = found
        if self._expat is _RESTING:
            self._wake()
        tokens = self._complete_tokens(data)
        self._buffer = self._buffer + tokens if self._buffer else tokens
        if self._depth:  # a declaration that may have to be refused; to look at each would be dear
            is_odd = b"}" in tokens or b"&" in tokens
            self._expat.StartNamespaceDeclHandler = self._on_declaration if is_odd else None
        try:
            self._expat.Parse(tokens, False)
        except expat.ExpatError as error:
            if error.code in _RESTRICTED:
                raise StreamError(StreamCondition.RESTRICTED_XML, "entities are not allowed") from None
            raise StreamError(StreamCondition.NOT_WELL_FORMED, str(error)) from None
        if self._depth == 1:
            self._forget_gap()
        elif self._depth:
            self._forget_until(self._start)
        if self.pending_bytes > self._limits.max_bytes:
            raise self._too_big()

    def _complete_tokens(self, data: bytes) -> bytes:
        """What expat can take of `data` and what was held back before; a begun tag or reference is held back.

        Since 2.6 (and in older versions as distributions mend them) expat lets a token wait that came in three
        pieces, until much more has come: a stanza would wait for the next one. So it is never shown half a token.
        """
        if self._held:
            if b">" not in data and b";" not in data:
                self._held += data
                return b""
            data, self._held = self._held + data, b""
        begun = data.rfind(b"<")
        if begun < 0 or _TAG.match(data, begun):
            begun = data.rfind(b"&", begun + 1)
            if begun < 0 or b";" in data[begun:]:
                return data
        elif (outer := data.rfind(b"<", 0, begun)) >= 0 and not _TAG.match(data, outer, begun):
            return data  # a `<` inside a tag: expat says what is wrong with it
        self._held = data[begun:]
        return data[:begun]

    def rest(self) -> None:
        """Give expat's memory back, some 10 KiB, until more comes in; nothing happens amid a child."""
        if self._depth == 1 and not self.pending_bytes:
            self._expat = _RESTING
            self._found, self._attributes, self._payloads = [], {}, []  # of the last child

    def _wake(self) -> None:
        """A new expat parser, as far into the stream as the one before."""
        declarations = "".join(
            f" xmlns{':' + prefix if prefix else ''}={quoteattr(uri)}" for prefix, uri in self._declared.items() if uri
        )
        context = f"<{self._root}{declarations}>".encode()
        self._expat = self._new_expat()
        self._expat.StartElementHandler = self._expat.StartNamespaceDeclHandler = None
        self._expat.Parse(context, False)
        self._expat.StartElementHandler = self._on_start
        self._base = self._done = len(context)

    def _too_big(self) -> StreamError:
        text = f"a stanza may have at most {self._limits.max_bytes} bytes"
        return StreamError(StreamCondition.POLICY_VIOLATION, text)

    def _forget_gap(self) -> None:
        """Between two children only white space may stand (RFC 6120 section 4.4)."""
        self._check_gap(self._base + len(self._buffer))
        self._done = self._base + len(self._buffer)
        self._forget_until(self._done)

    def _forget_until(self, offset: int) -> None:
        self._buffer = self._buffer[offset - self._base :]
        self._base = offset

    def _on_start(self, name: str, attributes: dict[str, str]) -> None:
        depth = self._depth
        self._depth = depth + 1
        self._nodes += 1 + len(attributes)
        if depth == 2:
            self._payloads.append(name)
        elif depth == 1:
            self._start = self._expat.CurrentByteIndex
            if self._start != self._done:
                self._check_gap(self._start)
            self._name, self._attributes, self._payloads = name, attributes, []
            self._nodes = 1 + len(attributes)
        elif depth == 0:
            self._on_header(name, attributes)
        limits = self._limits
        if depth > limits.max_depth or self._nodes > limits.max_nodes:
            raise StreamError(
                StreamCondition.POLICY_VIOLATION,
                f"a stanza may be {limits.max_depth} elements deep and have {limits.max_nodes} elements and attributes",
            )

    def _on_end(self, name: str) -> None:
        self._depth -= 1
        if self._depth == 1:
            self._done = end = self._end_of_child()
            if len(raw := self._buffer[self._start - self._base : end - self._base]) > self._limits.max_bytes:
                raise self._too_big()
            if self._foreign_context:
                tree = xml.parse(raw, self._foreign_context)
                raw = xml.serialize(tree, inherited=self._content_namespace)
            self._found.append(Slice(self._name, self._attributes, tuple(self._payloads), raw))
        elif self._depth == 0:
            self._check_gap(self._expat.CurrentByteIndex)
            self._found.append(StreamEnd())

    def _end_of_child(self) -> int:
        """Stream offset behind the child that just ended."""
        # expat's index is before an end tag, but behind an empty-element tag
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
        if b"\0" in self._buffer[: begin + 2]:  # UTF-16, which expat reads whatever it is told
            raise StreamError(StreamCondition.UNSUPPORTED_ENCODING, "a stream is UTF-8")
        opening = _OPENING_TAG.match(self._buffer, begin)
        if opening is None:
            raise StreamError(StreamCondition.NOT_WELL_FORMED, "the stream's tag cannot be read")
        self._done = self._base + opening.end()
        self._root = opening.group()[1:].split(maxsplit=1)[0].rstrip(b">").decode()
        default = self._declared.setdefault("", "")
        self._content_namespace = default or CLIENT  # without a default its elements have prefixes
        if not self._declared.items() <= {"": self._content_namespace, "stream": STREAMS}.items():
            declarations = " ".join(
                f"xmlns{':' + prefix if prefix else ''}={quoteattr(uri)}" for prefix, uri in self._declared.items()
            )
            self._foreign_context = f"<context {declarations}>".encode()
        get = attributes.get
        self._found.append(
            StreamHeader(get("to"), get("from"), get("id"), get("version"), get(f"{XML} lang"), self._content_namespace)
        )

    def _on_declaration(self, prefix: str | None, uri: str | None) -> None:
        if uri and "}" in uri:  # which a tree could not tell from the end of the namespace
            raise StreamError(StreamCondition.NOT_WELL_FORMED, f"{uri!r} is no URI: RFC 3986 has no braces in one")
        if not self._depth:
            self._declared[prefix or ""] = uri or ""

    def _on_xml_declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding and encoding.upper() != "UTF-8":  # RFC 6120 section 11.6
            raise StreamError(StreamCondition.UNSUPPORTED_ENCODING, "a stream is UTF-8")

    def _on_restricted(self, *_: object) -> None:
        raise StreamError(StreamCondition.RESTRICTED_XML, "comments, DTDs and processing instructions are not allowed")
