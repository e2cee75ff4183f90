"""What the two sides of a stream between servers tell of it."""

from __future__ import annotations

import msgspec

from cluster.xmpp.errors import StanzaError
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.events import Closed, Misaddressed, ResumeRequested, TlsWanted
from cluster.xmpp.streams.servers.dialback import Pair, Verification


class Acknowledged(msgspec.Struct, frozen=True):
    """The `count` oldest unacknowledged stanzas are safe with the peer."""

    count: int


class AcknowledgementWanted(msgspec.Struct, frozen=True):
    """The peer asks how many of its stanzas are handled; `tell` answers."""


class Opened(msgspec.Struct, frozen=True):
    """Stanzas may be sent from now on."""

    how: str
    """For the log: EXTERNAL or dialback."""
    is_resumed: bool = False
    """The former stream was resumed: its unacknowledged stanzas are sent again."""
    acknowledged: int = 0
    """How many more stanzas of the former stream are safe with the peer, the oldest first."""


class Verified(msgspec.Struct, frozen=True):
    """The authoritative server's answer to a verification."""

    outcome: bool | StanzaError


class VerifyWanted(msgspec.Struct, frozen=True):
    """Ask the authoritative server of the sender domain whether the key is its own, then call `verified`."""

    verification: Verification


class Authenticated(msgspec.Struct, frozen=True):
    """The peer may send stanzas of this pair."""

    pair: Pair
    how: str
    """For the log: EXTERNAL or dialback."""


class ManagementStarted(msgspec.Struct, frozen=True):
    """XEP-0198 is enabled: `management` has the counts."""


InitiatingEvent = TlsWanted | Opened | Acknowledged | Verified | Stanza | Misaddressed | AcknowledgementWanted | Closed
ReceivingEvent = (
    Stanza | Misaddressed | TlsWanted | VerifyWanted | Authenticated | ManagementStarted | ResumeRequested
    | AcknowledgementWanted | Acknowledged | Closed
)  # fmt: skip
