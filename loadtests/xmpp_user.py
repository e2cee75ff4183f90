# mypy: allow-untyped-calls
# (locust annotates only some of its functions)
"""A locust user that is an XMPP client and measures delivery: from when a message was due until it has arrived."""

from __future__ import annotations

import logging
import os
import secrets
import sys
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import gevent
from gevent import GreenletExit
from gevent.event import AsyncResult
from locust import User, events
from locust.env import Environment
from locust.runners import Runner, WorkerRunner

from cluster.client.blocking import BlockingClient
from cluster.xmpp.errors import StreamError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Stanza, error_of
from cluster.xmpp.streams.login import Login, StreamFailed
from cluster.xmpp.streams.sasl import SaslError
from loadtests import ending, lab, receipt, stamp
from loadtests.crowd import Crowd
from loadtests.lab import FarKind
from loadtests.ledger import LOST_AFTER_S, Bounced, InFlight, Lost, Repeated
from loadtests.stamp import Stamp
from loadtests.unarchived import keep_nothing

CLOSE_TIMEOUT_S = 2.0
"""For writing the end of a stream to a server that may not be reading any more."""

FIRST_RETRY_S = 0.1
LAST_RETRY_S = 2.0
"""Between two attempts to reconnect. Every user that lost its server tries, so that the load is part of the
recovery."""

BROKEN = (OSError, StreamFailed, StreamError, SaslError)
"""The errors that end a connection, or an attempt to connect."""

log = logging.getLogger(__name__)


class StreamLost(Exception):
    """The server ended the stream, or the connection broke, during the run."""


class XmppUser(User):
    """Registers an account of its own, logs in, and receives in the background until it is stopped.

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

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.crowd = crowd()
        self.jid: Jid | None = None
        self._client: AsyncResult[BlockingClient] = AsyncResult()
        """Without a value while the user has no stream."""
        self._receiver: gevent.Greenlet | None = None

    def on_start(self) -> None:
        """Log in. A user that cannot ends here."""
        self._server, self._login = self.crowd.next_account()
        started_ns = time.monotonic_ns()
        try:
            client = self._connect(self._login)
        except BROKEN as error:
            self._fire("login", since_ms(started_ns), exception=error)
            raise GreenletExit from None  # not StopUser: locust prints a traceback for each in on_start
        except GreenletExit:
            waited_s = since_ms(started_ns) / 1000
            self._fire("login", None, exception=TimeoutError(f"not logged in at the end, after {waited_s:.0f} s"))
            raise
        self._fire("login", since_ms(started_ns))
        self.jid = client.jid
        self._client.set(client)
        self._receiver = gevent.spawn(self._receive, client)
        self.crowd.enter(client.jid)

    def _connect(self, login: Login) -> BlockingClient:
        ca_file = None if self._server.tls == "off" else str(self.crowd.lab.ca_file)
        client = BlockingClient((self._server.host, self._server.c2s_port), login, ca_file)
        if login.register:
            keep_nothing(client)
        client.send(b"<presence/>")
        return client

    def send_message(self, to: Jid, body: str, due_ns: int) -> None:
        """Write to another user of the crowd. `due_ns`: when it should have been sent, on time.monotonic_ns.

        Waits while the user has no stream.
        """
        client = self._client.get()
        kind = stamp.kind_of(client.jid, to)
        message = InFlight(client.jid, to, kind, _sent_ns(due_ns))
        id = self.crowd.next_message_id()
        self._send(client, id, message, stamp.message(to, id, body, Stamp(message.sent_ns, kind)))

    def send_far(self, kind: FarKind, to: Jid, body: str, due_ns: int) -> None:
        """Write to a phone or a mailbox, and ask for a receipt. The rest is as in `send_message`."""
        client = self._client.get()
        message = InFlight(client.jid, to, kind, _sent_ns(due_ns))
        id = self.crowd.next_message_id()
        self._send(client, id, message, receipt.message(to, id, body))

    def on_stop(self) -> None:
        """Leave when all that is in flight has arrived; count what does not as lost; end the stream."""
        jid, receiver = self.jid, self._receiver
        if jid is None or receiver is None:
            return
        ledger = self.crowd.ledger
        self.crowd.leave(jid)
        try:
            ledger.wait_until_settled(jid, LOST_AFTER_S)
        finally:
            for message in ledger.give_up(jid):
                lost = Lost(f"lost: no word of it within {LOST_AFTER_S:g} s after the end (indefinite)")
                self._fire(f"deliver {message.kind}", None, exception=lost)
            receiver.kill()
            if self._client.ready():
                with gevent.Timeout(CLOSE_TIMEOUT_S, False):
                    self._client.get().close()

    def _send(self, client: BlockingClient, id: str, message: InFlight, raw: bytes) -> None:
        """Messages on a connection that breaks are in flight: they may have arrived, and are lost if they have not."""
        self.crowd.ledger.add(id, message)
        try:
            client.send(raw)
        except OSError as error:
            self._fire("send", since_ms(message.sent_ns), len(raw), error)
            client.cut()  # for `_receive`, which connects again
            self._lose(client)
        else:
            self._fire("send", since_ms(message.sent_ns), len(raw))

    def _receive(self, client: BlockingClient) -> None:
        """Read all stanzas, on this stream and on later ones."""
        while True:
            error: Exception = StreamLost("the server ended the stream")
            try:
                while (child := client.receive()) is not None:
                    self._on_child(child)
            except (OSError, StreamFailed, StreamError) as failure:
                error = StreamLost(str(failure))
            client.cut()
            self._lose(client)
            self._fire("stream", None, exception=error)
            client = self._reconnect()
            self._client.set(client)

    def _lose(self, client: BlockingClient) -> None:
        """From now on wait for the next stream, unless the loss of this one is known already."""
        if self._client.ready() and self._client.get() is client:
            self._client = AsyncResult()

    def _reconnect(self) -> BlockingClient:
        """Try until the server accepts the user again, at intervals that grow and differ from user to user."""
        lost_ns, interval_s = time.monotonic_ns(), FIRST_RETRY_S
        login = replace(self._login, register=False)
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
                    self._fire("reconnect", since_ms(lost_ns))
                    return client
        except GreenletExit:
            missed_s = since_ms(lost_ns) / 1000
            self._fire("reconnect", None, exception=StreamLost(f"not back at the end, after {missed_s:.0f} s: {why}"))
            raise

    def _on_child(self, child: Slice) -> None:
        if child.name != f"{CLIENT} message":
            return
        id = child.attributes.get("id", "")
        size_bytes = len(child.raw)
        if child.attributes.get("type") == "error":
            if message := self.crowd.ledger.remove(id):
                self._fire(f"deliver {message.kind}", None, size_bytes, bounced(child))
        elif stamp.PAYLOAD in child.payloads:
            sent_ns, kind = stamp.read(child.raw)
            arrived = self.crowd.ledger.remove(id) is not None
            self._fire_delivery(kind, sent_ns if arrived else None, size_bytes)
        elif receipt.PAYLOAD in child.payloads:
            message = self.crowd.ledger.remove(receipt.read(child.raw))
            kind = message.kind if message else self._far_kind(child)
            self._fire_delivery(kind, message.sent_ns if message else None, size_bytes)

    def _far_kind(self, receipt_: Slice) -> str:
        """The kind of a repeated receipt, by its sender."""
        domain = receipt_.attributes.get("from", "").partition("/")[0].rpartition("@")[2]
        far = self.crowd.lab.far.items()
        return next((kind for kind, people in far if any(each.domainpart == domain for each in people)), "sms")

    def _fire_delivery(self, kind: str, sent_ns: int | None, size_bytes: int) -> None:
        """None: it was not in flight any more."""
        if sent_ns is None:
            repeated = Repeated("arrived again, or after it was counted as lost")
            self._fire(f"deliver {kind}", None, size_bytes, repeated)
        else:
            self._fire(f"deliver {kind}", since_ms(sent_ns), size_bytes)

    def _fire(
        self, name: str, response_time_ms: float | None, size_bytes: int = 0, exception: Exception | None = None
    ) -> None:
        self.environment.events.request.fire(
            request_type="XMPP",
            name=name,
            response_time=response_time_ms,
            response_length=size_bytes,
            exception=exception,
            context=self.context(),
        )


def _sent_ns(due_ns: int) -> int:
    return min(due_ns, time.monotonic_ns())  # a timer may fire a moment early


def since_ms(begin_ns: int) -> float:
    """Milliseconds since then, on time.monotonic_ns."""
    return (time.monotonic_ns() - begin_ns) / 1e6


def bounced(child: Slice) -> Bounced:
    """The condition of an error stanza."""
    get = child.attributes.get
    error = error_of(Stanza("message", None, None, get("id"), get("type"), child.payloads, child.raw))
    return Bounced(f"came back: {error.condition} (definite)")


@cache
def crowd() -> Crowd:
    """The users of this process. Raises LabUnusable.

    Created at the first use: a worker may have to start users before locust's `init` event is over.
    """
    return Crowd(lab.find(os.environ, Path.cwd()), secrets.token_hex(4), secrets.token_urlsafe(), Random())


def find_lab(runner: Runner, **_: Any) -> None:
    """End locust with the reason if no load can be put on the lab. Its workers leave this to the master."""
    try:
        found = crowd().lab
        if isinstance(runner, WorkerRunner):
            return
        found.check()
    except lab.LabUnusable as error:
        sys.exit(f"locust: {error}")
    if runner.environment.parsed_options and runner.environment.parsed_options.run_time == 0:
        sys.exit("locust: with a run time of 0 locust never ends; give one such as 30s, or none to run until Ctrl-C")
    where = ", ".join(f"{server.domain} at {server.host}:{server.c2s_port}" for server in found.servers)
    log.info("Lab %s: %s", found.name, where)


events.init.add_listener(find_lab)
events.init.add_listener(ending.listen)
events.test_stopping.add_listener(ending.stop_workers_users)
events.test_stop.add_listener(ending.await_csv)
events.quitting.add_listener(ending.stop_own_users)
