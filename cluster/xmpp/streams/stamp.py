"""From a child of a client's stream to a stanza with a verified sender (RFC 6120 section 8.1.2.1)."""

from __future__ import annotations

from functools import cache

from cluster.xmpp import element as xml
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.limits import SMALL_BYTES
from cluster.xmpp.namespaces import XML
from cluster.xmpp.parser import Slice
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.stanza import Kind, Stanza, opening

MAX_LANG = 64
"""A language tag needs 35 characters (RFC 5646 section 4.4.1); the stream's is repeated in each of its stanzas."""
_LANG = f"{XML} lang"
_NAME_ENDS = b" />\t\r\n"


class MalformedTo(Exception):
    """A stanza's `to` is not a JID; `stanza` is the stanza without it."""

    def __init__(self, stanza: Stanza, text: str) -> None:
        super().__init__(text)
        self.stanza = stanza
        self.text = text


class NotAStanza(StreamError):
    """A child of the stream that is not a stanza: an element of a stream feature, or refused with this error."""

    def __init__(self, name: str) -> None:
        """`name`: its namespace and name; a stanza of another content namespace gets another error (section 4.8.3)."""
        is_foreign = name.rpartition(" ")[2] in ("message", "presence", "iq")
        condition = StreamCondition.INVALID_NAMESPACE if is_foreign else StreamCondition.UNSUPPORTED_STANZA_TYPE
        super().__init__(condition, f"no stanza here: {name}")


@cache
def _kinds(content_namespace: str) -> dict[str, tuple[Kind, bytes, int]]:
    """By element name: the kind of stanza, the beginning of its slice, and its length. Shared by all streams of a
    namespace."""
    kinds: tuple[Kind, ...] = ("message", "presence", "iq")
    return {f"{content_namespace} {kind}": (kind, f"<{kind}".encode(), len(kind) + 1) for kind in kinds}


class Stamp:
    """Stamps the stanzas of one session with its full JID, and with the stream's language if they have none."""

    __slots__ = ("_from", "_from_and_lang", "_jid", "kinds")

    def __init__(self, jid: Jid, content_namespace: str, lang: str | None = None) -> None:
        self._jid = jid
        self.kinds = _kinds(content_namespace)
        """The names of stanzas are its keys."""
        # the text between the element's name and the rest, without and with a language of the stanza's own
        self._from = opening("", jid)[1:]
        lang = lang if lang is not None and len(lang) <= MAX_LANG else None
        self._from_and_lang = self._from + (f" xml:lang={quoteattr(lang)}".encode() if lang else b"")

    def __call__(self, child: Slice) -> Stanza:
        """The stanza. Raises NotAStanza, StreamError for another sender's, MalformedTo for a bad address."""
        try:
            kind, begins, end = self.kinds[child.name]
        except KeyError:
            raise NotAStanza(child.name) from None
        attributes, raw = child.attributes, child.raw
        # after the name, lest <message:message xmlns:message=…> is taken for <message>
        if "from" in attributes or not raw.startswith(begins) or raw[end] not in _NAME_ENDS:
            raw = self._without_from(child)
        raw = b"".join((begins, self._from if _LANG in attributes else self._from_and_lang, raw[end:]))
        if len(raw) > SMALL_BYTES:
            raw = xml.canonical(raw)
        get = attributes.get
        to = get("to")
        try:
            address = None if to is None else Jid.parse(to)
        except JidError as error:
            stanza = Stanza(kind, None, self._jid, get("id"), get("type"), child.payloads, raw)
            raise MalformedTo(stanza, str(error)) from None
        return Stanza(kind, address, self._jid, get("id"), get("type"), child.payloads, raw)

    def _without_from(self, child: Slice) -> bytes:
        """The slow path of a stanza that names its sender, which must be this session."""
        claimed = child.attributes.get("from")
        if claimed is not None and not self._is_own(claimed):
            raise StreamError(StreamCondition.INVALID_FROM, f"this stream is {self._jid}, not {claimed}")
        tree = xml.parse(child.raw)
        tree.attrib.pop("from", None)
        return xml.serialize(tree)

    def _is_own(self, claimed: str) -> bool:
        try:
            return Jid.parse(claimed) in (self._jid, self._jid.bare)
        except JidError:
            return False
