"""The gateway's side of SMPP: an ESME, which stays bound to a message centre whenever possible."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import connectProtocol
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed, DNSLookupError
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.backoff import Backoff
from cluster.base.clock import Clock, as_interface
from cluster.base.storage import log_failed
from cluster.components.connection import Overloaded
from cluster.gateways.sms.inbound import Unacceptable
from cluster.protocols.smpp.constants import CommandId, CommandStatus, status_name
from cluster.protocols.smpp.pdu import Bind, Pdu, Sm, SmResp
from cluster.protocols.smpp.session import SmppSession
from cluster.protocols.smpp.window import Window

FIRST_RETRY_S = 0.1
LONGEST_RETRY_S = 10.0
REFUSED_RETRY_S = 60.0
"""A wrong password stays wrong until somebody changes it."""
HEALTHY_S = 10.0
"""A session that lasted this long was a good one: the next attempt follows soon."""
WINDOW = 10
"""Section 2.9 names this as the largest number of unanswered requests that most message centres take."""
MAX_DELIVERIES = 1000
MAX_DELIVERIES_BYTES = 4 << 20
"""Messages that may wait to be handled, and their texts; then the message centre is asked to try later."""

_REFUSALS = (CommandStatus.ESME_RINVPASWD, CommandStatus.ESME_RINVSYSID, CommandStatus.ESME_RBINDFAIL)
_UNREACHABLE = (ConnectError, ConnectionClosed, DNSLookupError)


class Login(msgspec.Struct, frozen=True):
    """The gateway's account at the message centre."""

    system_id: str
    """At most 15 characters."""
    password: str
    """At most 8 characters: SMPP 3.4 section 5.2.2."""

    def __post_init__(self) -> None:
        if len(self.system_id) > 15 or len(self.password) > 8:
            raise ValueError("SMPP allows at most 15 characters of system_id and 8 of password; shorten them")


class Esme:
    """Binds as transceiver, reconnects, and loses nothing in between."""

    _log = Logger()

    def __init__(
        self,
        reactor: Clock,
        endpoint: Any,
        login: Login,
        on_deliver: Callable[[Pdu], Awaitable[None]],
        jitter: Callable[[], float],
    ) -> None:
        """`endpoint`: that of the message centre. `jitter()` in [0, 1) spreads the attempts of many.

        `on_deliver` handles one deliver_sm after the other; if it fails, the message centre is asked to send that one
        again.
        """
        self._reactor = reactor
        self._endpoint = endpoint
        self._login = login
        self._on_deliver = on_deliver
        self._backoff = Backoff(FIRST_RETRY_S, LONGEST_RETRY_S, jitter)
        self._refused = Backoff(REFUSED_RETRY_S, REFUSED_RETRY_S, jitter)
        self._window = Window(reactor, CommandId.SUBMIT_SM, WINDOW, jitter)
        self._deliveries: deque[tuple[SmppSession, Pdu]] = deque()
        self._deliveries_bytes = 0
        self._delivering = False
        self._running: Deferred[None] | None = None
        self._session: SmppSession | None = None
        self._lost: Deferred[None] = Deferred()

    @property
    def bound(self) -> bool:
        """Whether the message centre accepts messages."""
        return self._window.open

    @property
    def unanswered(self) -> int:
        """Messages that the message centre has not accepted yet."""
        return self._window.count

    def start(self) -> None:
        """Bind, now and whenever the session is lost."""
        self._running = Deferred.fromCoroutine(self._keep_bound())
        self._running.addErrback(lambda failure: self._log.failure("The ESME gave up", failure))

    async def stop(self) -> None:
        """Unbind. Waiting submissions fail with CancelledError."""
        session, was_bound = self._session, self.bound
        if self._running is not None:
            self._running.cancel()
        self._window.stop()
        self._deliveries.clear()
        self._deliveries_bytes = 0
        if session is not None and was_bound:
            await session.unbind()

    def submit(self, sm: Sm, tlvs: Mapping[int, bytes], timeout_s: float) -> Deferred[str]:
        """Submit a message; returns its message_id. Fails with `window.Refused` or `window.NotAnswered`."""
        return self._window.send(sm, tlvs, timeout_s)

    async def _keep_bound(self) -> None:
        attempt = 0
        try:
            while True:
                began_s = self._reactor.seconds()
                status = await self._one_session()
                attempt = 0 if self._reactor.seconds() - began_s >= HEALTHY_S else attempt + 1
                backoff = self._refused if status in _REFUSALS else self._backoff
                await deferLater(as_interface(self._reactor), backoff.pause_s(attempt))
        except (CancelledError, ConnectingCancelledError):
            return  # the ESME is stopped

    async def _one_session(self) -> int:
        """Bind, and run until the session ends; returns the command_status of the bind."""
        self._lost = Deferred()
        session = SmppSession(self._reactor, self)
        try:
            await connectProtocol(self._endpoint, session)
            self._session = session
            login = Bind(self._login.system_id, self._login.password)
            response = await session.request(CommandId.BIND_TRANSCEIVER, login)
        except _UNREACHABLE as error:
            self._log.warn("no message centre yet: {error}", error=str(error))
            return 0
        except CancelledError:
            if self._session is session:
                session.close()
            raise
        status = response.command_status
        if status:
            self._tell_refusal(status)
            session.close()
            return status
        self._log.info("bound as {system_id}", system_id=self._login.system_id)
        self._window.attach(session)
        await self._lost
        self._log.warn("lost the message centre; {n} messages wait", n=self.unanswered)
        return 0

    def _tell_refusal(self, status: int) -> None:
        if status in _REFUSALS:
            self._log.error(
                "the message centre refuses system_id {system_id!r} ({status}): set its system_id and password in the "
                "topology; next try in a minute",
                system_id=self._login.system_id, status=status_name(status),
            )  # fmt: skip
        else:
            self._log.warn("the message centre does not let us bind: {status}", status=status_name(status))

    # --- as the SessionOwner

    def on_request(self, session: SmppSession, pdu: Pdu) -> None:
        """Handle deliver_sm in order; an ESME answers no other request."""
        if pdu.command_id is not CommandId.DELIVER_SM or not self.bound:
            session.respond(pdu, CommandStatus.ESME_RINVBNDSTS)
        elif len(self._deliveries) >= MAX_DELIVERIES or self._deliveries_bytes > MAX_DELIVERIES_BYTES:
            session.respond(pdu, CommandStatus.ESME_RMSGQFUL)
        else:
            self._deliveries.append((session, pdu))
            self._deliveries_bytes += pdu.size_bytes
            if not self._delivering:
                self._delivering = True
                Deferred.fromCoroutine(self._deliver())

    async def _deliver(self) -> None:
        while self._deliveries:
            session, pdu = self._deliveries.popleft()
            self._deliveries_bytes -= pdu.size_bytes
            try:
                await self._on_deliver(pdu)
            except Unacceptable as error:
                self._log.warn("a deliver_sm is rejected: {reason}", reason=str(error))
                session.respond(pdu, error.command_status)
            except (Overloaded, TimeoutError) as error:
                self._log.warn("the message centre keeps a message for now: {reason}", reason=str(error))
                session.respond(pdu, CommandStatus.ESME_RX_T_APPN)
            except Exception:  # whatever failed, the message must not be lost: the message centre sends it again
                log_failed(self._log, "Handling a message from the message centre", Failure())
                session.respond(pdu, CommandStatus.ESME_RX_T_APPN)
            else:
                session.respond(pdu, body=SmResp())
        self._delivering = False

    def on_lost(self, session: SmppSession) -> None:
        """Requests without an answer are sent over the next session."""
        if session is self._session:
            self._session = None
            self._window.detach(session)
            self._lost.callback(None)
