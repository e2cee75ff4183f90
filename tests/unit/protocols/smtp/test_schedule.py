"""When a mail is tried."""

from __future__ import annotations

from twisted.internet.task import Clock

from cluster.protocols.smtp.port import Mail
from cluster.protocols.smtp.schedule import LONGEST_PAUSE_S, Schedule


def test_what_an_earlier_process_put_off_by_a_clock_that_was_wrong_is_due_soon() -> None:
    clock = Clock()
    schedule = Schedule(clock, lambda: 1_700_000_000.0)
    schedule.add(Mail("1", "", "friar@abbey.example", b"", 1_700_086_400.0, 1_700_086_405.0))
    assert schedule.next_s == LONGEST_PAUSE_S
    clock.advance(LONGEST_PAUSE_S)
    assert schedule.due == 1
