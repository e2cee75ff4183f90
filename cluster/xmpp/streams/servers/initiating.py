"""The initiating side of a stream between servers: it authenticates for a domain and sends that domain's stanzas."""

from __future__ import annotations

from collections.abc import Callable

from cluster.base import reasons
from cluster.base.reasons import Reason
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition, StreamError
from cluster.xmpp.namespaces import (
    BIDI,
    BIDI_FEATURE,
    DIALBACK,
    DIALBACK_FEATURE,
    SASL,
    SM,
    STREAM_LIMITS,
    STREAMS,
    TLS,
)
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.events import Closed, TlsWanted
from cluster.xmpp.streams.login import condition_of
from cluster.xmpp.streams.servers import dialback
from cluster.xmpp.streams.servers.certificate import NO_CERTIFICATE, PeerCertificate
from cluster.xmpp.streams.servers.dialback import Pair, Verification
from cluster.xmpp.streams.servers.events import Acknowledged, InitiatingEvent, Opened, Verified
from cluster.xmpp.streams.servers.stream import (
    MAX_TOLD,
    ServerOptions,
    ServerState,
    ServerStream,
    check,
    has_features,
    header,
)
from cluster.xmpp.streams.sm import StreamManagement

NO_SUCH_DOMAIN = frozenset({StreamCondition.HOST_UNKNOWN, StreamCondition.HOST_GONE})
"""Stream errors by which a peer says that it does not serve the domain."""
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
"""Stream errors after which a further attempt may succeed."""


class InitiatingServerStream(ServerStream[InitiatingEvent]):
    """One stream to another server, for one pair: to send its stanzas, or only to have a key verified.

    It prefers EXTERNAL, which needs TLS and a certificate that is valid for the peer's domain. If that is not possible,
    or the peer refuses it, dialback follows.
    """

    def __init__(
        self,
        pair: Pair,
        options: ServerOptions,
        *,
        verification: Verification | None = None,
        former: StreamManagement | None = None,
        direct_tls: bool = False,
        bidirectional: bool = False,
    ) -> None:
        """`verification`: ask for this, and nothing else. `former`: the counts of the stream to resume. `direct_tls`:
        the connection begins with TLS (XEP-0368); `tls_started` follows. `bidirectional`: take the peer's stanzas over
        this stream, too, if it offers that (XEP-0288).
        """
        super().__init__(options, (pair.from_,))
        self._pair = pair
        self._verification = verification
        self._former = former
        self._wants_both_ways = bidirectional
        self._header: StreamHeader | None = None
        self._features = Element("none")
        self._certificate: PeerCertificate = NO_CERTIFICATE
        self._how = ""
        self._is_restarted = False
        self.warning = ""
        """Why the peer is not authenticated, though the stream goes on."""
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
        """The name of the element that answers the last request; empty if none is open."""
        self.direct_tls = direct_tls
        if direct_tls:
            self.state = ServerState.SECURING
        else:
            self._open_if_needed()

    def tls_started(self, certificate: PeerCertificate) -> None:
        """TLS is up: restart the stream, and drop what came in clear (RFC 6120 section 5.4.3.3)."""
        if self.state is ServerState.SECURING:
            self.secure, self._certificate = True, certificate
            self.warning = certificate.why_not(self._pair.to)
            self._waiting = False
            self._reopen()

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
        if handler is None and self.pairs:
            return self._on_stanza(child)
        if handler is None:  # the peer sends its own stanzas on a stream of its own (RFC 6120 section 4.5)
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
        """The server predates XMPP 1.0: it supports only dialback (RFC 3920 section 8)."""
        if self.options.tls == "required":
            return self._give_up("the peer does not know TLS, which is required here")
        return self._dial()

    def _on_features(self, child: Slice) -> InitiatingEvent | None:
        if self.state is not ServerState.NEGOTIATING or self._expected:
            return None  # features out of place change nothing
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
        if self._wants_both_ways and features.find(f"{{{BIDI_FEATURE}}}bidi") is not None:
            self._output.append(f"<bidi xmlns='{BIDI}'/>".encode())
            self.is_bidirectional, self._former = True, None  # it is not resumed: see the receiving side
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
        """Raises StreamError if the open request does not expect this answer."""
        if not self._expected or self._expected not in (child.name, *others):
            raise StreamError(StreamCondition.UNSUPPORTED_STANZA_TYPE, f"not expected here: {child.name}")
        self._expected = ""

    def _give_up(
        self, why: str, condition: Condition = Condition.REMOTE_SERVER_TIMEOUT, reason: Reason = reasons.NO_STREAM
    ) -> Closed:
        """Close the stream; no other attempt for this pair would succeed."""
        self.failure = StanzaError(condition, f"{self._pair.to}: {why}", reason=reason)
        return self.close(why)

    def _on_error(self, child: Slice) -> Closed:
        """RFC 6120 section 4.9. An error before the stream is open would end the next one too, if not transient."""
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
        self._both_ways()

    def _on_failure(self, child: Slice) -> InitiatingEvent | None:
        """The peer may take dialback instead (XEP-0178 section 3 step 11)."""
        self._answers(child, f"{SASL} success")
        why = ": ".join(filter(None, condition_of(xml.parse(child.raw))))
        self.warning = f"EXTERNAL was refused: {why[:MAX_TOLD]}"
        return self._dial()

    def _both_ways(self) -> None:
        """This side is known to the peer, which may send stanzas of the reverse pair now (XEP-0288 section 2.2).

        The peer is who the addresses and the certificate say, as for a dialback key that is verified with it.
        """
        if self.is_bidirectional:
            self._allow(self._pair.reverse)

    # --- dialback

    def _dial(self) -> InitiatingEvent | None:
        """Send a key (XEP-0220 section 2.1.1), or have one verified (section 2.1.2)."""
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
        if "type" not in child.attributes and self.pairs:  # XEP-0288 section 2.2: it may; an error ends nothing
            text = "open a stream of your own for this pair"
            error = StanzaError(Condition.POLICY_VIOLATION, text)
            self._output.append(dialback.answer("result", dialback.pair_of(child), error))
            return None
        if self._expected != dialback.RESULT or dialback.pair_of(child) != self._pair.reverse:
            raise dialback.unasked(child)
        if "type" not in child.attributes:  # the peer must send its own key on a stream that it opens
            raise dialback.unasked(child)
        self._expected = ""
        outcome = dialback.outcome_of(child)
        if outcome is True:
            self._how = "dialback"
            self._both_ways()
            return self._manage()
        if outcome is False:  # section 2.1.1
            why = "dialback says that the key is not valid"
            return self._give_up(why, Condition.INTERNAL_SERVER_ERROR, reasons.KEY_REFUSED)
        assert isinstance(outcome, StanzaError)
        why = f"dialback failed: {outcome.condition}"
        if outcome.condition is Condition.RESOURCE_CONSTRAINT:  # section 2.5: another connection may succeed
            return self.close(why)
        return self._give_up(why)

    def _on_verify(self, child: Slice) -> InitiatingEvent | None:
        if "type" not in child.attributes and self.pairs:  # a key of another stream of this server
            self._say_whose_key(child)
            return None
        asked = self._verification
        is_asked = asked is not None and self._expected == dialback.VERIFY
        if asked is None or not is_asked or child.attributes.get("id") != asked.id:
            raise dialback.unasked(child)
        if dialback.pair_of(child) != asked.pair or "type" not in child.attributes:
            raise dialback.unasked(child)
        self._expected = ""
        outcome = dialback.outcome_of(child)
        if isinstance(outcome, StanzaError):  # section 2.5
            text = f"{asked.pair.from_} answers {outcome.condition}"
            outcome = StanzaError(Condition.REMOTE_SERVER_NOT_FOUND, text)
        return Verified(outcome)

    # --- stream management

    def _manage(self) -> InitiatingEvent | None:
        """Resume the former stream or enable a new one, if the peer offers XEP-0198."""
        if self._features.find(f"{{{SM}}}sm") is None:
            return self._open()
        former = self._former
        if former is not None and former.id:
            previd = quoteattr(former.id)
            self._ask(f"<resume xmlns='{SM}' previd={previd} h='{former.handled}'/>", f"{SM} resumed")
        else:
            resume = "" if self.is_bidirectional else " resume='true'"
            self._ask(f"<enable xmlns='{SM}'{resume}/>", f"{SM} enabled")
        return None

    def _open(self, acknowledged: int = 0) -> InitiatingEvent:
        self.state = ServerState.OPEN
        is_resumed = self.management is not None and self.management is self._former
        return Opened(self._how, is_resumed, acknowledged)

    def _settled_late(self, child: Slice, former: StreamManagement) -> int:
        """How many more stanzas of the former stream the peer had handled. An invalid count gives up that stream."""
        before = former.unacknowledged
        try:
            former.acknowledged(self._count_in(child))
        except StreamError:
            former.give_up()
            raise
        return before - former.unacknowledged

    def _on_enabled(self, child: Slice) -> InitiatingEvent:
        self._answers(child)
        is_resumable = not self.is_bidirectional and child.attributes.get("resume") in ("true", "1")
        self.management = StreamManagement(child.attributes.get("id", "") if is_resumable else "")
        return self._open()

    def _on_resumed(self, child: Slice) -> InitiatingEvent:
        self._answers(child)
        former = self._former
        assert former is not None
        if not former.is_resumable:
            return self.close("the stream to resume was given up meanwhile")
        count = self._settled_late(child, former)
        self.management = former
        self._output.append(former.resend())
        return self._open(count)

    def _on_management_failed(self, child: Slice) -> InitiatingEvent | None:
        """The peer cannot resume the former stream, or does not enable a new one."""
        self._answers(child, f"{SM} resumed", f"{SM} enabled")
        former, self._former = self._former, None
        if former is None:
            return self._open()
        count = self._settled_late(child, former) if "h" in child.attributes and former.is_resumable else 0
        self._manage()  # without a former stream, that is one more request
        return Acknowledged(count) if count else None
