"""Common to both sides of a stream between servers."""

from __future__ import annotations

from collections.abc import Collection, Container
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition, StreamError
from cluster.xmpp.jid import Jid
from cluster.xmpp.limits import CARRIED, Limits, too_large
from cluster.xmpp.namespaces import DIALBACK, SERVER, STREAM_ERRORS, STREAM_LIMITS, STREAMS
from cluster.xmpp.parser import Slice, StreamHeader
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.content_namespace import out_of_stream
from cluster.xmpp.streams.events import Misaddressed
from cluster.xmpp.streams.servers import dialback
from cluster.xmpp.streams.servers.certificate import PeerCertificate
from cluster.xmpp.streams.servers.dialback import Pair
from cluster.xmpp.streams.servers.events import Acknowledged, AcknowledgementWanted
from cluster.xmpp.streams.sm import StreamManagement, Unacknowledged, read_count
from cluster.xmpp.streams.stamp import MalformedTo
from cluster.xmpp.streams.stream import Stream
from cluster.xmpp.streams.stream_options import TlsMode

E = TypeVar("E")

MAX_TOLD = 256
"""Characters of what a peer wrote that logs and senders are told: thousands of stanzas may come back with it."""
STRANGER = Limits(16_384, 16, 256)
"""Limits of one element from a peer that is not authenticated."""


class ServerState(StrEnum):
    """The state of a stream between servers."""

    OPENING = "opening"
    """Waits for the peer's stream header: the first one, or that of a restart."""
    NEGOTIATING = "negotiating"
    """Stream headers are exchanged; nobody is authenticated yet."""
    SECURING = "securing"
    """The TLS handshake is under way."""
    OPEN = "open"
    """Stanzas of at least one pair may flow."""
    CLOSED = "closed"


@dataclass(frozen=True)
class ServerOptions:
    """The settings of a server's streams with servers of other domains."""

    tls: TlsMode
    """`required`: before TLS only STARTTLS is possible, and a peer without TLS gets no stream."""
    secret: str
    """The secret of its dialback keys: the same at all nodes of the domain (XEP-0185 section 3)."""
    idle_s: int
    """How long a stream may be silent, as XEP-0478 tells the peer."""
    limits: Limits = CARRIED
    """Limits of each stanza."""
    peers: Container[str] | None = None
    """The only domains that may authenticate here; None: all that prove their identity."""


def header(pair: Pair, id: str = "", version: bool = True) -> bytes:
    """A stream header from and to the domains of `pair`, if known. Only the receiving side has an `id`."""
    named = (("from", pair.from_), ("to", pair.to), ("id", id), ("version", "1.0" if version else ""))
    attributes = "".join(f" {name}={quoteattr(value)}" for name, value in named if value)
    return (
        f"<?xml version='1.0'?><stream:stream{attributes} xml:lang='en' "
        f"xmlns='{SERVER}' xmlns:stream='{STREAMS}' xmlns:db='{DIALBACK}'>"
    ).encode()


def check(header: StreamHeader) -> None:
    """Raises StreamError if this is not the header of a stream between servers."""
    if header.content_namespace != SERVER:
        raise StreamError(StreamCondition.INVALID_NAMESPACE, f"the content namespace here is {SERVER}")


def has_features(header: StreamHeader | None) -> bool:
    """The peer supports stream features: its version is 1.0 or later (RFC 6120 section 4.7.5)."""
    major = (header.version or "").partition(".")[0].lstrip("0") if header is not None else ""
    return major.isascii() and major.isdigit()


def limits_offered(options: ServerOptions) -> str:
    """The stream feature with the limits of the receiving side (XEP-0478)."""
    return (
        f"<limits xmlns='{STREAM_LIMITS}'><max-bytes>{options.limits.max_bytes}</max-bytes>"
        f"<idle-seconds>{options.idle_s}</idle-seconds></limits>"
    )


class ServerStream(Stream[E]):
    """One side of a stream between servers.

    Stanzas go from the initiating side to the receiving one, and both ways if the stream is bidirectional (XEP-0288).
    """

    CLOSED = ServerState.CLOSED

    def __init__(self, options: ServerOptions, served: Collection[str]) -> None:
        """`served`: the domains of this side, the server's own first."""
        super().__init__(STRANGER)
        self.options = options
        self._served = tuple(served)
        self.pairs: dict[Pair, None] = {}
        """Those whose stanzas the peer may send."""
        self.is_bidirectional = False
        self.max_bytes = 0
        """The longest stanza that the peer accepts (XEP-0478); 0 if it does not say."""
        self.failure: StanzaError | None = None
        """The error for senders if the peer refused this side's stanzas for good; None if another attempt may succeed.
        """
        self.state: ServerState = ServerState.OPENING
        self.secure = self.direct_tls = False
        self.management: StreamManagement | None = None
        """The counts of XEP-0198, once it is enabled."""
        self.condition = ""
        """The condition of the peer's stream error; empty if there was none."""

    @property
    def secured(self) -> str:
        """For the log."""
        return "in clear" if not self.secure else "direct TLS" if self.direct_tls else "TLS"

    def _own_header(self) -> bytes:
        raise NotImplementedError

    def tls_started(self, certificate: PeerCertificate) -> None:
        """TLS is up: the stream begins anew."""
        raise NotImplementedError

    def written(self, stanzas: list[Stanza]) -> bytes:
        """Count these stanzas, written now as `into_stream` makes them. Returns the bytes to write after them."""
        return self.management.sent([Unacknowledged(each, 0.0) for each in stanzas]) if self.management else b""

    def tell(self, handled: int) -> None:
        """`handled` of the peer's stanzas are safe, even if this process is killed now: acknowledge them."""
        if self.management is not None and self.state is not ServerState.CLOSED:
            self._output.append(self.management.tell(handled))

    def _allow(self, pair: Pair) -> None:
        """The peer may send stanzas of this pair from now on."""
        self.pairs[pair] = None
        self._parser.allow(self.options.limits)

    def _say_whose_key(self, child: Slice, refusal: StanzaError | None = None) -> None:
        """Answer the peer's `<db:verify/>`: whether a key is this server's (XEP-0220 section 2.2.2)."""
        asked, id, key = dialback.pair_of(child), child.attributes.get("id", ""), dialback.key_of(child)
        outcome: bool | StanzaError
        if refusal is not None:
            outcome = refusal
        elif asked.to not in self._served:
            outcome = StanzaError(Condition.ITEM_NOT_FOUND, f"{asked.to} is not served here")
        else:
            outcome = dialback.is_key(key, self.options.secret, asked.reverse, id)
        self._output.append(dialback.answer("verify", asked, outcome, id))

    def _on_stanza(self, child: Slice) -> Stanza | Misaddressed:
        if not self.pairs:  # RFC 6120 section 4.9.3.12
            name = child.name.rpartition(" ")[2]
            raise StreamError(StreamCondition.NOT_AUTHORIZED, f"{name} before the stream is authenticated")
        try:
            stanza = out_of_stream(child, SERVER)
        except MalformedTo as malformed:
            return self._malformed(malformed)
        assert stanza.from_ is not None
        assert stanza.to is not None
        if (stanza.from_.domainpart, stanza.to.domainpart) not in self.pairs:
            raise self._not_of_pair(stanza.from_, stanza.to)
        if len(stanza.raw) > self.options.limits.max_bytes:  # written without prefixes or CDATA it is longer
            return Misaddressed(stanza, too_large(len(stanza.raw)))
        return stanza

    def _not_of_pair(self, from_: Jid, to: Jid) -> StreamError:
        if to.domainpart not in self._served:  # RFC 6120 section 4.9.3.6
            return StreamError(StreamCondition.HOST_UNKNOWN, f"{to.domainpart} is not served here")
        return StreamError(
            StreamCondition.INVALID_FROM, f"not authenticated: {from_.domainpart} to {to.domainpart}"
        )  # section 4.9.3.9

    def _malformed(self, malformed: MalformedTo) -> Misaddressed:
        from_ = malformed.stanza.from_
        to = next((pair.to for pair in self.pairs if from_ is not None and pair.from_ == from_.domainpart), None)
        if to is None:
            raise StreamError(StreamCondition.INVALID_FROM, f"not authenticated: {from_}")
        stanza = msgspec.structs.replace(malformed.stanza, to=Jid("", to))
        return Misaddressed(stanza, StanzaError(Condition.JID_MALFORMED, malformed.text))

    def _on_request(self, child: Slice) -> AcknowledgementWanted:
        """The peer's `<r/>` (XEP-0198 section 4)."""
        if self.management is None:
            raise StreamError(StreamCondition.UNSUPPORTED_STANZA_TYPE, f"not expected here: {child.name}")
        self.management.asked()
        return AcknowledgementWanted()

    def _on_peers_error(self, child: Slice) -> str:
        """The peer's stream error, as `str(StreamError)` writes it."""
        tree = xml.parse(child.raw)
        names = [xml.split(each.tag)[1] for each in tree if xml.split(each.tag)[0] == STREAM_ERRORS]
        named = next((name for name in names if name != "text"), StreamCondition.UNDEFINED_CONDITION)
        self.condition = named[:MAX_TOLD]
        text = xml.text_of(tree, f"{{{STREAM_ERRORS}}}text")
        return f"{self.condition}: {text}"[:MAX_TOLD] if text else self.condition

    def _count_in(self, child: Slice) -> int:
        try:
            return read_count(child.attributes.get("h"))
        except ValueError as error:
            raise StreamError(StreamCondition.BAD_FORMAT, str(error)) from None

    def _acknowledged(self, child: Slice) -> Acknowledged | None:
        """The peer's `<a/>` (XEP-0198 section 4)."""
        management = self.management
        if management is None:
            raise StreamError(StreamCondition.UNSUPPORTED_STANZA_TYPE, f"not expected here: {child.name}")
        before = management.unacknowledged
        self._output.append(management.acknowledged(self._count_in(child)))
        count = before - management.unacknowledged
        return Acknowledged(count) if count else None
