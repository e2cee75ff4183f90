"""Both sides of a stream between servers, joined without a network."""

from __future__ import annotations

from typing import Any

from cluster.xmpp.errors import StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, make
from cluster.xmpp.streams.events import Closed, TlsWanted
from cluster.xmpp.streams.servers.certificate import PeerCertificate
from cluster.xmpp.streams.servers.dialback import Pair, Verification, is_key
from cluster.xmpp.streams.servers.events import VerifyWanted
from cluster.xmpp.streams.servers.initiating import InitiatingServerStream
from cluster.xmpp.streams.servers.receiving import ReceivingServerStream
from cluster.xmpp.streams.servers.stream import ServerOptions
from tests.helpers import ids

MONTAGUE, CAPULET = "montague.lit", "capulet.lit"
PAIR = Pair(MONTAGUE, CAPULET)
ROMEO, JULIET = Jid.parse("romeo@montague.lit/pda"), Jid.parse("juliet@capulet.lit")
SECRET, OTHER_SECRET = "s3cr3tf0rd14lb4ck", "d14lb4ck43v3r"
HEADER = (
    f"<stream:stream from='{MONTAGUE}' to='{CAPULET}' version='1.0' xmlns='jabber:server' "
    "xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback'>"
)
GOOD = PeerCertificate(dns=(MONTAGUE,))
OF_CAPULET = PeerCertificate(dns=(CAPULET,))


def options(tls: str = "off", secret: str = SECRET) -> ServerOptions:
    return ServerOptions(tls, secret, 600)


def chat(id: str = "1", from_: Jid = ROMEO, to: Jid = JULIET) -> Stanza:
    return make("message", from_=from_, to=to, id=id, type="chat")


class Receiver:
    """Capulet's side and its events; the test writes what the peer sends."""

    def __init__(self, tls: str = "off") -> None:
        served = [CAPULET, f"rooms.{CAPULET}"]
        self.stream = ReceivingServerStream(served, options(tls, OTHER_SECRET), ids(), resume_s=60.0)
        self.events: list[Any] = []

    def say(self, text: str) -> str:
        """Receive this. Returns the output."""
        self.stream.receive_data(text.encode())
        self.drain()
        return self.stream.data_to_send().decode()

    def drain(self) -> None:
        self.events.extend(self.stream.events())

    def secure(self, certificate: PeerCertificate = GOOD) -> None:
        """TLS is up before the stream header."""
        self.stream.tls_started(certificate)

    def dial(self, from_: str = MONTAGUE, to: str = CAPULET, key: str = "key") -> Verification:
        self.say(f"<db:result from='{from_}' to='{to}'>{key}</db:result>")
        wanted = self.events[-1]
        assert isinstance(wanted, VerifyWanted)
        return wanted.verification

    def answer(self, verification: Verification, outcome: bool | StanzaError) -> str:
        event = self.stream.verified(verification, outcome)
        if event is not None:
            self.events.append(event)
        self.drain()
        return self.stream.data_to_send().decode()


def authenticated(tls: str = "off") -> Receiver:
    """A stream that is authenticated by dialback for montague.lit to capulet.lit."""
    receiver = Receiver(tls)
    receiver.say(HEADER)
    receiver.answer(receiver.dial(), True)
    return receiver


def stream_error(receiver: Receiver) -> str:
    closed = receiver.events[-1]
    assert isinstance(closed, Closed)
    return closed.reason


class Joined:
    """Montague's stream to capulet, with the outcome of TLS and dialback given by the certificates and secrets."""

    def __init__(
        self,
        tls: str = "off",
        of_montague: PeerCertificate = GOOD,
        of_capulet: PeerCertificate = OF_CAPULET,
        secret: str = SECRET,
        former: Any = None,
    ) -> None:
        self.montague = InitiatingServerStream(PAIR, options(tls, secret), former=former)
        self.receiver = Receiver(tls)
        self.told: list[Any] = []
        self._certificates = of_montague, of_capulet

    @property
    def capulet(self) -> ReceivingServerStream:
        return self.receiver.stream

    def pump(self) -> None:
        """Exchange data until both sides are silent."""
        while True:
            to_capulet = self.montague.data_to_send()
            before = len(self.told) + len(self.receiver.events)
            self.capulet.receive_data(to_capulet)
            for event in self.capulet.events():
                self.receiver.events.append(event)
                if isinstance(event, VerifyWanted):
                    asked = event.verification
                    outcome = is_key(asked.key, SECRET, asked.pair, asked.id)
                    if (answered := self.capulet.verified(asked, outcome)) is not None:
                        self.receiver.events.append(answered)
            to_montague = self.capulet.data_to_send()
            self.montague.receive_data(to_montague)
            for event in self.montague.events():
                self.told.append(event)
                if isinstance(event, TlsWanted):
                    of_montague, of_capulet = self._certificates
                    self.capulet.tls_started(of_montague)
                    self.montague.tls_started(of_capulet)
            is_quiet = before == len(self.told) + len(self.receiver.events)
            if not to_capulet and not to_montague and is_quiet:
                return

    def send(self, *stanzas: Stanza) -> None:
        raw = b"".join(each.raw for each in stanzas)
        self.capulet.receive_data(raw + self.montague.written([*stanzas]))
        self.receiver.drain()

    @property
    def got(self) -> list[str | None]:
        """Ids of the stanzas that arrived."""
        return [event.id for event in self.receiver.events if isinstance(event, Stanza)]
