# mypy: allow-untyped-calls
# (locust annotates only some of its functions)
"""A locust user that is an XMPP client and measures delivery: from when a message was due until it has arrived."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace

import gevent
from gevent import GreenletExit
from gevent.event import AsyncResult
from locust import User
from locust.env import Environment

from cluster.client.blocking import BlockingClient
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.namespaces import CLIENT, ROSTER
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Stanza, error_of
from cluster.xmpp.streams.login import Login
from loadtests import archiving, messages, receipt, run
from loadtests.accounts import NoAccount, unregister
from loadtests.connection import Connection
from loadtests.crowd import Place
from loadtests.figures import figures
from loadtests.lab import FarKind
from loadtests.ledger import LOST_AFTER_S, Bounced, InFlight, Lost, Repeated
from loadtests.run import BROKEN

CLOSE_TIMEOUT_S = 2.0
"""For writing the end of a stream to a server that may not be reading any more."""

FIRST_RETRY_S = 0.1
LAST_RETRY_S = 2.0
"""Between two attempts to reconnect. Every user that lost its server tries, so that the load is part of the
recovery."""

UNREGISTER_TIMEOUT_S = 10.0
"""For the removal of an account: all users ask at the end."""

MESSAGE = f"{CLIENT} message"
GET_ROSTER = f"<iq type='get' id='roster'><query xmlns='{ROSTER}'/></iq>".encode()
"""Only who asks for its roster hears of changes, as of a subscription that is approved (RFC 6121 section 2.1.6)."""


class StreamLost(Exception):
    """The server ended the stream, or the connection broke, during the run."""


class XmppUser(User):
    """Has an account of its own, logs in, and receives in the background until it is stopped.

    Fires request events of type XMPP with these names:

    - `login`: connection, TLS, registration, authentication, resource binding, archive preferences, initial presence.
    - `send`: from when a message was due until the system took its bytes.
    - `deliver local`, `deliver cross-domain`: from when a message was due until its receiver had read it.
    - `deliver sms`, `deliver mail`: from when a message was due until its sender had read the receipt for it.
    - `stream`: fired only as a failure, StreamLost: the stream ended, and the user tries to come back.
    - `reconnect`: from when the stream was lost until the user is back under the same address. A failure when it is not
      back at the end of the run.

    A failed delivery has no response time: Bounced (definite), Lost (indefinite) or Repeated.
    """

    abstract = True

    INITIAL_PRESENCE = b"<presence/>"

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.crowd = run.crowd(environment)
        self.figures = figures(environment)
        self.circle = self.crowd.circle(type(self).__name__)
        self.jid: Jid | None = None
        self._connection: AsyncResult[Connection] = AsyncResult()
        """Without a value while the user has no stream."""
        self._return: gevent.Greenlet | None = None
        """On the way back to a server that was lost."""
        self._place: Place | None = None

    @property
    def place(self) -> Place:
        """What it has from its start on."""
        assert self._place is not None
        return self._place

    def on_start(self) -> None:
        """Log in. A user that cannot ends here; one that is stopped meanwhile waits for the answer, and ends then."""
        started_ns = time.monotonic_ns()
        login = gevent.spawn(self._log_in, started_ns)
        try:
            login.join()
        except GreenletExit:
            login.join(LOST_AFTER_S)
            if not login.ready():
                login.kill()
                error = TimeoutError(f"not logged in at the end, after {_seconds_since(started_ns):.0f} s")
                self.figures.fail("login", error)
            raise
        if self.jid is None:
            raise GreenletExit  # not StopUser: locust prints a traceback for each in on_start

    def _log_in(self, started_ns: int) -> None:
        """Fire the row `login`; the user has no JID if it failed."""
        try:
            self._place = self.circle.take_place()
            client = self._connect(self._place.login)
        except (*BROKEN, NoAccount) as error:
            self.figures.fail("login", error, started_ns)
            return
        self.figures.take("login", started_ns)
        self.jid = client.jid
        self._begin(client)
        self.circle.enter(client.jid)

    def _begin(self, client: BlockingClient) -> None:
        """Read from a stream, from now on."""
        connection = Connection(client, self._on_child, self._on_lost)
        self.crowd.connections.add(connection)
        if self._connection.ready():
            self._connection = AsyncResult()
        self._connection.set(connection)

    def _connect(self, login: Login) -> BlockingClient:
        client = run.connect(self.place.server, login)
        if self.jid is None:
            self._prepare(client)
        client.send(self.INITIAL_PRESENCE)
        return client

    def _prepare(self, client: BlockingClient) -> None:
        """What is done once, at the first login and before the initial presence."""
        archiving.keep(client, "never")

    def partner(self, cross_share: float) -> Jid | None:
        """Another user of this class: with this probability in another domain, if there is a choice."""
        return self.circle.partner(self.jid, cross_share) if self.jid else None

    def send_message(self, to: Jid, body: str, due_ns: int) -> None:
        """Write to another user of the crowd. `due_ns`: when it should have been sent, on time.monotonic_ns.

        Waits while the user has no stream.
        """
        connection = self._connection.get()
        row = f"deliver {messages.kind_of(connection.jid, to)}"
        id = self.crowd.next_message_id()
        message = InFlight(connection.jid, to, row, _sent_ns(due_ns))
        self._send(connection, id, message, messages.message(to, id, body))

    def send_far(self, kind: FarKind, to: Jid, body: str, due_ns: int) -> None:
        """Write to a phone or a mailbox, and ask for a receipt. The rest is as in `send_message`."""
        connection = self._connection.get()
        message = InFlight(connection.jid, to, f"deliver {kind}", _sent_ns(due_ns))
        id = self.crowd.next_message_id()
        self._send(connection, id, message, receipt.message(to, id, body))

    def on_stop(self) -> None:
        """Leave when all that is in flight has arrived; count what does not as lost; end the stream."""
        try:
            if self.jid is not None:
                self._settle_all(self.jid)
        finally:
            if self._place is not None:
                self._end(self._place)
            self.figures.hand_in()

    def _settle_all(self, jid: Jid) -> None:
        ledger = self.crowd.ledger
        self.circle.leave(jid)
        try:
            ledger.wait_until_settled(jid, LOST_AFTER_S)
        finally:
            for message in ledger.give_up(jid):
                lost = Lost(f"lost: no word of it within {LOST_AFTER_S:g} s after the end (indefinite)")
                self.figures.fail(message.row, lost)
            if self._return is not None:
                self._return.kill()

    def _end(self, place: Place) -> None:
        """Remove an account that the user has made, and end the stream."""
        client = self._taken_back()
        if place.login.register and not self._unregister(place, client):
            self.crowd.tell_left(place.login.jid)
        if client is not None:
            with gevent.Timeout(CLOSE_TIMEOUT_S, False):
                client.close()
        self.circle.give_back(place)

    def _taken_back(self) -> BlockingClient | None:
        """The client, which blocks again; None while there is no stream."""
        if not self._connection.ready():
            return None
        connection: Connection = self._connection.get()
        self._connection = AsyncResult()
        self.crowd.connections.discard(connection)
        return connection.stop()

    def _unregister(self, place: Place, client: BlockingClient | None) -> bool:
        """Over the user's stream, or over a new one where that is broken."""
        with contextlib.suppress(*BROKEN), gevent.Timeout(UNREGISTER_TIMEOUT_S, False):
            with contextlib.suppress(*BROKEN):
                if client is not None:
                    return unregister(client)
            with run.connect(place.server, replace(place.login, register=False)) as again:
                return unregister(again)
        return False

    def _send(self, connection: Connection, id: str, message: InFlight, raw: bytes) -> None:
        """Messages on a connection that breaks are in flight: they may have arrived, and are lost if they have not."""
        self.crowd.ledger.add(id, message)
        self._write(connection, message.sent_ns, raw)

    def _write(self, connection: Connection, due_ns: int, raw: bytes) -> None:
        """Fires the row `send`."""
        try:
            connection.send(raw)
        except OSError as error:
            self.figures.fail("send", error, due_ns, len(raw))
        else:
            self.figures.take("send", due_ns, len(raw))

    def _on_lost(self, connection: Connection, error: Exception) -> None:
        """From now on wait for the next stream, and see that there is one."""
        self.crowd.connections.discard(connection)
        self._connection = AsyncResult()
        self.figures.fail("stream", StreamLost(str(error)))
        self._return = gevent.spawn(self._come_back)

    def _come_back(self) -> None:
        """Try until the server accepts the user again, at intervals that grow and differ from user to user."""
        lost_ns, interval_s = time.monotonic_ns(), FIRST_RETRY_S
        login = replace(self.place.login, register=False)
        why: Exception | None = None
        try:
            while True:
                try:
                    client = self._connect(login)
                except BROKEN as error:
                    why = error
                    gevent.sleep(interval_s * self.crowd.rng.uniform(0.5, 1))
                    interval_s = min(2 * interval_s, LAST_RETRY_S)
                else:
                    self.figures.take("reconnect", lost_ns)
                    self._begin(client)
                    return
        except GreenletExit:
            missed = StreamLost(f"not back at the end, after {_seconds_since(lost_ns):.0f} s: {why}")
            self.figures.fail("reconnect", missed)

    def _on_child(self, child: Slice) -> None:
        """What came; in gevent's hub, where nothing may wait."""
        if child.name != MESSAGE:
            return
        id = child.attributes.get("id", "")
        if child.attributes.get("type") == "error":
            if message := self.crowd.ledger.remove(id):
                self.figures.fail(message.row, bounced(child), size_bytes=len(child.raw))
        elif receipt.PAYLOAD in child.payloads:
            self._on_delivered(receipt.read(child.raw), child, self._far_kind)
        elif self.crowd.is_own_id(id):
            self._on_delivered(id, child, self._kind)

    def _on_delivered(self, id: str, child: Slice, kind: Callable[[Jid], str]) -> None:
        """`kind`: of what is not in flight any more, by the sender of the child."""
        message = self.crowd.ledger.remove(id)
        if message is not None:
            self.figures.take(message.row, message.sent_ns, len(child.raw))
        elif sender := sender_of(child):
            repeated = Repeated("arrived again, or after it was counted as lost")
            self.figures.fail(f"deliver {kind(sender)}", repeated, size_bytes=len(child.raw))

    def _kind(self, sender: Jid) -> str:
        return messages.kind_of(sender, self.place.login.jid)

    def _far_kind(self, sender: Jid) -> str:
        for kind, people in self.crowd.lab.far.items():
            if any(each.domainpart == sender.domainpart for each in people):
                return kind
        return "sms"


def _sent_ns(due_ns: int) -> int:
    return min(due_ns, time.monotonic_ns())  # a timer may fire a moment early


def _seconds_since(begin_ns: int) -> float:
    return (time.monotonic_ns() - begin_ns) / 1e9


def bounced(child: Slice) -> Bounced:
    """The condition of an error stanza."""
    get = child.attributes.get
    error = error_of(Stanza("message", None, None, get("id"), get("type"), child.payloads, child.raw))
    return Bounced(f"came back: {error.condition} (definite)")


def sender_of(child: Slice) -> Jid | None:
    """Who has sent it; None for an invalid address."""
    try:
        return Jid.parse(child.attributes.get("from", ""))
    except JidError:
        return None
