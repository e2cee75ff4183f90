"""A client of one account: logs in, manages its stream (XEP-0198), and reconnects when the connection breaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import ClientFactory, connectionDone
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from cluster.client.managed import Break, Breaks
from cluster.simulation.chance import Chance
from cluster.simulation.node import CERTIFICATE
from cluster.virtual.host import Host
from cluster.virtual.timeline import VirtualCall
from cluster.xmpp.errors import StreamError
from cluster.xmpp.namespaces import CLIENT, SM
from cluster.xmpp.parser import Slice, StreamEnd
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams import sasl, sm
from cluster.xmpp.streams.events import TlsWanted
from cluster.xmpp.streams.initiating import InitiatingStream
from cluster.xmpp.streams.login import Bound, Login, Resumption, StreamFailed
from cluster.xmpp.streams.sm import StreamManagement, Unacknowledged

RETRY_S = 1.0
"""Mean time before it connects again."""
CONNECT_TIMEOUT_S = 10.0
KEEPALIVE_S = 60.0
"""Interval of requests for acknowledgement; a server that does not answer before the next one is gone."""
LOGIN_TIMEOUT_S = 60.0
"""A login that takes longer has lost its server: it connects again."""
REST_AFTER_S = 0.5
"""How often it looks whether its stream is idle: then the parser's memory is freed. Those of all logins of so long are
alive together."""
GOODBYE_S = 5.0
"""How long the server may take to end its side of the stream."""
BROKEN = (StreamFailed, StreamError, sasl.SaslError)
"""Errors that end a stream."""
_REQUEST, _ACKNOWLEDGEMENT, _ENABLED = f"{SM} r", f"{SM} a", f"{SM} enabled"
_STANZAS = frozenset({f"{CLIENT} message", f"{CLIENT} presence", f"{CLIENT} iq"})


class User(Protocol):
    """The user of a device."""

    def on_online(self, *, is_new: bool) -> None:
        """The device is online; `is_new`: with a new session instead of a resumed one."""

    def on_break(self) -> None:
        """Its connection is lost; it is going to connect again."""

    def on_offline(self) -> None:
        """The device is offline after `leave`."""

    def on_stanza(self, stanza: Slice) -> None:
        """A stanza arrived."""


@implementer(IHandshakeListener)
class _Line(TwistedProtocol):
    """One connection, from the login to its end."""

    transport: Any

    def __init__(self, device: Device, stream: InitiatingStream) -> None:
        self.stream = stream
        self._device = device
        self._was_read = False
        """Something arrived since the last look."""
        self._look: VirtualCall | None = None

    def connectionMade(self) -> None:
        self._flush()

    def dataReceived(self, data: bytes) -> None:
        self._was_read = True
        if self._look is None:
            self._look = self._device.host.callLater(REST_AFTER_S, self._let_rest)
        try:
            self.stream.receive_data(data)
            for event in self.stream.events():
                match event:
                    case TlsWanted():
                        self._flush()
                        self.transport.startTLS(None)
                    case Bound():
                        self._device.bound(event)
                    case StreamEnd():
                        self.transport.loseConnection()
                    case _:
                        self._device.take(event)
        except BROKEN as error:
            self._device.troubles += 1
            self._device.trouble = str(error)
            self._device._is_in_trouble = True
            self.transport.abortConnection()
        self._flush()

    def handshakeCompleted(self) -> None:
        """TLS is up, with its channel bindings (RFC 9266, RFC 5929 section 4)."""
        exported = self.transport.getHandle().export_keying_material(b"EXPORTER-Channel-Binding", 32)
        self.stream.tls_started({sasl.EXPORTER: exported, sasl.END_POINT: CERTIFICATE})
        self._flush()

    def _let_rest(self) -> None:
        self._look = None
        if self._was_read:
            self._was_read = False
            self._look = self._device.host.callLater(REST_AFTER_S, self._let_rest)
        else:
            self.stream.rest()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None
        self.stream.end_input()
        self._device.lost()

    def _flush(self) -> None:
        if data := self.stream.data_to_send():
            self.transport.write(data)


class Device(ClientFactory):
    """One client. Between `come` and `leave` it stays online, and reconnects when needed."""

    noisy = False

    def __init__(
        self,
        host: Host,
        addresses: Sequence[tuple[str, int]],
        login: Login,
        user: User,
        chance: Chance,
        greeting: Sequence[Stanza],
        retry_s: float = RETRY_S,
    ) -> None:
        """`addresses`: of the nodes of its domain, in the order in which it tries them (RFC 6120 section 3.2.1);
        `greeting`: stanzas that begin each new session; `retry_s`: mean time before it connects again, but RETRY_S
        after an error of the stream."""
        self.is_online = False
        """It is logged in, and can send stanzas."""
        self.breaks = Breaks()
        """How often the connection broke, and what that cost."""
        self.greeting = greeting
        self.troubles = 0
        """Streams that ended with an error of the server, or one that the client found."""
        self.trouble = ""
        """The last of these errors."""
        self.host = host
        self._retry_s = retry_s
        self._is_in_trouble = False
        """The last stream ended with an error."""
        self._addresses = addresses
        self._tried = 0
        """Addresses that were tried since the last connection, or the last pause; while it connects, at least 1."""
        self._acknowledged_before = 0
        self._away_until_s = 0.0
        self._login = login
        self._user = user
        self._chance = chance
        self._wants = False
        self._line: _Line | None = None
        self._sm = StreamManagement()
        self._retry: VirtualCall | None = None
        self._keepalive: VirtualCall | None = None
        self._is_heard = False
        """Something arrived since the last keepalive."""
        self._bound: Bound | None = None
        self._is_managed = False
        self._goodbye: Stanza | None = None

    @property
    def is_away(self) -> bool:
        """It is disconnected, and stays so."""
        return not self._wants and self._line is None

    @property
    def unacknowledged(self) -> int:
        """How many sent stanzas the server has not acknowledged."""
        return self._sm.unacknowledged

    @property
    def acknowledged(self) -> int:
        """How many of its stanzas the server has handled, greetings included; always the first ones."""
        return self._acknowledged_before + self._sm.acknowledged_count

    def come(self) -> None:
        """Go online, and stay online."""
        self._wants, self._goodbye = True, None
        if self._line is None and self._retry is None and not self._tried:
            self._connect()

    def leave(self, goodbye: Stanza) -> None:
        """Send `goodbye` and close the stream, once the server has acknowledged all stanzas."""
        self._goodbye = goodbye
        self._leave_if_done()

    def _leave_if_done(self) -> None:
        line = self._line
        if self._goodbye is None or line is None or not self.is_online or self._sm.unacknowledged:
            return
        self._wants = self.is_online = False
        if self._keepalive is not None:
            self._keepalive.cancel()
            self._keepalive = None
        line.stream.close()
        line.transport.write(self._sm.ack() + self._goodbye.raw + line.stream.data_to_send())
        self._goodbye, self._sm.id = None, ""
        self.host.callLater(GOODBYE_S, line.transport.loseConnection)

    def send(self, stanzas: Sequence[Stanza]) -> None:
        """Send stanzas now, or once it is online again."""
        request = self._sm.sent([Unacknowledged(stanza, 0.0) for stanza in stanzas])
        if self._line is not None and self.is_online:
            self._line.transport.write(b"".join([stanza.raw for stanza in stanzas]) + request)

    def cut(self, away_s: float = 0.0) -> None:
        """Break the connection with a reset, and do not reconnect for this time."""
        self._away_until_s = self.host.seconds() + away_s
        if self._line is not None:
            self._line.transport.abortConnection()

    def roam(self, address: str) -> None:
        """Go on from another address: the connection is lost without a word to either side.

        As on a phone, the system tells the client of its new network. Without effect while it is not connected.
        """
        line = self._line
        if line is not None:
            self.host.move(address)
            line.connectionLost()

    # --- of its connection

    def _connect(self) -> None:
        self._retry = None
        address = self._addresses[self._tried]
        self._tried += 1
        self.host.connectTCP(*address, self, timeout=CONNECT_TIMEOUT_S)

    def buildProtocol(self, addr: object) -> _Line:
        """The connection is established."""
        self._tried = 0
        resumption = None
        if self._sm.id and self._bound is not None:
            resumption = Resumption(self._bound.jid, self._sm.id, self._sm.handled)
        self._line = _Line(self, InitiatingStream(self._login, self._new_nonce, resumption))
        self._keepalive = self.host.callLater(LOGIN_TIMEOUT_S, self._give_up)
        return self._line

    def _new_nonce(self) -> str:
        return f"{self._chance.getrandbits(128):032x}"

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        """The server cannot be reached: try the next node, or again later."""
        if self._wants and self._tried < len(self._addresses):
            self._connect()
            return
        if self.breaks and self.breaks[-1].back_s is None:
            self.breaks[-1].tries += 1
        self._try_again()

    def lost(self) -> None:
        """The connection is lost."""
        was_online, self.is_online, self._line = self.is_online, False, None
        if self._keepalive is not None:
            self._keepalive.cancel()
            self._keepalive = None
        if was_online and self._wants:
            self.breaks.append(Break(self.host.seconds()))
            self._user.on_break()
        if self._wants:
            self._try_again()
        else:
            self._user.on_offline()

    def _try_again(self) -> None:
        self._tried = 0
        if self._wants:
            away_s = max(0.0, self._away_until_s - self.host.seconds())
            mean_s = RETRY_S if self._is_in_trouble else self._retry_s
            self._retry = self.host.callLater(away_s + mean_s * (0.5 + self._chance.random()), self._connect)

    # --- of its stream

    def _keep_alive(self) -> None:
        """Detect a connection whose other end has vanished."""
        if not self._is_heard:
            self._give_up()
            return
        self._is_heard = False
        self._keepalive = self.host.callLater(KEEPALIVE_S, self._keep_alive)
        self._write(sm.REQUEST)

    def _give_up(self) -> None:
        self._keepalive = None
        self.cut()

    def bound(self, bound: Bound) -> None:
        """The login is done."""
        self._bound, self._is_in_trouble = bound, False
        assert self._keepalive is not None  # that of the login
        self._keepalive.cancel()
        self._keepalive = self.host.callLater(KEEPALIVE_S, self._keep_alive)
        if bound.is_resumed:
            assert bound.h is not None
            self._write(self._sm.acknowledged(bound.h))
            self._note_back(is_resumed=True, sent_again=self._sm.unacknowledged)
            self.is_online = True
            self._write(self._sm.resend())
            self._user.on_online(is_new=False)
            self._leave_if_done()
            return
        if bound.h is not None:
            self._sm.acknowledged(bound.h)
        left = [each for each in self._sm.take_unacknowledged() if each.stanza.kind == "message"]
        self._note_back(is_resumed=False, sent_again=len(left))
        self._acknowledged_before = self.acknowledged
        self._sm, self._is_managed = StreamManagement(), False
        self._write(f"<enable xmlns='{SM}' resume='true'/>".encode())
        first = [*(Unacknowledged(stanza, 0.0) for stanza in self.greeting), *left]
        request = self._sm.sent(first)
        self._write(b"".join([each.stanza.raw for each in first]) + request)
        self.is_online = True
        self._user.on_online(is_new=True)

    def _note_back(self, *, is_resumed: bool, sent_again: int) -> None:
        if self.breaks and self.breaks[-1].back_s is None:
            last = self.breaks[-1]
            last.back_s, last.is_resumed, last.sent_again = self.host.seconds(), is_resumed, sent_again

    def take(self, child: Slice) -> None:
        """Handle a child element of the stream."""
        self._is_heard = True
        if child.name in _STANZAS:
            if self._is_managed:
                self._sm.received(None)
            self._user.on_stanza(child)
        elif child.name == _REQUEST:
            self._write(self._sm.ack())
        elif child.name == _ACKNOWLEDGEMENT:
            self._write(self._sm.acknowledged(sm.read_count(child.attributes.get("h"))))
            self._leave_if_done()
        elif child.name == _ENABLED:
            self._sm.id, self._is_managed = child.attributes.get("id", ""), True

    def _write(self, data: bytes) -> None:
        if data and self._line is not None:
            self._line.transport.write(data)
