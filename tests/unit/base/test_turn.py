"""What is done at the end of a turn of the reactor, and in which order."""

from __future__ import annotations

from functools import partial

from twisted.internet.task import Clock

from cluster.base.turn import SOON_S, Stage, Turn
from tests.network import watched_log


def test_all_is_done_once_when_the_turn_is_over() -> None:
    clock, done = Clock(), list[str]()
    turn = Turn(clock)
    turn.add(lambda: done.append("a"))
    turn.add(lambda: done.append("b"))
    assert done == []
    clock.advance(0)
    assert done == ["a", "b"]
    turn.add(lambda: done.append("c"))
    clock.advance(0)
    clock.advance(1)
    assert done == ["a", "b", "c"]


def test_the_stages_keep_their_order_whoever_came_first() -> None:
    clock, done = Clock(), list[Stage]()
    turn = Turn(clock)
    for stage in reversed(Stage):
        turn.add(lambda stage=stage: done.append(stage), stage)
    clock.advance(0)
    assert done == [Stage.ARCHIVES, Stage.LINKS, Stage.PEERS, Stage.SESSIONS, Stage.ACKNOWLEDGE]


def test_what_comes_of_it_is_done_before_a_later_stage() -> None:
    clock, done = Clock(), list[str]()
    turn = Turn(clock)

    def flush() -> None:  # the end of a stream sends what it never got elsewhere
        done.append("flush")
        turn.add(lambda: done.append("link"), Stage.LINKS)

    turn.add(lambda: done.append("acknowledge"), Stage.ACKNOWLEDGE)
    turn.add(flush)
    clock.advance(0)
    assert done == ["flush", "link", "acknowledge"]


def test_a_failure_keeps_nobody_else_from_their_work() -> None:
    clock, done = Clock(), list[str]()
    turn = Turn(clock)
    turn.add(lambda: 1 // 0)
    turn.add(lambda: done.append("b"))
    with watched_log() as failures:
        clock.advance(0)
    assert done == ["b"]
    assert len(failures) == 1


def test_it_can_be_ended_at_once() -> None:
    clock, done = Clock(), list[str]()
    turn = Turn(clock)
    turn.add(lambda: done.append("a"))
    turn.run()
    assert done == ["a"]
    clock.advance(0)
    assert done == ["a"]


def test_what_is_gathered_is_done_soon() -> None:
    clock, done = Clock(), list[str]()
    turn = Turn(clock)
    turn.soon(lambda: done.append("a"), Stage.ACKNOWLEDGE)
    clock.advance(SOON_S / 2)
    turn.soon(lambda: done.append("b"), Stage.ARCHIVES)
    clock.advance(0)
    assert done == []
    clock.advance(SOON_S / 2)
    clock.advance(0)
    assert done == ["b", "a"]


def test_what_is_gathered_is_done_before_anything_is_acknowledged() -> None:
    clock, done = Clock(), list[str]()
    turn = Turn(clock)
    turn.soon(lambda: done.append("archive"), Stage.ARCHIVES)
    turn.add(lambda: done.append("acknowledge"), Stage.ACKNOWLEDGE)
    clock.advance(0)
    assert done == ["archive", "acknowledge"]


def test_all_of_it_can_be_done_at_once() -> None:
    clock, done = Clock(), list[str]()
    turn = Turn(clock)
    turn.add(lambda: done.append("now"))
    turn.soon(lambda: done.append("soon"), Stage.ARCHIVES)
    turn.run_all()
    assert done == ["soon", "now"]
    clock.advance(1)
    assert done == ["soon", "now"]


def test_one_timer_gathers_however_often_it_is_done_before() -> None:
    """Each acknowledgement does what is gathered; a timer for each would wake the reactor as often again."""
    clock = Clock()
    turn = Turn(clock)
    done: list[int] = []
    for number in range(5):
        turn.soon(partial(done.append, number), Stage.ARCHIVES)
        turn.run_all()
    assert done == [0, 1, 2, 3, 4]
    assert len([call for call in clock.getDelayedCalls() if call.getTime() > 0]) == 1
    turn.soon(partial(done.append, 5), Stage.ARCHIVES)
    clock.advance(SOON_S)
    clock.advance(0)
    assert done[-1] == 5


def test_while_it_may_not_run_everything_waits() -> None:
    clock, done = Clock(), []
    turn = Turn(clock)
    turn.may_run = lambda: False
    turn.add(lambda: done.append("later"), Stage.ACKNOWLEDGE)
    clock.advance(1)
    turn.add(lambda: done.append("first"), Stage.LINKS)
    clock.advance(1)
    assert done == []
    turn.may_run = lambda: True
    turn.run()
    assert done == ["first", "later"]
    turn.add(lambda: done.append("as usual"))
    clock.advance(0)
    assert done[2:] == ["as usual"]
