"""Short messages on their way to the other side of SMPP: in order, with a limited number unanswered, none forgotten."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.backoff import Backoff
from cluster.base.clock import Clock
from cluster.protocols.smpp.constants import CommandId, CommandStatus, status_name
from cluster.protocols.smpp.pdu import Pdu, Sm, SmResp
from cluster.protocols.smpp.session import SmppSession

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 15.0
"""Pause after a peer throttled a message: doubled until it accepts one again."""

_LATER = frozenset(
    (CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL, CommandStatus.ESME_RX_T_APPN)
)  # fmt: skip
"""Temporary refusals: the same message may be accepted later."""


class Refused(Exception):
    """A permanent failure: the other side refuses this message."""

    def __init__(self, command_status: int) -> None:
        super().__init__(f"refused with {status_name(command_status)}")
        self.command_status = command_status


class NotAnswered(Exception):
    """The message was not accepted in time; `maybe_taken`: it was sent, and no response came."""

    def __init__(self, maybe_taken: bool) -> None:
        super().__init__("sent, and not answered" if maybe_taken else "never sent")
        self.maybe_taken = maybe_taken


class _Item:
    """One short message."""

    def __init__(self, number: int, sm: Sm, tlvs: Mapping[int, bytes], forget: Callable[[_Item], None]) -> None:
        self.number = number
        self.sm = sm
        self.tlvs = tlvs
        self.done: Deferred[str] = Deferred(lambda _: forget(self))
        self.unanswered = False
        self.under_way = False
        self.late = False
        self.timer: Any = None

    def __lt__(self, other: _Item) -> bool:
        return self.number < other.number


class Window:
    """Sends over the current session, and sends unanswered messages again over the next one."""

    _log = Logger()

    def __init__(self, reactor: Clock, command_id: CommandId, size: int, jitter: Callable[[], float]) -> None:
        """`size`: how many may be unanswered at a time. `jitter()` in [0, 1) spreads the retries of many senders."""
        self._reactor = reactor
        self._command_id = command_id
        self._size = size
        self._backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S, jitter)
        self._refusals = 0
        self._numbers = count()
        self._waiting: list[_Item] = []
        self._under_way = 0
        self._session: SmppSession | None = None
        self._pause: Any = None
        self._unsettled: set[_Item] = set()

    @property
    def count(self) -> int:
        """Messages without a final response."""
        return len(self._unsettled)

    @property
    def open(self) -> bool:
        """Whether there is a session."""
        return self._session is not None

    def send(self, sm: Sm, tlvs: Mapping[int, bytes], timeout_s: float) -> Deferred[str]:
        """Send a message; returns the message_id of the other side. Fails with Refused or, after `timeout_s`, with
        NotAnswered.

        Cancel the Deferred to take the message back, if it is not on its way.
        """
        item = _Item(next(self._numbers), sm, tlvs, self._forget)
        item.timer = self._reactor.callLater(max(timeout_s, 0), self._too_late, item)
        self._unsettled.add(item)
        heapq.heappush(self._waiting, item)
        self._pump()
        return item.done

    def attach(self, session: SmppSession) -> None:
        """Send over this session from now on."""
        self._session = session
        again = sum(item.unanswered for item in self._waiting)
        if again:
            self._log.warn("{n} short messages were never answered and are sent again", n=again)
        self._pump()

    def detach(self, session: SmppSession) -> None:
        """The session has ended; unanswered messages wait for the next one."""
        if session is self._session:
            self._session = None

    def stop(self) -> None:
        """Send nothing more; waiting callers get CancelledError."""
        self._session = None
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        for item in sorted(self._unsettled):
            item.done.cancel()

    def _pump(self) -> None:
        while self._session is not None and self._pause is None and self._waiting and self._under_way < self._size:
            item = heapq.heappop(self._waiting)
            if item not in self._unsettled:
                continue
            item.under_way = True
            self._under_way += 1
            response = self._session.request(self._command_id, item.sm, item.tlvs)
            response.addCallbacks(self._answered, self._lost, callbackArgs=(item,), errbackArgs=(item,))

    def _answered(self, response: Pdu, item: _Item) -> None:
        self._back(item)
        status = response.command_status
        if status in _LATER:
            self._wait(status)
            self._again(item)
        elif status or response.command_id is CommandId.GENERIC_NACK:
            self._settle(item, Refused(status or CommandStatus.ESME_RUNKNOWNERR))
        else:
            self._refusals = 0
            self._settle(item, response.body.message_id if isinstance(response.body, SmResp) else "")
        self._pump()

    def _lost(self, failure: Failure, item: _Item) -> None:
        self._session = None  # the session has ended; its owner hears of it only now
        self._back(item)
        item.unanswered = True
        self._again(item)

    def _back(self, item: _Item) -> None:
        item.under_way = False
        self._under_way -= 1

    def _again(self, item: _Item) -> None:
        if item.late:
            self._settle(item, NotAnswered(item.unanswered))
        else:
            heapq.heappush(self._waiting, item)

    def _too_late(self, item: _Item) -> None:
        if item.under_way:
            item.late = True  # its response is due within the session's own time limit
        else:
            self._settle(item, NotAnswered(item.unanswered))

    def _settle(self, item: _Item, result: str | Exception) -> None:
        if item not in self._unsettled:
            return
        self._forget(item)
        if isinstance(result, Exception):
            item.done.errback(result)
        else:
            item.done.callback(result)

    def _forget(self, item: _Item) -> None:
        self._unsettled.discard(item)
        if item.timer.active():
            item.timer.cancel()

    def _wait(self, status: int) -> None:
        if self._pause is None:
            pause_s = self._backoff.pause_s(self._refusals)
            self._log.info("the other side says {status}; next try in {s:.2g} s", status=status_name(status), s=pause_s)
            self._pause = self._reactor.callLater(pause_s, self._go_on)
            self._refusals += 1

    def _go_on(self) -> None:
        self._pause = None
        self._pump()
