"""What the checkers of copies and of rooms find."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from cluster.simulation.checker import Checker
from cluster.simulation.lab import SimulatedLab
from cluster.simulation.population import Population
from cluster.simulation.room_checker import RoomChecker
from cluster.virtual.timeline import NS
from cluster.xmpp.stanza import make
from tests.unit.simulation.plans import named

TWO = {"1": ["1.0", "1.1"]}
"""Person 1 has two devices."""


@pytest.fixture
def checker() -> Checker:
    made = Checker()
    made.copies.devices.update(TWO)
    for device in TWO["1"]:
        made.listens(device, 0)
    return made


@pytest.fixture
def rooms() -> RoomChecker:
    return RoomChecker(lambda what, text: None)


def counts(checker: Checker) -> dict[str, int]:
    """What is wrong at the end."""
    lost, _ = checker.lost({})
    found = checker.messages(lost, 0)
    names = ("lost", "out_of_order", "duplicated", "duplicated_same_id", "misdelivered", "copies_missing")
    return {name: count for name in names if (count := getattr(found, name))}


def test_both_devices_get_a_message(checker: Checker) -> None:
    id = checker.new_id("0.0", "1", NS)
    assert checker.arrived(id, "1.0", 2 * NS, 0, b"a") == "0.0", "who may be answered"
    assert checker.arrived(id, "1.1", 2 * NS, 0, b"a") is None, "one of the devices has it already"
    assert counts(checker) == {}


def test_a_device_that_is_left_out(checker: Checker) -> None:
    checker.arrived(checker.new_id("0.0", "1", NS), "1.0", 2 * NS, 0, b"a")
    assert counts(checker) == {"copies_missing": 1}


def test_the_other_device_sees_what_one_sends(checker: Checker) -> None:
    seen, unseen = checker.new_id("1.0", "0", NS), checker.new_id("1.0", "0", NS)
    for id in (seen, unseen):
        checker.arrived(id, "0.0", 2 * NS, 0, b"a")
    checker.copied(seen, "1.1", b"a")
    assert counts(checker) == {"copies_missing": 1}


def test_no_copy_is_owed_to_a_device_that_came_later_or_went(checker: Checker) -> None:
    checker.session_ended("1.1", NS, is_orderly=True)
    early = checker.new_id("0.0", "1", 2 * NS)
    checker.listens("1.1", 3 * NS)
    checker.arrived(early, "1.0", 4 * NS, 0, b"a")
    checker.arrived(checker.new_id("0.0", "1", 5 * NS), "1.0", 6 * NS, 0, b"b")
    checker.session_ended("1.1", 7 * NS, is_orderly=True)
    assert counts(checker) == {}


def test_a_device_that_was_left_out_for_long_before_it_went(checker: Checker) -> None:
    checker.arrived(checker.new_id("0.0", "1", NS), "1.0", 2 * NS, 0, b"a")
    checker.session_ended("1.1", 100 * NS, is_orderly=True)
    assert counts(checker) == {"copies_missing": 1}


def test_each_device_gets_it_in_order_and_once(checker: Checker) -> None:
    first, second = checker.new_id("0.0", "1", NS), checker.new_id("0.0", "1", NS)
    for device, ids in {"1.0": [second, first], "1.1": [first, second, second]}.items():
        for id in ids:
            checker.arrived(id, device, 2 * NS, 0, id.encode())
    assert counts(checker) == {"out_of_order": 1, "duplicated_same_id": 1}


def test_what_an_ended_session_had_not_got_may_come_late_to_another_device(checker: Checker) -> None:
    first, second = checker.new_id("0.0", "1", NS), checker.new_id("0.0", "1", NS)
    checker.arrived(second, "1.1", 2 * NS, 0, b"b")
    checker.copies.unsettle("1.0")
    checker.arrived(first, "1.1", 3 * NS, 0, b"a")
    checker.arrived(second, "1.1", 3 * NS, 0, b"b")
    checker.session_ended("1.0", 4 * NS, is_orderly=False)
    assert counts(checker) == {}


def test_a_message_for_somebody_else(checker: Checker) -> None:
    checker.arrived(checker.new_id("1.0", "0", NS), "1.1", 2 * NS, 0, b"a")
    assert counts(checker)["misdelivered"] == 1


def test_texts_may_overtake_one_another_and_come_once(checker: Checker) -> None:
    first, second = checker.new_id("0.0", "b0", NS), checker.new_id("0.0", "b0", NS)
    for id in (second, first, first):
        checker.arrived(id, "b0", 2 * NS, 0, b"")
    assert counts(checker) == {"duplicated": 1}
    assert checker.messages(0, 0).through_gateways == 2


@pytest.mark.parametrize(("is_online", "wrong"), [(False, {}), (True, {"lost": 1})])
def test_an_error_that_finds_no_session_came_back_if_its_device_is_gone(is_online: bool, wrong: dict[str, int]) -> None:
    """Found by ten people with 12 troubles, over Redis, seeds 8, 31, 37 and 45: "lost"."""
    lab = SimulatedLab(named("verona"), 1)
    population = Population(lab, range(2))
    Deferred.fromCoroutine(lab.start())
    sender = population.resources[0]
    sender.device.is_online = is_online
    id = population.checker.new_id(sender.address, "1", 0)
    error = make("message", from_=population.people[1].jid, to=sender.jid, id=id, type="error")
    lab.nodes[sender.server].server.routing.route(error)
    lab.let_pass(1, lambda: None)
    assert counts(population.checker) == wrong


def said(rooms: RoomChecker, *heard: list[int]) -> dict[str, int]:
    """What is wrong where each of these occupants heard these of four messages, which the first one has said."""
    stays = [rooms.enters(0, f"{number}.0") for number, _ in enumerate(heard)]
    ids = [rooms.new_id(stays[0], NS) for _ in range(4)]
    for stay, numbers in zip(stays, heard, strict=True):
        for number in numbers:
            rooms.hears(stay, ids[number], 2 * NS, b"")
    rooms.settle()
    report = rooms.report()
    return {name: count for name in ("lost", "out_of_step", "duplicated") if (count := getattr(report, name))}


@pytest.mark.parametrize(
    ("heard", "wrong"),
    [
        ([[0, 1, 2, 3], [0, 1, 2, 3]], {}),
        ([[0, 1, 2, 3], [2, 3], []], {}),
        ([[0, 1, 2, 3], [0, 1, 3]], {"out_of_step": 1}),
        ([[0, 1, 2, 3], [0, 2, 1, 3]], {"out_of_step": 3}),
        ([[0, 1, 2, 3], [0, 1]], {"out_of_step": 1}),
        ([[0, 1, 2], [0, 1, 2]], {"lost": 1}),
        ([[0, 1, 2, 3], [0, 1, 1, 2, 3]], {"duplicated": 1}),
    ],
    ids=["all", "later", "gap", "order", "end", "lost", "twice"],
)
def test_what_occupants_of_a_room_hear(rooms: RoomChecker, heard: list[list[int]], wrong: dict[str, int]) -> None:
    assert said(rooms, *heard) == wrong


def test_an_occupant_that_comes_back_has_missed_what_was_said_meanwhile(rooms: RoomChecker) -> None:
    speaker, other = rooms.enters(0, "0.0"), rooms.enters(0, "1.0")
    ids = [rooms.new_id(speaker, NS) for _ in range(3)]
    for id in ids:
        rooms.hears(speaker, id, NS, b"")
    rooms.hears(other, ids[0], NS, b"")
    rooms.is_over(other)
    rooms.hears(rooms.enters(0, "1.0"), ids[2], NS, b"")
    rooms.settle()
    assert rooms.report().out_of_step == 0


def test_what_a_room_refuses_is_not_lost(rooms: RoomChecker) -> None:
    rooms.came_back(rooms.new_id(rooms.enters(0, "0.0"), NS), "not-acceptable")
    rooms.settle()
    assert (rooms.report().returned, rooms.report().lost) == (1, 0)
