"""The receiving side of a stream between servers: it authenticates the peer's domains and accepts their stanzas."""

from __future__ import annotations

from collections.abc import Callable, Collection

from cluster.xmpp import element as xml
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition, StreamError
from cluster.xmpp.namespaces import BIDI, BIDI_FEATURE, SASL, SM, STREAMS, TLS
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader
from cluster.xmpp.streams import sasl, sm
from cluster.xmpp.streams.events import ResumeRequested, TlsWanted
from cluster.xmpp.streams.login import MAX_LOGIN_TRIES
from cluster.xmpp.streams.servers import dialback
from cluster.xmpp.streams.servers.certificate import NO_CERTIFICATE, PeerCertificate
from cluster.xmpp.streams.servers.dialback import Pair, Verification, domain_of
from cluster.xmpp.streams.servers.events import (
    Authenticated,
    ManagementStarted,
    ReceivingEvent,
    VerifyWanted,
)
from cluster.xmpp.streams.servers.stream import ServerOptions, ServerState, ServerStream, check, has_features, header
from cluster.xmpp.streams.servers.stream import limits_offered as limits
from cluster.xmpp.streams.sm import StreamManagement

_TLS_FIRST = "TLS comes first here"
MAX_PAIRS = 64
"""Pairs on one stream, authenticated or being verified; a peer with more opens another stream."""


class ReceivingServerStream(ServerStream[ReceivingEvent]):
    """The protocol of one stream that another server opened, without I/O."""

    def __init__(
        self, domains: Collection[str], options: ServerOptions, new_id: Callable[[], str], resume_s: float
    ) -> None:
        """`domains`: those served here, the server's own first. `new_id` gives unpredictable ids (RFC 6120 section
        4.7.3). `resume_s`: how long after a break the peer may resume the stream; 0: never.
        """
        super().__init__(options, domains)
        self._new_id = new_id
        self._resume_s = resume_s
        self.id = ""
        self._asked: dict[Pair, str] = {}
        """Dialback keys that are being verified."""
        self._header: StreamHeader | None = None
        self._from = self._to = ""
        self._certificate: PeerCertificate = NO_CERTIFICATE
        self._external = ""
        """The domain that logged in with EXTERNAL, until the stream has restarted."""
        self._tries = 0
        self.has_ended = False
        """The peer closed the stream: it will not be resumed."""
        self._handlers: dict[str, Callable[[Slice], ReceivingEvent | None]] = {
            f"{TLS} starttls": self._on_starttls,
            f"{SASL} auth": self._on_auth,
            dialback.RESULT: self._on_result,
            dialback.VERIFY: self._on_verify,
            f"{SM} enable": self._on_enable,
            f"{SM} resume": self._on_resume,
            f"{SM} r": self._on_request,
            f"{SM} a": self._acknowledged,
            f"{BIDI} bidi": self._on_bidi,
            f"{STREAMS} error": lambda child: self.close(self._on_peers_error(child)),
        }

    @property
    def has_begun(self) -> bool:
        """Whether any part of the stream has come."""
        return self._header is not None or bool(self._parser.pending_bytes)

    @property
    def peer(self) -> str:
        """The peer's domain, authenticated or only claimed; empty if the peer did not name it."""
        return next((pair.from_ for pair in self.pairs), self._from)

    # --- answers to events

    def tls_started(self, certificate: PeerCertificate) -> None:
        """TLS is up, from the first byte (XEP-0368) or after `<proceed/>`: restart the stream."""
        if self.state in (ServerState.OPENING, ServerState.SECURING):
            self.direct_tls = self.state is ServerState.OPENING
            self.secure, self._certificate = True, certificate
            self._waiting = self.is_bidirectional = False
            self._reopen()

    def verified(self, verification: Verification, outcome: bool | StanzaError) -> ReceivingEvent | None:
        """Take the answer of the authoritative server, or the error why there is none (XEP-0220 section 2.2.1)."""
        pair = verification.pair
        if self.state is ServerState.CLOSED or self._asked.get(pair) != verification.key:
            return None
        del self._asked[pair]
        if outcome is True:
            self._authenticate(pair)
        elif outcome is False and self.pairs:  # the stream goes on for the others
            outcome = StanzaError(Condition.FORBIDDEN, f"{pair.from_} says that this is not its key")
        self._output.append(dialback.answer("result", pair, outcome))
        if outcome is False:
            return self.close(f"{pair.from_} says that this is not its key")
        return Authenticated(pair, "dialback") if outcome is True else None

    def resumed(self, management: StreamManagement) -> None:
        """Resume the peer's former stream (XEP-0198 section 5); the peer sends again what is not acknowledged."""
        if self.state is not ServerState.CLOSED:
            self._waiting = False
            self.management = management
            self._output.append(sm.resumed(management))

    def resume_refused(self) -> None:
        """There is no such stream; the peer may enable a new one."""
        if self.state is not ServerState.CLOSED:
            self._waiting = False
            self._output.append(sm.failed(Condition.ITEM_NOT_FOUND))

    # --- the stream

    def _reopen(self) -> None:
        """Wait for a new header from the peer, which is answered with one."""
        self._header_sent = False
        self._restart()
        if self.pairs or self._external:
            self._parser.allow(self.options.limits)
        self.state = ServerState.OPENING

    def _handle(self, child: StreamHeader | Slice | StreamEnd) -> ReceivingEvent | None:
        if type(child) is Slice:
            handler = self._handlers.get(child.name)
            return handler(child) if handler is not None else self._on_stanza(child)
        if isinstance(child, StreamHeader):
            return self._on_header(child)
        self.has_ended = True
        return self.close()

    def _on_header(self, opened: StreamHeader) -> ReceivingEvent | None:
        self._header = opened
        check(opened)
        self._from, self._to = domain_of(opened.from_), domain_of(opened.to)
        if opened.to is not None and self._to not in self._served:
            raise StreamError(StreamCondition.HOST_UNKNOWN, f"{opened.to[:256]} is not served here")
        if opened.from_ is not None and not self._from:
            raise StreamError(StreamCondition.INVALID_FROM, f"{opened.from_[:256]} is no domain")
        if self._from in self._served:
            raise StreamError(StreamCondition.INVALID_FROM, f"{self._from} is served here")
        if self._external and self._from not in ("", self._external):
            raise StreamError(StreamCondition.INVALID_FROM, f"this stream is of {self._external}, not {self._from}")
        self._open_if_needed()
        if has_features(opened):
            self._output.append(self._features())
        self.state = ServerState.OPEN if self.pairs else ServerState.NEGOTIATING
        if not self._external:
            return None
        pair = Pair(self._external, self._to or self._served[0])
        self._external = ""
        self._authenticate(pair)
        return Authenticated(pair, "EXTERNAL")

    def _own_header(self) -> bytes:
        self.id = self._new_id()
        pair = Pair(self._to if self._to in self._served else self._served[0], self._from)
        return header(pair, self.id, self._header is None or has_features(self._header))

    def _features(self) -> bytes:
        """RFC 6120 section 4.3.2; dialback by XEP-0220 section 2.4.2."""
        parts = []
        if self.options.tls != "off" and not self.secure:
            parts.append(f"<starttls xmlns='{TLS}'>{'<required/>' if self._needs_tls else ''}</starttls>")
        if not self._needs_tls:
            if self._may_log_in:
                mechanism = "<mechanism>EXTERNAL</mechanism>"
                parts.append(f"<mechanisms xmlns='{SASL}'>{mechanism}</mechanisms>")
            parts.append(dialback.FEATURE)
            if not (self.pairs or self._external or self.is_bidirectional):
                parts.append(f"<bidi xmlns='{BIDI_FEATURE}'/>")
            if not self._may_log_in:  # dialback does not restart the stream, so no later features follow
                parts.append(f"<sm xmlns='{SM}'/>")
        parts.append(limits(self.options))
        return f"<stream:features>{''.join(parts)}</stream:features>".encode()

    @property
    def _needs_tls(self) -> bool:
        return self.options.tls == "required" and not self.secure

    @property
    def _may_log_in(self) -> bool:
        """EXTERNAL is offered only if it would succeed (XEP-0178 section 3 step 9)."""
        is_new = self.secure and not self.pairs and not self._external
        return is_new and not self._why_not_in()

    def _why_not_in(self) -> str:
        """Why EXTERNAL would not succeed; empty if it would."""
        if not self._from:
            return "the stream header does not say who it is"
        if self.options.peers is not None and self._from not in self.options.peers:
            return f"no link leads to {self._from}"
        return self._certificate.why_not(self._from)

    def _authenticate(self, pair: Pair) -> None:
        self._allow(pair)
        self.state = ServerState.OPEN

    # --- TLS, SASL, both ways

    def _on_bidi(self, child: Slice) -> None:
        """From the first login on, stanzas of the reverse pair may be written here, too (XEP-0288 section 2.2)."""
        if self._needs_tls:
            raise StreamError(StreamCondition.POLICY_VIOLATION, _TLS_FIRST)
        if self.pairs or self._external:
            raise StreamError(StreamCondition.POLICY_VIOLATION, "<bidi/> comes before the login")
        self.is_bidirectional = True

    def _on_starttls(self, child: Slice) -> ReceivingEvent | None:
        if self.options.tls == "off" or self.secure or self.pairs:
            self._output.append(f"<failure xmlns='{TLS}'/>".encode())  # RFC 6120 section 5.4.2.2
            return self.close("TLS is not on offer")
        if self._inbox or self._parser.pending_bytes:
            # what was sent in clear must not count as sent under TLS (section 5.4.3.3)
            raise StreamError(StreamCondition.POLICY_VIOLATION, "data after <starttls/>")
        self._output.append(f"<proceed xmlns='{TLS}'/>".encode())
        self.state, self._waiting = ServerState.SECURING, True
        return TlsWanted()

    def _on_auth(self, child: Slice) -> ReceivingEvent | None:
        """SASL EXTERNAL (RFC 6120 section 13.7, XEP-0178 section 3)."""
        try:
            self._log_in(child)
        except sasl.SaslError as error:
            self._tries += 1
            if self._tries > MAX_LOGIN_TRIES:
                raise StreamError(StreamCondition.POLICY_VIOLATION, f"{MAX_LOGIN_TRIES} logins failed") from None
            self._output.append(sasl.failure(error))
            return None
        self._external = self._from
        self._output.append(f"<success xmlns='{SASL}'/>".encode())
        if self._inbox or self._parser.pending_bytes:
            raise StreamError(StreamCondition.POLICY_VIOLATION, "data before <success/> and the restart")
        self._reopen()
        return None

    def _log_in(self, child: Slice) -> None:
        if self._needs_tls:
            raise sasl.SaslError(sasl.SaslCondition.ENCRYPTION_REQUIRED)
        if child.attributes.get("mechanism") != "EXTERNAL":
            raise sasl.SaslError(sasl.SaslCondition.INVALID_MECHANISM, "servers log in with EXTERNAL")
        authzid = sasl.decode(xml.parse(child.raw).text)
        if not self._may_log_in:
            why = self._why_not_in() if self.secure else "there is no certificate"
            raise sasl.SaslError(sasl.SaslCondition.NOT_AUTHORIZED, why)
        if authzid and domain_of(authzid) != self._from:
            raise sasl.SaslError(sasl.SaslCondition.INVALID_AUTHZID, f"the stream is from {self._from}")

    # --- dialback

    def _on_result(self, child: Slice) -> ReceivingEvent | None:
        """The peer sends a key to authenticate a pair (XEP-0220 section 2.2.1)."""
        if "type" in child.attributes:
            raise dialback.unasked(child)
        pair, key = dialback.pair_of(child), dialback.key_of(child)
        refusal = self._refusal(pair, key)
        if refusal is not None or pair in self.pairs:
            self._output.append(dialback.answer("result", pair, refusal or True))
            return None
        self._asked[pair] = key
        return VerifyWanted(Verification(pair, self.id, key))

    def _refusal(self, pair: Pair, key: str) -> StanzaError | None:
        """Why the key is refused without verification; no such refusal ends the stream (section 2.5)."""
        if self._needs_tls:
            return StanzaError(Condition.POLICY_VIOLATION, _TLS_FIRST)
        if pair.to not in self._served:
            return StanzaError(Condition.ITEM_NOT_FOUND, f"{pair.to} is not served here")
        if pair.from_ in self._served:
            return StanzaError(Condition.NOT_ACCEPTABLE, f"{pair.from_} is served here")
        if self.options.peers is not None and pair.from_ not in self.options.peers:
            return StanzaError(Condition.REMOTE_SERVER_NOT_FOUND, f"no link leads to {pair.from_}")
        if not 0 < len(key) <= dialback.MAX_KEY_CHARACTERS:
            return StanzaError(Condition.NOT_ACCEPTABLE, "that is no key")
        if pair in self._asked:
            return StanzaError(Condition.RESOURCE_CONSTRAINT, "a key of this pair is being verified already")
        if len(self.pairs) + len(self._asked) >= MAX_PAIRS:
            return StanzaError(Condition.RESOURCE_CONSTRAINT, f"a stream may have {MAX_PAIRS} pairs here")
        return None

    def _on_verify(self, child: Slice) -> None:
        """Answer whether a key is this server's (XEP-0220 section 2.2.2), also to peers that are not authenticated."""
        if "type" in child.attributes:
            raise dialback.unasked(child)
        self._say_whose_key(child, StanzaError(Condition.POLICY_VIOLATION, _TLS_FIRST) if self._needs_tls else None)

    # --- stream management

    def _on_enable(self, child: Slice) -> ReceivingEvent | None:
        if not self.pairs or self.management is not None:
            self._output.append(sm.failed(Condition.UNEXPECTED_REQUEST))  # XEP-0198 section 3
            return None
        # a bidirectional stream is not resumed: the way back may have moved to another stream meanwhile
        is_resumable = (
            self._resume_s > 0 and not self.is_bidirectional and child.attributes.get("resume") in ("true", "1")
        )
        self.management = StreamManagement(self._new_id() if is_resumable else "", self._resume_s)
        self._output.append(sm.enabled(self.management))
        return ManagementStarted()

    def _on_resume(self, child: Slice) -> ReceivingEvent | None:
        if not self.pairs or self.management is not None or not self._resume_s or self.is_bidirectional:
            self._output.append(sm.failed(Condition.UNEXPECTED_REQUEST))
            return None
        self._count_in(child)  # checked, though this side sends no stanzas over such a stream
        self._waiting = True
        return ResumeRequested(child.attributes.get("previd", ""), 0)
