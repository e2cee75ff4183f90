"""The receiving side of a stream between servers: it learns for whom the peer speaks, and takes that one's stanzas."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition, StreamError
from cluster.xmpp.jid import Jid
from cluster.xmpp.limits import too_large
from cluster.xmpp.namespaces import SASL, SERVER, SM, STREAMS, TLS
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams import sasl, sm
from cluster.xmpp.streams.content_namespace import out_of_stream
from cluster.xmpp.streams.events import Closed, Misaddressed, ResumeRequested, TlsWanted
from cluster.xmpp.streams.servers import dialback
from cluster.xmpp.streams.servers.certificate import NO_CERTIFICATE, PeerCertificate
from cluster.xmpp.streams.servers.dialback import Pair, Verification, domain_of
from cluster.xmpp.streams.servers.stream import ServerOptions, ServerState, ServerStream, check, has_features, header
from cluster.xmpp.streams.servers.stream import limits_offered as limits
from cluster.xmpp.streams.sm import StreamManagement
from cluster.xmpp.streams.stamp import MalformedTo

MAX_PAIRS = 64
"""Pairs on one stream, authenticated or waiting for that; a peer with more opens another one."""
MAX_TRIES = 5
"""Logins that may fail on one stream (RFC 6120 section 6.4.5)."""


class VerifyWanted(msgspec.Struct, frozen=True):
    """Ask the authoritative server of the sender domain whether the key is its own, and answer with `verified`."""

    verification: Verification


class Authenticated(msgspec.Struct, frozen=True):
    """From now on the peer may send for this pair."""

    pair: Pair
    how: str
    """For the log: EXTERNAL or dialback."""


class ManagementStarted(msgspec.Struct, frozen=True):
    """Both sides acknowledge from now on (XEP-0198): see `management`."""


class AcknowledgementWanted(msgspec.Struct, frozen=True):
    """The peer asks how far we are with what came before this: see `tell`."""


ReceivingEvent = (
    Stanza | Misaddressed | TlsWanted | VerifyWanted | Authenticated | ManagementStarted | ResumeRequested
    | AcknowledgementWanted | Closed
)  # fmt: skip


class ReceivingServerStream(ServerStream[ReceivingEvent]):
    """One stream that another server opened."""

    def __init__(
        self, domains: Collection[str], options: ServerOptions, new_id: Callable[[], str], resume_s: float
    ) -> None:
        """`domains`: those served here, the server's own first. `new_id` gives unpredictable ids (RFC 6120 section
        4.7.3). `resume_s`: how long after a break the peer may resume the stream; 0: never.
        """
        super().__init__(options)
        self._domains = [*domains]
        self._served = frozenset(domains)
        self._new_id = new_id
        self._resume_s = resume_s
        self.id = ""
        self.pairs: dict[Pair, None] = {}
        """For whom the peer has proved to speak, and to whom."""
        self._asked: dict[Pair, str] = {}
        """Dialback keys that are being verified."""
        self._header: StreamHeader | None = None
        self._from = self._to = ""
        self._certificate: PeerCertificate = NO_CERTIFICATE
        self._external = ""
        """Whom the certificate has proved the peer to be."""
        self._tries = 0
        self.has_ended = False
        """The peer ended the stream in good order: it will not be resumed."""
        self._handlers: dict[str, Callable[[Slice], ReceivingEvent | None]] = {
            f"{TLS} starttls": self._on_starttls,
            f"{SASL} auth": self._on_auth,
            dialback.RESULT: self._on_result,
            dialback.VERIFY: self._on_verify,
            f"{SM} enable": self._on_enable,
            f"{SM} resume": self._on_resume,
            f"{SM} r": self._on_request,
            f"{STREAMS} error": lambda child: self.close(self._on_peers_error(child)),
        }

    @property
    def has_begun(self) -> bool:
        """Something of the stream came."""
        return self._header is not None or bool(self._parser.pending_bytes)

    @property
    def peer(self) -> str:
        """Who the peer is or says it is; empty where it did not say."""
        return next((pair.from_ for pair in self.pairs), self._from)

    # --- answers to events

    def tls_started(self, certificate: PeerCertificate) -> None:
        """TLS is up, from the first byte (XEP-0368) or after `<proceed/>`: the stream restarts."""
        if self.state in (ServerState.OPENING, ServerState.SECURING):
            self.secure, self._certificate = True, certificate
            self._waiting = False
            self._reopen()

    def verified(self, verification: Verification, outcome: bool | StanzaError) -> ReceivingEvent | None:
        """What the authoritative server said, or why it could not be asked (XEP-0220 section 2.2.1)."""
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
        """The peer has its former stream back (XEP-0198 section 5), and sends again what it was not told of."""
        if self.state is not ServerState.CLOSED:
            self._waiting = False
            self.management = management
            self._output.append(sm.resumed(management))

    def resume_refused(self) -> None:
        """There is no such stream; the peer may go on without what it had."""
        if self.state is not ServerState.CLOSED:
            self._waiting = False
            self._output.append(sm.failed(Condition.ITEM_NOT_FOUND))

    def tell(self, handled: int) -> None:
        """So many of the peer's stanzas are safe, even if this process is killed now."""
        if self.management is not None and self.state is not ServerState.CLOSED:
            self._output.append(self.management.tell(handled))

    # --- the stream

    def _reopen(self) -> None:
        """A header comes next, of the peer and then of ours."""
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
        pair = Pair(self._external, self._to or self._domains[0])
        self._external = ""
        self._authenticate(pair)
        return Authenticated(pair, "EXTERNAL")

    def _own_header(self) -> bytes:
        self.id = self._new_id()
        pair = Pair(self._to if self._to in self._served else self._domains[0], self._from)
        return header(pair, self.id, self._header is None or has_features(self._header))

    def _features(self) -> bytes:
        """RFC 6120 section 4.3.2; dialback as XEP-0220 section 2.3.2 has it."""
        parts = []
        if self.options.tls != "off" and not self.secure:
            parts.append(f"<starttls xmlns='{TLS}'>{'<required/>' if self._needs_tls else ''}</starttls>")
        if not self._needs_tls:
            if self._may_log_in:
                mechanism = "<mechanism>EXTERNAL</mechanism>"
                parts.append(f"<mechanisms xmlns='{SASL}'>{mechanism}</mechanisms>")
            parts.append(dialback.FEATURE)
            if not self._may_log_in:  # after dialback no further features are told
                parts.append(f"<sm xmlns='{SM}'/>")
        parts.append(limits(self.options))
        return f"<stream:features>{''.join(parts)}</stream:features>".encode()

    @property
    def _needs_tls(self) -> bool:
        return self.options.tls == "required" and not self.secure

    @property
    def _may_log_in(self) -> bool:
        """EXTERNAL is on offer only where it would succeed (XEP-0178 section 3 step 9)."""
        is_new = self.secure and not self.pairs and not self._external
        return is_new and not self._why_not_in()

    def _why_not_in(self) -> str:
        """Why the certificate lets nobody in; empty where it does."""
        if not self._from:
            return "the stream header does not say who it is"
        if self.options.peers is not None and self._from not in self.options.peers:
            return f"no link leads to {self._from}"
        return self._certificate.why_not(self._from)

    def _authenticate(self, pair: Pair) -> None:
        self.pairs[pair] = None
        self.state = ServerState.OPEN
        self._parser.allow(self.options.limits)

    # --- TLS and SASL

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
            if self._tries > MAX_TRIES:
                raise StreamError(StreamCondition.POLICY_VIOLATION, f"{MAX_TRIES} logins failed") from None
            self._output.append(_failure(error))
            return None
        self._external = self._from
        self._output.append(f"<success xmlns='{SASL}'/>".encode())
        if self._inbox or self._parser.pending_bytes:
            raise StreamError(StreamCondition.POLICY_VIOLATION, "data ahead of <success/> and the restart")
        self._reopen()
        return None

    def _log_in(self, child: Slice) -> None:
        if self._needs_tls:
            raise sasl.SaslError(sasl.SaslCondition.ENCRYPTION_REQUIRED)
        if child.attributes.get("mechanism") != "EXTERNAL":
            raise sasl.SaslError(sasl.SaslCondition.INVALID_MECHANISM, "EXTERNAL is what servers log in with")
        authzid = sasl.decode(xml.parse(child.raw).text)
        if not self._may_log_in:
            why = self._why_not_in() if self.secure else "there is no certificate"
            raise sasl.SaslError(sasl.SaslCondition.NOT_AUTHORIZED, why)
        if authzid and domain_of(authzid) != self._from:
            raise sasl.SaslError(sasl.SaslCondition.INVALID_AUTHZID, f"the stream is from {self._from}")

    # --- dialback

    def _on_result(self, child: Slice) -> ReceivingEvent | None:
        """A key of the peer's (XEP-0220 section 2.2.1)."""
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
        """Section 2.5: none of these ends the stream."""
        if self._needs_tls:
            return StanzaError(Condition.POLICY_VIOLATION, "TLS comes first here")
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
        """Whether a key is ours (XEP-0220 section 2.2.2); anybody may ask, who has no need to be known for that."""
        if "type" in child.attributes:
            raise dialback.unasked(child)
        asked, id, key = dialback.pair_of(child), child.attributes.get("id", ""), dialback.key_of(child)
        outcome: bool | StanzaError
        if self._needs_tls:
            outcome = StanzaError(Condition.POLICY_VIOLATION, "TLS comes first here")
        elif asked.to not in self._served:
            outcome = StanzaError(Condition.ITEM_NOT_FOUND, f"{asked.to} is not served here")
        else:
            outcome = dialback.is_key(key, self.options.secret, asked.reverse, id)
        self._output.append(dialback.answer("verify", asked, outcome, id))

    # --- stream management

    def _on_enable(self, child: Slice) -> ReceivingEvent | None:
        if not self.pairs or self.management is not None:
            self._output.append(sm.failed(Condition.UNEXPECTED_REQUEST))  # XEP-0198 section 3
            return None
        is_resumable = self._resume_s > 0 and child.attributes.get("resume") in ("true", "1")
        self.management = StreamManagement(self._new_id() if is_resumable else "", self._resume_s)
        self._output.append(sm.enabled(self.management))
        return ManagementStarted()

    def _on_resume(self, child: Slice) -> ReceivingEvent | None:
        if not self.pairs or self.management is not None or not self._resume_s:
            self._output.append(sm.failed(Condition.UNEXPECTED_REQUEST))
            return None
        self._count_in(child)  # of what we sent, which is nothing
        self._waiting = True
        return ResumeRequested(child.attributes.get("previd", ""), 0)

    def _on_request(self, child: Slice) -> ReceivingEvent:
        if self.management is None:
            raise StreamError(StreamCondition.UNSUPPORTED_STANZA_TYPE, f"not expected here: {child.name}")
        self.management.asked()
        return AcknowledgementWanted()

    # --- stanzas

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


def _failure(error: sasl.SaslError) -> bytes:
    failure = xml.Element(f"{{{SASL}}}failure")
    xml.SubElement(failure, f"{{{SASL}}}{error.condition}")
    if error.text:
        xml.SubElement(failure, f"{{{SASL}}}text").text = error.text
    return xml.serialize(failure)
