"""The initiating side of a stream between servers: it proves for whom it speaks, and then sends that one's stanzas."""

from __future__ import annotations

from collections.abc import Callable
from xml.sax.saxutils import quoteattr

import msgspec

from cluster.base import reasons
from cluster.base.reasons import Reason
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition, StreamError
from cluster.xmpp.namespaces import DIALBACK, DIALBACK_FEATURE, SASL, SM, STREAM_LIMITS, STREAMS, TLS
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.events import Closed, TlsWanted
from cluster.xmpp.streams.login import condition_of
from cluster.xmpp.streams.servers import dialback
from cluster.xmpp.streams.servers.certificate import NO_CERTIFICATE, PeerCertificate
from cluster.xmpp.streams.servers.dialback import Pair, Verification
from cluster.xmpp.streams.servers.stream import (
    Acknowledged,
    ServerOptions,
    ServerState,
    ServerStream,
    check,
    has_features,
    header,
)
from cluster.xmpp.streams.sm import StreamManagement, Unacknowledged

NO_SUCH_DOMAIN = frozenset({StreamCondition.HOST_UNKNOWN, StreamCondition.HOST_GONE})
"""By which a peer says that there is none."""
TRANSIENT = frozenset(
    {
        StreamCondition.CONFLICT,
        StreamCondition.CONNECTION_TIMEOUT,
        StreamCondition.INTERNAL_SERVER_ERROR,
        StreamCondition.REMOTE_CONNECTION_FAILED,
        StreamCondition.RESET,
        StreamCondition.RESOURCE_CONSTRAINT,
        StreamCondition.SYSTEM_SHUTDOWN,
        StreamCondition.UNDEFINED_CONDITION,
    }
)
"""After these a stream may be opened that another one could not be."""


class Opened(msgspec.Struct, frozen=True):
    """Stanzas may be sent."""

    how: str
    """For the log: EXTERNAL or dialback."""
    is_resumed: bool = False
    """The former stream goes on: what of it was not acknowledged is written again."""
    acknowledged: int = 0
    """So many more stanzas of the former stream are safe, the oldest first."""


class Verified(msgspec.Struct, frozen=True):
    """What the authoritative server says of a key."""

    outcome: bool | StanzaError


InitiatingEvent = TlsWanted | Opened | Acknowledged | Verified | Closed


class InitiatingServerStream(ServerStream[InitiatingEvent]):
    """One stream to another server, for one pair: to send its stanzas, or only to have a key verified.

    It never gives up a better way for a worse one, but where the better one fails: EXTERNAL needs TLS and a certificate
    of the peer that speaks for it; all else is dialback.
    """

    def __init__(
        self,
        pair: Pair,
        options: ServerOptions,
        *,
        verification: Verification | None = None,
        former: StreamManagement | None = None,
    ) -> None:
        """`verification`: ask for this, and nothing else. `former`: of the stream before, which is to go on."""
        super().__init__(options)
        self._pair = pair
        self._verification = verification
        self._former = former
        self._header: StreamHeader | None = None
        self._features = Element("none")
        self._certificate: PeerCertificate = NO_CERTIFICATE
        self._how = ""
        self._is_restarted = False
        self.max_bytes = 0
        """What the peer takes (XEP-0478); 0 where it does not say."""
        self.failure: StanzaError | None = None
        """What senders are told where the peer has refused this pair for good; None where another try may succeed."""
        self.warning = ""
        """Why the peer is not known to be who it is meant to be, though the stream goes on."""
        self._handlers: dict[str, Callable[[Slice], InitiatingEvent | None]] = {
            f"{STREAMS} features": self._on_features,
            f"{STREAMS} error": self._on_error,
            f"{TLS} proceed": self._on_proceed,
            f"{TLS} failure": lambda child: self._give_up("the peer refuses TLS"),
            f"{SASL} success": self._on_success,
            f"{SASL} failure": self._on_failure,
            dialback.RESULT: self._on_result,
            dialback.VERIFY: self._on_verify,
            f"{SM} enabled": self._on_enabled,
            f"{SM} resumed": self._on_resumed,
            f"{SM} failed": self._on_management_failed,
            f"{SM} a": self._acknowledged,
            f"{SM} r": self._on_request,
        }
        self._expected = ""
        """Name of the element that answers what was sent last."""
        self._open_if_needed()

    def tls_started(self, certificate: PeerCertificate) -> None:
        """TLS is up. What came before must not count as said under TLS (RFC 6120 section 5.4.3.3)."""
        if self.state is ServerState.SECURING:
            self.secure, self._certificate = True, certificate
            self.warning = certificate.why_not(self._pair.to)
            self._waiting = False
            self._reopen()

    def written(self, stanzas: list[Stanza]) -> bytes:
        """These stanzas are written now, as `into_stream` makes them: the bytes that go behind them."""
        return self.management.sent([Unacknowledged(each, 0.0) for each in stanzas]) if self.management else b""

    # --- the stream

    def _reopen(self) -> None:
        self._header_sent = False
        self._restart()
        self.state = ServerState.OPENING
        self._open_if_needed()

    def _own_header(self) -> bytes:
        return header(self._pair)

    def _handle(self, child: StreamHeader | Slice | StreamEnd) -> InitiatingEvent | None:
        if isinstance(child, StreamHeader):
            return self._on_header(child)
        if isinstance(child, StreamEnd):
            return self.close()
        handler = self._handlers.get(child.name)
        if handler is None:  # the peer sends its own stanzas on a stream of its own (RFC 6120 section 4.3.1)
            raise StreamError(StreamCondition.NOT_AUTHORIZED, f"not expected here: {child.name[:256]}")
        return handler(child)

    def _on_header(self, opened: StreamHeader) -> InitiatingEvent | None:
        check(opened)
        self._header = opened
        self.state = ServerState.NEGOTIATING
        if has_features(opened):
            return None
        return self._without_features()

    def _without_features(self) -> InitiatingEvent | None:
        """A server of before XMPP 1.0: dialback is all that it can (RFC 3920 section 8)."""
        if self.options.tls == "required":
            return self._give_up("the peer does not know TLS, which is required here")
        return self._dial()

    def _on_features(self, child: Slice) -> InitiatingEvent | None:
        if self.state is not ServerState.NEGOTIATING or self._expected:
            return None  # of the peer, amid something else: it changes nothing
        self._features = features = xml.parse(child.raw)
        self._note_limits(features)
        if self.options.tls != "off" and not self.secure:
            if features.find(f"{{{TLS}}}starttls") is not None:
                self._ask(f"<starttls xmlns='{TLS}'/>", f"{TLS} proceed")
                return None
            if self.options.tls == "required":
                return self._give_up("the peer does not offer TLS, which is required here")
        if self._is_restarted:
            return self._manage()
        if self._verification is None and self._may_log_in(features):
            authzid = sasl.encode(self._pair.from_)  # XEP-0178 section 3: for peers that rely on it
            self._ask(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>{authzid}</auth>", f"{SASL} success")
            return None
        return self._dial()

    def _note_limits(self, features: Element) -> None:
        text = features.findtext(f"{{{STREAM_LIMITS}}}limits/{{{STREAM_LIMITS}}}max-bytes") or ""
        self.max_bytes = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0

    def _may_log_in(self, features: Element) -> bool:
        offered = {mechanism.text for mechanism in features.iter(f"{{{SASL}}}mechanism")}
        return self.secure and "EXTERNAL" in offered and not self.warning

    def _ask(self, request: str, expected: str) -> None:
        self._output.append(request.encode())
        self._expected = expected

    def _answers(self, child: Slice, *others: str) -> None:
        """Raises StreamError for the answer to what was not asked."""
        if not self._expected or self._expected not in (child.name, *others):
            raise StreamError(StreamCondition.UNSUPPORTED_STANZA_TYPE, f"not expected here: {child.name}")
        self._expected = ""

    def _give_up(
        self, why: str, condition: Condition = Condition.REMOTE_SERVER_TIMEOUT, reason: Reason = reasons.NO_STREAM
    ) -> Closed:
        """This pair cannot have a stream."""
        self.failure = StanzaError(condition, f"{self._pair.to}: {why}", reason=reason)
        return self.close(why)

    def _on_error(self, child: Slice) -> Closed:
        """RFC 6120 section 4.9. What refuses a stream that was not open yet would refuse the next one too."""
        reason = self._on_peers_error(child)
        if self.condition in NO_SUCH_DOMAIN:
            self.failure = StanzaError(
                Condition.REMOTE_SERVER_NOT_FOUND, f"{self._pair.to} says {reason}", reason=reasons.NO_DOMAIN
            )
        elif self.state is not ServerState.OPEN and self.condition not in TRANSIENT:
            self.failure = StanzaError(
                Condition.REMOTE_SERVER_TIMEOUT, f"{self._pair.to} says {reason}", reason=reasons.NO_STREAM
            )
        return self.close(reason)

    # --- TLS and SASL

    def _on_proceed(self, child: Slice) -> InitiatingEvent:
        self._answers(child)
        self.state, self._waiting = ServerState.SECURING, True
        return TlsWanted()

    def _on_success(self, child: Slice) -> None:
        self._answers(child)
        self._how, self._is_restarted = "EXTERNAL", True
        self._reopen()

    def _on_failure(self, child: Slice) -> InitiatingEvent | None:
        """The peer may take dialback instead (XEP-0178 section 3 step 11)."""
        self._answers(child, f"{SASL} success")
        self.warning = f"EXTERNAL was refused: {': '.join(filter(None, condition_of(xml.parse(child.raw))))}"
        return self._dial()

    # --- dialback

    def _dial(self) -> InitiatingEvent | None:
        """Ask the peer to call back (XEP-0220 section 2.1.1), or whether it knows the key (section 2.1.2)."""
        opened = self._header
        assert opened is not None
        knows = DIALBACK in opened.namespaces or self._features.find(f"{{{DIALBACK_FEATURE}}}dialback") is not None
        if not knows and has_features(opened):
            return self._give_up(self.warning or "the peer offers neither EXTERNAL nor dialback")
        asked = self._verification
        if asked is not None:
            self._expected = dialback.VERIFY
            self._output.append(dialback.request("verify", asked.pair.reverse, asked.key, asked.id))
        elif not opened.id:
            raise StreamError(StreamCondition.BAD_FORMAT, "a stream header without an id")
        else:
            self._expected = dialback.RESULT
            key = dialback.key(self.options.secret, self._pair, opened.id)
            self._output.append(dialback.request("result", self._pair, key))
        return None

    def _on_result(self, child: Slice) -> InitiatingEvent | None:
        if self._expected != dialback.RESULT or dialback.pair_of(child) != self._pair.reverse:
            raise dialback.unasked(child)
        if "type" not in child.attributes:  # a key of the peer's, which has to come on a stream of its own
            raise dialback.unasked(child)
        self._expected = ""
        outcome = dialback.outcome_of(child)
        if outcome is True:
            self._how = "dialback"
            return self._manage()
        if outcome is False:  # section 2.1.1
            why = "dialback says that the key is not valid"
            return self._give_up(why, Condition.INTERNAL_SERVER_ERROR, reasons.KEY_REFUSED)
        assert isinstance(outcome, StanzaError)
        return self._give_up(f"dialback failed: {outcome.condition}")

    def _on_verify(self, child: Slice) -> InitiatingEvent | None:
        asked = self._verification
        is_asked = asked is not None and self._expected == dialback.VERIFY
        if asked is None or not is_asked or child.attributes.get("id") != asked.id:
            raise dialback.unasked(child)
        if dialback.pair_of(child) != asked.pair or "type" not in child.attributes:
            raise dialback.unasked(child)
        self._expected = ""
        return Verified(dialback.outcome_of(child))

    # --- stream management

    def _manage(self) -> InitiatingEvent | None:
        """XEP-0198, where the peer offers it: with the stream before this one, if it may go on."""
        if self._features.find(f"{{{SM}}}sm") is None:
            return self._open()
        former = self._former
        if former is not None and former.id:
            previd = quoteattr(former.id)
            self._ask(f"<resume xmlns='{SM}' previd={previd} h='{former.handled}'/>", f"{SM} resumed")
        else:
            self._ask(f"<enable xmlns='{SM}' resume='true'/>", f"{SM} enabled")
        return None

    def _open(self, acknowledged: int = 0) -> InitiatingEvent:
        self.state = ServerState.OPEN
        is_resumed = self.management is not None and self.management is self._former
        return Opened(self._how, is_resumed, acknowledged)

    def _settled_late(self, child: Slice, former: StreamManagement) -> int:
        """What the peer had handled of the former stream, and could not say; nonsense ends that one too."""
        before = former.unacknowledged
        try:
            former.acknowledged(self._count_in(child))
        except StreamError:
            former.give_up()
            raise
        return before - former.unacknowledged

    def _on_enabled(self, child: Slice) -> InitiatingEvent:
        self._answers(child)
        is_resumable = child.attributes.get("resume") in ("true", "1")
        self.management = StreamManagement(child.attributes.get("id", "") if is_resumable else "")
        return self._open()

    def _on_resumed(self, child: Slice) -> InitiatingEvent:
        self._answers(child)
        former = self._former
        assert former is not None
        if not former.is_resumable:
            return self.close("what was to be resumed was given up meanwhile")
        count = self._settled_late(child, former)
        self.management = former
        self._output.append(former.resend())
        return self._open(count)

    def _on_management_failed(self, child: Slice) -> InitiatingEvent | None:
        """There is no former stream any more, or the peer wants none at all."""
        self._answers(child, f"{SM} resumed", f"{SM} enabled")
        former, self._former = self._former, None
        if former is None:
            return self._open()
        count = self._settled_late(child, former) if "h" in child.attributes and former.is_resumable else 0
        self._manage()  # without a former stream, that is one more request
        return Acknowledged(count) if count else None

    def _on_request(self, child: Slice) -> None:
        """Of what the peer sends here, which is nothing."""
        self._output.append(f"<a xmlns='{SM}' h='0'/>".encode())
