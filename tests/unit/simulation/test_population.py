"""People with several devices, in rooms, on the move, and with friends behind gateways: the promises hold for all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from cluster.modules import carbons
from cluster.protocols.smtp.port import Mail
from cluster.protocols.smtp.queue import OutboundQueue
from cluster.services.rooms.directory import Rooms
from cluster.simulation.api import simulate, with_population
from cluster.simulation.report import SimulationReport
from cluster.topology.plan import Plan
from cluster.topology.presets import PRESETS
from tests.unit.cli.shell import Shell, shell
from tests.unit.simulation.plans import MIXED, named, written

__all__ = ["shell"]


def plan(folder: Path, **population: Any) -> Plan:
    """The topology with all that people can do, and the things that this population does."""
    topology = yaml.safe_load(MIXED)
    topology["servers"]["s1"]["nodes"] = 1
    return written(yaml.safe_dump({**topology, "population": {"arrival": "5s", **population}}), folder)


def run(plan: Plan, **how: Any) -> SimulationReport:
    return simulate(plan, **{"duration_s": 60, "people": 8, **how})


DEVICES = {"devices": ["0%", "60%", "40%"], "conversation": "10s", "session": "1m", "absence": "20s", "breaks": "30s"}
ROOMS = {"rooms": 1, "remark": "5s", "visit": "20s", "absence": "10s", "conversation": "1m"}
MOVES = {"roaming": "10s", "breaks": "never", "conversation": "10s"}
BEYOND = {"sms": "40%", "mail": "40%", "conversation": "10s"}


@pytest.mark.parametrize("preset", PRESETS)
def test_each_preset_keeps_all_promises(preset: Any) -> None:
    report = run(with_population(named("rooms"), preset), duration_s=240, people=8)
    assert report.broken == []
    assert report.messages.sent + report.rooms.said > 5


def test_each_device_of_an_account_sees_all_that_it_sends_and_receives(tmp_path: Path) -> None:
    report = run(plan(tmp_path, **DEVICES))
    assert report.broken == []
    assert report.devices >= 2 * report.people
    assert report.messages.delivered > 20


def test_a_device_that_gets_no_copies_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carbons, "_send", lambda direction, account, stanza, sessions: None)
    assert any(each.startswith("copies missing: ") for each in run(plan(tmp_path, **DEVICES)).broken)


def test_all_occupants_of_a_room_hear_the_same(tmp_path: Path) -> None:
    report = run(plan(tmp_path, **ROOMS))
    assert report.broken == []
    assert report.rooms.heard > 2 * report.rooms.said > 40


def test_an_occupant_that_misses_something_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    send, count = Rooms.send, iter(range(1_000_000))

    def forgetful(rooms: Rooms, stanza: Any, sessions: Any) -> Any:
        receivers = [*sessions]
        return send(rooms, stanza, receivers if next(count) % 10 else receivers[1:])

    monkeypatch.setattr(Rooms, "send", forgetful)
    assert any("rooms" in each for each in run(plan(tmp_path, **ROOMS)).broken)


def test_a_client_that_changes_its_address_resumes_its_stream(tmp_path: Path) -> None:
    report = run(plan(tmp_path, **MOVES))
    assert report.broken == []
    assert report.breaks > 20
    assert report.logins > report.breaks, "each time it comes back"


def test_texts_and_mails_go_there_and_back(tmp_path: Path) -> None:
    report = run(plan(tmp_path, **BEYOND))
    assert report.broken == []
    assert report.messages.through_gateways > 20


def test_a_mail_that_is_sent_twice_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submit = OutboundQueue.submit

    async def twice(queue: OutboundQueue, mail: Mail) -> None:
        await submit(queue, mail)
        await submit(queue, msgspec.structs.replace(mail, id=f"{mail.id}-again"))

    monkeypatch.setattr(OutboundQueue, "submit", twice)
    assert any(each.startswith("duplicated: ") for each in run(plan(tmp_path, **BEYOND)).broken)


@pytest.mark.parametrize("router", ["memory", "redis"])
def test_troubles_change_none_of_it(tmp_path: Path, router: Any) -> None:
    report = run(written(MIXED, tmp_path), troubles=8, router=router)
    assert report.broken == []
    assert any("g1" in each or "g2" in each for each in report.troubles)


def test_people_follow_the_day(tmp_path: Path) -> None:
    day, night = (
        run(plan(tmp_path, rhythm="office", begins=begins, conversation="10s")).messages.sent for begins in (10, 2)
    )
    assert night * 4 < day


def test_the_number_of_people_of_the_topology(tmp_path: Path) -> None:
    assert run(plan(tmp_path, people=7), people=0, duration_s=1).people == 7


def test_a_preset_takes_the_place_of_the_section(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "people.yaml"
    file.write_text("name: people\nservers:\n  s1: {domain: montague.lit}\npopulation: {devices: ['0%', '100%']}\n")
    code, out, _ = shell.run("simulate", str(file), "--people", "3", "--for", "1s")
    assert (code, out.splitlines()[0]) == (0, "people, seed 1: 1 domains, 3 people with 6 devices")
    code, out, _ = shell.run("simulate", str(file), "--people", "3", "--for", "1s", "--population", "office")
    assert (code, out.splitlines()[0]) == (0, "people, seed 1: 1 domains, 3 people with 3 devices")


def test_people_know_and_visit_only_who_is_within_reach(tmp_path: Path) -> None:
    """The domains of a line: s1 and s3 are not joined."""
    servers = {f"s{number}": {"domain": f"d{number}.lit", "rooms": f"rooms.d{number}.lit"} for number in range(1, 4)}
    line = {
        "name": "line",
        "servers": servers,
        "mesh": False,
        "links": [{"between": ["s1", "s2"]}, {"between": ["s2", "s3"]}],
        "population": {"arrival": "5s", "conversation": "10s", "rooms": 2, "remark": "5s", "visit": "20s"},
    }
    report = simulate(written(yaml.safe_dump(line), tmp_path), duration_s=60, people=12)
    assert report.broken == []
    assert report.messages.delivered > 10
    assert report.rooms.said > 10
