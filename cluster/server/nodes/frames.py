"""What the nodes of a domain tell each other: stanzas for accounts of another node, and streams that end elsewhere."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from typing_extensions import override

from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.events import Nonza


class _Frame(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A frame is no stanza, but travels like one."""

    trace_id: ClassVar[str] = ""

    @property
    def raw(self) -> bytes:
        """The bulk of it."""
        return b""


class Deliver(_Frame, frozen=True):
    """A stanza for an account of that node, or for a component there."""

    stanza: Stanza
    place: str = ""
    """Where it is in the links to the domain, if it came over one: see `router.port.Deliver`."""

    @property
    @override
    def raw(self) -> bytes:
        return self.stanza.raw


class Remove(_Frame, frozen=True):
    """Forget this account of yours."""

    localpart: str


# --- of a stream, to the node that has its session


class Open(_Frame, frozen=True):
    """A client of yours has logged in here, and wants a resource or its former session. Bound or Refused answers."""

    stream: str
    localpart: str
    resource: str | None = None
    previd: str = ""
    h: int = 0


class Said(_Frame, frozen=True):
    """The client sent a stanza. On a managed stream it keeps it until it is acknowledged."""

    stream: str
    stanza: Stanza
    managed: bool

    @property
    @override
    def raw(self) -> bytes:
        return self.stanza.raw


class Counted(_Frame, frozen=True):
    """The client sent a stanza that was answered already; a managed stream counts it."""

    stream: str


class SaidNonza(_Frame, frozen=True):
    """The client sent what is no stanza."""

    stream: str
    nonza: Nonza


class Flow(_Frame, frozen=True):
    """The client reads, or does not."""

    stream: str
    writable: bool


class Left(_Frame, frozen=True):
    """The stream is over: by a broken connection, or by its end."""

    stream: str
    lost: bool


# --- of a stream, to the node where it ends


class Bound(_Frame, frozen=True):
    """It has its session; with the SM-ID and what was handled where that was resumed (XEP-0198)."""

    stream: str
    jid: str
    sm_id: str = ""
    handled: int = 0


class Refused(_Frame, frozen=True):
    """It cannot have that: a stanza error's condition; a stream error's where `ends`; none: no such session."""

    stream: str
    condition: str = ""
    text: str = ""
    ends: bool = False
    detail: bytes = b""
    """What the stream error says beyond its condition: an element."""
    handled: int | None = None
    """Stanzas of the client on a stream that is over."""


class Write(_Frame, frozen=True):
    """Bytes for the client."""

    stream: str
    data: bytes

    @property
    @override
    def raw(self) -> bytes:
        return self.data


class End(_Frame, frozen=True):
    """Close the stream with this error."""

    stream: str
    condition: str
    text: str


Frame = Deliver | Remove | Open | Said | SaidNonza | Counted | Flow | Left | Bound | Refused | Write | End

decode = msgspec.msgpack.Decoder(list[Frame]).decode
"""A batch of them."""
