"""The frames between the nodes of a domain: stanzas for accounts of another node, and streams that end elsewhere."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from typing_extensions import override

from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.events import InlineBind, Nonza


class _Frame(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A frame is not a stanza, but travels like one."""

    trace_id: ClassVar[str] = ""

    @property
    def raw(self) -> bytes:
        """Its largest part."""
        return b""


class Deliver(_Frame, frozen=True):
    """A stanza for an account of that node, or for a component there."""

    stanza: Stanza
    place: str = ""
    """Its place in the links to the domain, if it came over one: see `router.port.Deliver`."""

    @property
    @override
    def raw(self) -> bytes:
        return self.stanza.raw


class Remove(_Frame, frozen=True):
    """Forget this account, which the receiving node has."""

    localpart: str


# --- from the node of a stream to the node of its session


class OpenSession(_Frame, frozen=True, tag="Open"):
    """A client of the receiving node's account has logged in here, and wants a new session or its former one. The
    answer is SessionOpened or SessionRefused."""

    stream: str
    localpart: str
    wish: str | InlineBind | None = None
    """As for `SessionBinder.bind`."""
    previd: str = ""
    h: int = 0


class StanzaReceived(_Frame, frozen=True, tag="Said"):
    """The client sent a stanza. On a managed stream the client keeps it until it is acknowledged."""

    stream: str
    stanza: Stanza
    managed: bool

    @property
    @override
    def raw(self) -> bytes:
        return self.stanza.raw


class StanzaCounted(_Frame, frozen=True, tag="Counted"):
    """The client sent a stanza that was answered already; a managed stream counts it."""

    stream: str


class NonzaReceived(_Frame, frozen=True, tag="SaidNonza"):
    """The client sent an element that is not a stanza."""

    stream: str
    nonza: Nonza


class FlowControl(_Frame, frozen=True, tag="Flow"):
    """The client reads, or does not read."""

    stream: str
    writable: bool


class StreamDetached(_Frame, frozen=True, tag="Left"):
    """The stream has ended: by a broken connection, or in an orderly way."""

    stream: str
    lost: bool


# --- from the node of a session to the node of its stream


class SessionOpened(_Frame, frozen=True, tag="Bound"):
    """The stream has its session; with the SM-ID, and the count of handled stanzas of a resumed one (XEP-0198)."""

    stream: str
    jid: str
    sm_id: str = ""
    handled: int = 0
    managed: bool = False
    """Its stanzas are counted, also where it cannot be resumed."""
    answer: bytes = b""
    """As `SessionPort.answer`."""


class SessionRefused(_Frame, frozen=True, tag="Refused"):
    """The request is refused: a stanza error's condition; a stream error's if `ends`; none if there is no such
    session."""

    stream: str
    condition: str = ""
    text: str = ""
    ends: bool = False
    detail: bytes = b""
    """An element of the stream error besides its condition."""
    handled: int | None = None
    """The count of the client's stanzas on an ended stream."""


class WriteBytes(_Frame, frozen=True, tag="Write"):
    """Bytes for the client."""

    stream: str
    data: bytes

    @property
    @override
    def raw(self) -> bytes:
        return self.data


class EndStream(_Frame, frozen=True, tag="End"):
    """Close the stream with this error."""

    stream: str
    condition: str
    text: str


OfClient = StanzaReceived | NonzaReceived | StanzaCounted | FlowControl
"""What a client does on its stream."""
Frame = (
    Deliver | Remove | OpenSession | OfClient | StreamDetached | SessionOpened | SessionRefused | WriteBytes | EndStream
)

decode = msgspec.msgpack.Decoder(list[Frame]).decode
"""Decodes a batch."""
