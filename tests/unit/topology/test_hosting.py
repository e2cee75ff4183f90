"""The services of a server in the file: short and long form, and what their domains can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import kinds, services
from cluster.topology.plan import Plan, ServiceSeed
from cluster.topology.resolve import resolve

from .conftest import MODULES, Load, Problems

ROOMS = ServiceSeed("rooms", "conference.montague.lit")


def lab(server: str, more: str = "") -> str:
    return f"name: lab\nservers:\n  s1: {{domain: montague.lit, {server}}}\n  s2: {{domain: capulet.lit}}\n{more}"


def resolved(load_text: Load, text: str) -> Plan:
    return resolve(load_text(text), Path("lab.yaml"), Path("/tmp/x"), modules=MODULES, redis_url="")


def test_each_kind_of_services_has_something_that_runs() -> None:
    assert [*kinds.services()] == [*services.names()]


@pytest.mark.parametrize(
    "written", ["rooms: conference.montague.lit", "rooms: {domain: Conference.Montague.lit}"]
)  # fmt: skip
def test_a_domain_alone_is_enough(load_text: Load, written: str) -> None:
    plan = resolved(load_text, lab(written))
    [first, second] = plan.servers
    assert [(each.kind, each.domain) for each in first.services] == [(ROOMS.kind, ROOMS.domain)]
    assert second.services == ()
    assert plan.served_by == {"conference.montague.lit": "montague.lit"}


def test_of_several_nodes_the_first_has_the_services(load_text: Load) -> None:
    plan = resolved(load_text, lab("nodes: 2, rooms: conference.montague.lit"))
    assert [(node.name, len(node.services)) for node in plan.servers] == [("s1", 1), ("s1-2", 0), ("s2", 0)]


def test_a_plan_is_read_as_it_was_written(load_text: Load, tmp_path: Path) -> None:
    plan = resolved(load_text, lab("rooms: conference.montague.lit"))
    (tmp_path / "plan.json").write_bytes(plan.encoded())
    assert Plan.load(tmp_path / "plan.json") == plan


TAKEN = "components: {conference.montague.lit: {server: s1}}"


@pytest.mark.parametrize(
    ("server", "more", "problem"),
    [
        ("rooms: conference.lit", "", "rooms: 'conference.lit' is not below the server's domain; "
         "write a name such as conference.montague.lit"),
        ("rooms: {domain: montague.lit}", "", "rooms.domain: 'montague.lit' is not below the server's domain; "
         "write a name such as conference.montague.lit"),
        ("rooms: x.capulet.lit", "", "rooms: 'x.capulet.lit' is below capulet.lit, which another server serves; "
         "write a name such as conference.montague.lit"),
        ("rooms: conference.montague.lit", TAKEN,
         "rooms: conference.montague.lit has the domain conference.montague.lit already; each needs its own"),
    ],
)  # fmt: skip
def test_where_a_service_cannot_be(problems: Problems, server: str, more: str, problem: str) -> None:
    [line] = problems(lab(server, more))
    assert line.partition(": servers.s1.")[2] == problem


def test_a_section_needs_its_domain(problems: Problems) -> None:
    [line] = problems(lab("rooms: "))
    assert "servers.s1.rooms" in line
    assert "the key 'domain' is missing" in line


ROOM = "rooms: {domain: conference.montague.lit, rooms: {Verona: {title: Fair Verona, owners: [romeo@montague.lit]}}}"


def test_sections_in_the_section(load_text: Load, problems: Problems) -> None:
    [rooms] = resolved(load_text, lab(ROOM)).servers[0].services
    assert rooms.settings["rooms"]["verona"]["title"] == "Fair Verona"
    assert rooms.settings["rooms"]["verona"]["public"] is True
    [line] = problems(lab(ROOM.replace("title", "titel")))
    assert "servers.s1.rooms.rooms.Verona.titel: unknown key; did you mean 'title'?" in line
    [line] = problems(lab(ROOM.replace("title: Fair Verona", "public: maybe")))
    assert "servers.s1.rooms.rooms.Verona.public" in line
    [line] = problems(lab(ROOM.replace("Verona:", '"a b":')))
    assert "cannot be the name of a room" in line
