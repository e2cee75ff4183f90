# mypy: allow-untyped-calls
# (locust annotates only some of its functions)
"""A locust user that is an XMPP client and measures delivery: from when a message was due until it has arrived."""

from __future__ import annotations

import logging
import os
import secrets
import sys
import time
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import gevent
from gevent import GreenletExit
from locust import User, events
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import Runner, WorkerRunner

from cluster.client.blocking import BlockingClient
from cluster.xmpp.errors import StreamError
from cluster.xmpp.initiating import StreamFailed
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.parser import Slice
from cluster.xmpp.sasl import SaslError
from cluster.xmpp.stanza import Stanza, error_of
from loadtests import ending, lab, receipt, stamp
from loadtests.crowd import Crowd
from loadtests.lab import FarKind
from loadtests.ledger import LOST_AFTER_S, Bounced, InFlight, Lost, Repeated
from loadtests.stamp import Stamp

CLOSE_TIMEOUT_S = 2.0
"""For writing the end of a stream to a server that may not be reading any more."""

log = logging.getLogger(__name__)


class StreamLost(Exception):
    """The server ended the stream, or the connection broke, during the run."""


class XmppUser(User):
    """Registers an account of its own, logs in, and receives in the background until it is stopped.

    Fires request events of type XMPP with these names:

    - `login`: connection, TLS, registration, authentication, resource binding, initial presence.
    - `send`: from when a message was due until the system took its bytes.
    - `deliver local`, `deliver cross-domain`: from when a message was due until its receiver had read it.
    - `deliver sms`, `deliver mail`: from when a message was due until its sender had read the receipt for it.
    - `stream`: fired only as a failure, StreamLost.

    A failed delivery has no response time: Bounced (definite), Lost (indefinite) or Repeated.
    """

    abstract = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.crowd = crowd()
        self.jid: Jid | None = None
        self._client: BlockingClient | None = None
        self._receiver: gevent.Greenlet | None = None

    def on_start(self) -> None:
        """Log in. A user that cannot ends here."""
        server, login = self.crowd.next_account()
        ca_file = None if server.tls == "off" else str(self.crowd.lab.ca_file)
        started_ns = time.monotonic_ns()
        try:
            client = BlockingClient((server.host, server.c2s_port), login, ca_file)
            client.send(b"<presence/>")
        except (OSError, StreamFailed, StreamError, SaslError) as error:
            self._fire("login", _since_ms(started_ns), exception=error)
            raise GreenletExit from None  # not StopUser: locust prints a traceback for each in on_start
        self._fire("login", _since_ms(started_ns))
        self._client, self.jid = client, client.jid
        self._receiver = gevent.spawn(self._receive, client)
        self.crowd.enter(client.jid)

    def send_message(self, to: Jid, body: str, due_ns: int) -> None:
        """Write to another user of the crowd. `due_ns`: when it should have been sent, on time.monotonic_ns.

        Ends the user when its stream is gone.
        """
        client = self._connected()
        kind = stamp.kind_of(client.jid, to)
        message = InFlight(client.jid, to, kind, _sent_ns(due_ns))
        id = self.crowd.next_message_id()
        self._send(client, id, message, stamp.message(to, id, body, Stamp(message.sent_ns, kind)))

    def send_far(self, kind: FarKind, to: Jid, body: str, due_ns: int) -> None:
        """Write to a phone or a mailbox, and ask for a receipt. The rest is as in `send_message`."""
        client = self._connected()
        message = InFlight(client.jid, to, kind, _sent_ns(due_ns))
        id = self.crowd.next_message_id()
        self._send(client, id, message, receipt.message(to, id, body))

    def on_stop(self) -> None:
        """Leave when all that is in flight has arrived; count what does not as lost; end the stream."""
        client, receiver = self._client, self._receiver
        if client is None or receiver is None:
            return
        ledger = self.crowd.ledger
        self.crowd.leave(client.jid)
        try:
            ledger.wait_until_settled(client.jid, LOST_AFTER_S)
        finally:
            for message in ledger.give_up(client.jid):
                lost = Lost(f"lost: no word of it within {LOST_AFTER_S:g} s after the end (indefinite)")
                self._fire(f"deliver {message.kind}", None, exception=lost)
            receiver.kill()
            with gevent.Timeout(CLOSE_TIMEOUT_S, False):
                client.close()

    def _connected(self) -> BlockingClient:
        if self._client is None or self._receiver is None or self._receiver.ready():
            raise StopUser
        return self._client

    def _send(self, client: BlockingClient, id: str, message: InFlight, raw: bytes) -> None:
        self.crowd.ledger.add(id, message)
        try:
            client.send(raw)
        except OSError as error:
            self.crowd.ledger.remove(id)
            self._fire("send", _since_ms(message.sent_ns), len(raw), error)
            raise StopUser from None
        self._fire("send", _since_ms(message.sent_ns), len(raw))

    def _receive(self, client: BlockingClient) -> None:
        error: Exception = StreamLost("the server ended the stream")
        try:
            while (child := client.receive()) is not None:
                self._on_child(child)
        except (OSError, StreamFailed, StreamError) as failure:
            error = StreamLost(str(failure))
        self.crowd.leave(client.jid)
        self._fire("stream", None, exception=error)

    def _on_child(self, child: Slice) -> None:
        if child.name != f"{CLIENT} message":
            return
        id = child.attributes.get("id", "")
        size_bytes = len(child.raw)
        if child.attributes.get("type") == "error":
            if message := self.crowd.ledger.remove(id):
                self._fire(f"deliver {message.kind}", None, size_bytes, _bounced(child))
        elif stamp.PAYLOAD in child.payloads:
            sent_ns, kind = stamp.read(child.raw)
            arrived = self.crowd.ledger.remove(id) is not None
            self._fire_delivery(kind, sent_ns if arrived else None, size_bytes)
        elif receipt.PAYLOAD in child.payloads:
            message = self.crowd.ledger.remove(receipt.read(child.raw))
            kind = message.kind if message else self._far_kind(child)
            self._fire_delivery(kind, message.sent_ns if message else None, size_bytes)

    def _far_kind(self, receipt_: Slice) -> str:
        """Of a receipt that came again: by who sent it."""
        domain = receipt_.attributes.get("from", "").partition("/")[0].rpartition("@")[2]
        far = self.crowd.lab.far.items()
        return next((kind for kind, people in far if any(each.domainpart == domain for each in people)), "sms")

    def _fire_delivery(self, kind: str, sent_ns: int | None, size_bytes: int) -> None:
        """None: it was not in flight any more."""
        if sent_ns is None:
            repeated = Repeated("arrived again, or after it was counted as lost")
            self._fire(f"deliver {kind}", None, size_bytes, repeated)
        else:
            self._fire(f"deliver {kind}", _since_ms(sent_ns), size_bytes)

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


def _since_ms(begin_ns: int) -> float:
    return (time.monotonic_ns() - begin_ns) / 1e6


def _bounced(child: Slice) -> Bounced:
    get = child.attributes.get
    error = error_of(Stanza("message", None, None, get("id"), get("type"), child.payloads, child.raw))
    return Bounced(f"came back: {error.condition} (definite)")


@cache
def crowd() -> Crowd:
    """The users of this process. Raises LabUnusable.

    Made when it is first asked for: a worker may have to start users before locust's `init` event is over.
    """
    return Crowd(lab.find(os.environ, Path.cwd()), secrets.token_hex(4), secrets.token_urlsafe(), Random())


def find_lab(runner: Runner, **_: Any) -> None:
    """End locust with the reason where no load can be put on the lab. Its workers leave the questions to the master."""
    try:
        found = crowd().lab
        if isinstance(runner, WorkerRunner):
            return
        found.check()
    except lab.LabUnusable as error:
        sys.exit(f"locust: {error}")
    where = ", ".join(f"{server.domain} at {server.host}:{server.c2s_port}" for server in found.servers)
    log.info("Lab %s: %s", found.name, where)


events.init.add_listener(find_lab)
events.init.add_listener(ending.listen)
events.test_stopping.add_listener(ending.stop_workers_users)
events.test_stop.add_listener(ending.await_csv)
events.quitting.add_listener(ending.stop_own_users)
