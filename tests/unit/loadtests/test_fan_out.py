from __future__ import annotations

from cluster.xmpp.jid import Jid
from loadtests.fan_out import FanOut, Heard

ROOM, OTHER = Jid.parse("a@rooms.lit"), Jid.parse("b@rooms.lit")
ROMEO, JULIET, NURSE = (Jid.parse(f"{name}@x.lit/locust") for name in ("romeo", "juliet", "nurse"))


def full() -> FanOut:
    """Two in a room, and one in another."""
    fan_out = FanOut()
    for jid, room in ((ROMEO, ROOM), (JULIET, ROOM), (NURSE, OTHER)):
        fan_out.enter(jid, room)
    return fan_out


def test_the_first_and_the_last_copy() -> None:
    fan_out = full()
    assert fan_out.say("1", ROMEO, ROOM, 7)
    assert fan_out.hear("1", NURSE) is None
    assert fan_out.hear("1", JULIET) == Heard(7, True, False)
    assert fan_out.hear("1", JULIET) is None
    assert not fan_out.wait_until_heard(ROMEO, 0.0)
    assert fan_out.hear("1", ROMEO) == Heard(7, False, True)
    assert fan_out.wait_until_heard(ROMEO, 0.0)
    assert fan_out.hear("1", ROMEO) is None


def test_who_is_not_inside_receives_nothing() -> None:
    fan_out = full()
    assert fan_out.say("1", NURSE, ROOM, 7)
    assert fan_out.hear("1", NURSE) is None
    fan_out.go_out(ROMEO)
    assert not fan_out.is_inside(ROMEO, ROOM)
    assert fan_out.hear("1", JULIET) == Heard(7, True, True)
    fan_out.go_out(JULIET)
    assert not fan_out.say("2", ROMEO, ROOM, 7)


def test_nobody_waits_for_who_has_left() -> None:
    fan_out = full()
    fan_out.say("1", ROMEO, ROOM, 7)
    fan_out.say("2", JULIET, ROOM, 8)
    fan_out.hear("1", ROMEO)
    assert fan_out.leave(JULIET) == ["2"]
    assert fan_out.wait_until_heard(ROMEO, 0.0)


def test_what_came_back_is_heard_by_nobody() -> None:
    fan_out = full()
    fan_out.say("1", ROMEO, ROOM, 7)
    assert fan_out.give_up("1") is not None
    assert fan_out.give_up("1") is None
    assert fan_out.hear("1", JULIET) is None
