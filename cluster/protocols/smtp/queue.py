"""Outgoing mails: tried until they are accepted, refused for good, or too old."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.backoff import Backoff
from cluster.base.clock import Clock
from cluster.base.storage import insist, is_away, log_failed
from cluster.protocols.smtp.port import Mail, Spool
from cluster.protocols.smtp.relay import Relay
from cluster.protocols.smtp.schedule import LONGEST_PAUSE_S, Schedule
from cluster.protocols.smtp.sender import Answer, SmtpSender
from cluster.trace.hop import Event, Tracer

FIRST_PAUSE_S = 5.0
"""Pause after the first temporary refusal, or the first lost connection; doubled each time."""
MAX_CONNECTIONS = 4
MAX_MAILS = 10_000
MAX_BYTES = 64 << 20
"""Mails that may wait, and their bytes, which are in memory."""
STOP_TIMEOUT_S = 5.0
"""For mails that are partly sent when the process ends."""

OnFailed = Callable[[Mail, Answer], Awaitable[None]]
"""Tells the sender of the mail; the mail is removed when that is done, and kept if it raises."""


class QueueFull(Exception):
    """Too many mails wait."""


class OutboundQueue:
    """All mails for one relay."""

    _log = Logger()

    def __init__(
        self,
        clock: Clock,
        spool: Spool,
        relay: Relay,
        on_failed: OnFailed,
        tracer: Tracer,
        node: str,
        *,
        now_utc_s: Callable[[], float],
        jitter: Callable[[], float],
    ) -> None:
        """`node`: the lab node of their hops; `jitter()` in [0, 1) spreads the retries of many."""
        self._clock = clock
        self._spool = spool
        self._relay = relay
        self._on_failed = on_failed
        self._tracer = tracer
        self._node = node
        self._now_utc_s = now_utc_s
        self._backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S, jitter)
        self._mails: dict[str, Mail] = {}
        """All mails, by id."""
        self._schedule = Schedule(clock, now_utc_s)
        """Those that no connection has."""
        self._size_bytes = 0
        self._last_accepted_utc_s = 0.0
        self._under_way: set[str] = set()
        """A connection has it, or its sender is being told."""
        self._couriers = 0
        self._connecting: set[Deferred[Any]] = set()
        self._connected: set[SmtpSender] = set()
        self._failures = 0
        """Failed connections in a row."""
        self._closed_until_s = 0.0
        self._timer: Any = None
        self._idle: Deferred[None] | None = None
        """The queue stops and waits for the end of all connections."""

    @property
    def waiting(self) -> int:
        """Unfinished mails."""
        return len(self._mails)

    async def start(self) -> None:
        """Load what an earlier process left, and send it."""
        for mail in await self._spool.load():
            self._keep(mail)
            self._schedule.add(mail)
        self._pump()

    async def stop(self) -> None:
        """Stop when partly sent mails are sent; the others stay in the spool."""
        self._idle = Deferred()
        self._cancel_timer()
        for connecting in [*self._connecting]:
            connecting.cancel()
        if self._couriers:
            abort = self._clock.callLater(STOP_TIMEOUT_S, self._abort)
            await self._idle
            if abort.active():
                abort.cancel()

    async def submit(self, mail: Mail) -> None:
        """Accept a mail: when this returns, it is stored. A known id means that it is. Raises QueueFull."""
        if mail.id in self._mails:
            return
        if len(self._mails) >= MAX_MAILS or self._size_bytes + len(mail.data) > MAX_BYTES:
            raise QueueFull(f"{len(self._mails)} mails wait for {self._relay.settings.host}")
        if mail.accepted_utc_s <= self._last_accepted_utc_s:  # the spool keeps their order by it
            mail = msgspec.structs.replace(mail, accepted_utc_s=self._last_accepted_utc_s + 1e-6)
        self._keep(mail)
        try:
            await self._spool.put(mail)
        except BaseException:
            self._forget(mail)
            raise
        self._record(Event.ENQUEUED, mail, f"for {self._relay.settings.host}")
        self._schedule.add(mail)
        self._pump()

    def _keep(self, mail: Mail) -> None:
        self._mails[mail.id] = mail
        self._size_bytes += len(mail.data)
        self._last_accepted_utc_s = max(self._last_accepted_utc_s, mail.accepted_utc_s)

    def _forget(self, mail: Mail) -> None:
        del self._mails[mail.id]
        self._size_bytes -= len(mail.data)

    # --- as the Work of connections

    def next(self) -> Mail | None:
        """The next due mail."""
        mail = self._schedule.take() if self._idle is None else None
        if mail is not None:
            self._under_way.add(mail.id)
        return mail

    def answered(self, mail: Mail, answer: Answer) -> None:
        """Remove the mail, try it again later, or give it up."""
        self._under_way.discard(mail.id)
        if answer.is_taken:
            self._failures = 0
            self._record(Event.SENT, mail, f"{self._relay.settings.host}: {answer}")
            self._run(self._drop(mail))
        elif answer.is_final or self._deadline_utc_s(mail) <= self._now_utc_s():
            self._run(self._fail(mail, answer))
        else:
            pause_s = self._backoff.pause_s(mail.attempts)
            due_utc_s = min(self._now_utc_s() + pause_s, self._deadline_utc_s(mail))
            again = msgspec.structs.replace(mail, attempts=mail.attempts + 1, due_utc_s=due_utc_s)
            self._log.info("{id} is tried again in {s:.0f} s: {why}", id=mail.id, s=pause_s, why=str(answer))
            self._mails[mail.id] = again
            self._schedule.again(again)
            self._run(self._spool.put(again))

    def ended(self, courier: SmtpSender | None, trouble: str) -> None:
        """A connection has ended."""
        self._couriers -= 1
        if courier is not None:
            self._connected.discard(courier)
        if self._idle is not None:
            if not self._couriers and not self._idle.called:
                self._idle.callback(None)
            return
        if trouble:
            self._close(trouble)
        self._pump()

    # --- connections

    def _pump(self) -> None:
        """Open connections if mails are due; otherwise set a timer."""
        self._cancel_timer()
        if self._idle is not None:
            return
        schedule = self._schedule
        closed_s = self._closed_until_s - self._clock.seconds()
        if schedule.due and closed_s <= 0:
            while self._couriers < min(MAX_CONNECTIONS, schedule.due + len(self._under_way)):
                self._connect()
                if self._closed_until_s > self._clock.seconds():
                    return  # it failed at once, and the timer is set
        if schedule.due and closed_s > 0:
            self._timer = self._clock.callLater(closed_s, self._pump)
        elif (next_s := schedule.next_s) is not None:
            self._timer = self._clock.callLater(max(closed_s, next_s - self._clock.seconds(), 0), self._pump)

    def _connect(self) -> None:
        self._couriers += 1
        connecting = self._relay.connect(self)
        self._connecting.add(connecting)
        connecting.addBoth(self._connection_made, connecting)

    def _connection_made(self, result: Any, connecting: Deferred[Any]) -> None:
        self._connecting.discard(connecting)
        if isinstance(result, Failure):
            self.ended(None, f"cannot connect: {result.getErrorMessage()}")
        elif not result.is_over:
            self._connected.add(result)

    def _close(self, trouble: str) -> None:
        """The relay accepts no mail now: give up mails that are too old, and try the others later."""
        now_s, now_utc_s = self._clock.seconds(), self._now_utc_s()
        if self._closed_until_s > now_s:
            return  # another connection found that out already
        self._failures += 1
        host = self._relay.settings.host
        self._give_up_old(Answer(0, f"{host}: {trouble}"))
        waiting = (mail for mail in self._mails.values() if mail.id not in self._under_way)
        left_s = (self._deadline_utc_s(mail) - now_utc_s for mail in waiting)
        pause_s = min(self._backoff.pause_s(self._failures - 1), min(left_s, default=LONGEST_PAUSE_S))
        self._closed_until_s = now_s + pause_s
        self._log.warn(
            "{n} mails wait for {host}, which is tried again in {s:.0f} s: {trouble}; is it up, and are its address, "
            "user and password right?",
            n=len(self._mails), host=host, s=pause_s, trouble=trouble,
        )  # fmt: skip

    def _give_up_old(self, answer: Answer) -> None:
        now_utc_s = self._now_utc_s()
        for mail in self._schedule.remove(lambda mail: self._deadline_utc_s(mail) <= now_utc_s):
            self._run(self._fail(mail, answer))

    def _deadline_utc_s(self, mail: Mail) -> float:
        return mail.accepted_utc_s + self._relay.settings.give_up_after_s

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    # --- completion

    async def _fail(self, mail: Mail, answer: Answer) -> None:
        self._under_way.add(mail.id)
        try:
            await self._on_failed(mail, answer)
        except Exception as error:  # the mail is kept until its sender is told
            if not is_away(error):
                self._log.failure("the sender of {id} could not be told of its failure; tried again", id=mail.id)
            self._under_way.discard(mail.id)
            self._schedule.again(msgspec.structs.replace(mail, due_utc_s=self._now_utc_s() + LONGEST_PAUSE_S))
            self._pump()
            return
        self._under_way.discard(mail.id)
        self._record(Event.BOUNCED, mail, str(answer))
        await self._drop(mail)

    async def _drop(self, mail: Mail) -> None:
        self._forget(mail)
        if self._schedule.done(mail):
            self._pump()
        await insist(self._clock, partial(self._spool.drop, mail.id))  # otherwise the next process sends it again

    def _run(self, work: Coroutine[Deferred[Any], Any, None]) -> None:
        Deferred.fromCoroutine(work).addErrback(partial(log_failed, self._log, "Storing the state of a mail"))

    def _abort(self) -> None:
        for courier in [*self._connected]:
            courier.transport.abortConnection()

    def _record(self, event: Event, mail: Mail, detail: str) -> None:
        self._tracer.record_foreign(
            event, mail.trace_id, "mail", mail.return_path, mail.recipient, len(mail.data), detail, self._node
        )
