"""When each outgoing mail is tried: not before it is due, and after earlier ones of its sender and recipient."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count

from cluster.base.clock import Clock
from cluster.protocols.smtp.port import Mail

LONGEST_PAUSE_S = 900.0
"""Between two tries of a mail."""


class Schedule:
    """The mails that wait to be tried."""

    def __init__(self, clock: Clock, now_utc_s: Callable[[], float]) -> None:
        self._clock = clock
        self._now_utc_s = now_utc_s
        self._numbers = count()
        self._due: deque[Mail] = deque()
        self._later: list[tuple[float, int, Mail]] = []
        """A heap by due time, of a steady clock."""
        self._behind: dict[tuple[str, str], deque[Mail]] = {}
        """By sender and recipient: mails that wait for an earlier one, which is tried now or later."""

    def add(self, mail: Mail) -> None:
        """Schedule a new mail after earlier ones of its sender and recipient: several connections would mix them."""
        pair = _pair(mail)
        if pair in self._behind:
            self._behind[pair].append(mail)
        else:
            self._behind[pair] = deque()
            self.again(mail)

    def again(self, mail: Mail) -> None:
        """Schedule the mail for the time at which it is due, ahead of the later ones of its sender and recipient.

        By a clock that was set back since, that may be too far away.
        """
        due_s = self._clock.seconds() + min(LONGEST_PAUSE_S, max(0.0, round(mail.due_utc_s - self._now_utc_s(), 3)))
        heapq.heappush(self._later, (due_s, next(self._numbers), mail))

    def done(self, mail: Mail) -> bool:
        """The mail is finished; True if that lets another one of its sender and recipient be tried."""
        behind = self._behind[_pair(mail)]
        if behind:
            self.again(behind.popleft())
            return True
        del self._behind[_pair(mail)]
        return False

    @property
    def due(self) -> int:
        """How many mails are to be tried now."""
        now_s = self._clock.seconds()
        while self._later and self._later[0][0] <= now_s:
            self._due.append(heapq.heappop(self._later)[2])
        return len(self._due)

    @property
    def next_s(self) -> float | None:
        """When the next mail that is not due yet will be, by the steady clock; None if there is none."""
        return self._later[0][0] if self._later else None

    def take(self) -> Mail | None:
        """The next mail that is due, which is not scheduled any more."""
        return self._due.popleft() if self.due else None

    def remove(self, is_wanted: Callable[[Mail], bool]) -> Iterable[Mail]:
        """Remove these from what is scheduled. What waits for an earlier mail is not asked about: it is younger."""
        scheduled = [*self._due, *(mail for _, _, mail in self._later)]
        removed = {mail.id: mail for mail in scheduled if is_wanted(mail)}
        self._due = deque(mail for mail in self._due if mail.id not in removed)
        self._later = [entry for entry in self._later if entry[2].id not in removed]
        heapq.heapify(self._later)
        return removed.values()


def _pair(mail: Mail) -> tuple[str, str]:
    """The key within which order is kept. A return path belongs to one mail of a message only."""
    return str(mail.sent.from_.bare) if mail.sent is not None else mail.return_path, mail.recipient
