"""Which domains a lab's server reaches by XML streams, and where it looks for them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from cluster.lab.folder import LabFolder
from cluster.lab.s2s import NewestPlan, names, reached
from cluster.router.s2s.ports import Address
from cluster.topology.load import load
from cluster.topology.plan import Plan
from cluster.topology.resolve import resolve
from cluster.topology.scale import with_nodes

PlanOf = Callable[[str], Plan]
TOPOLOGY = """
name: x
servers:
  s1: {domain: montague.lit}
  s2: {domain: capulet.lit, kind: prosody, rooms: conference.capulet.lit}
  s3: {domain: shakespeare.lit}
mesh: false
links: [{between: [s1, s2]}, {between: [s1, s3]}]
"""


@pytest.fixture
def plan_of(tmp_path: Path) -> PlanOf:
    def plan_of(text: str) -> Plan:
        file = tmp_path / "lab.yaml"
        file.write_text(text)
        return resolve(load(file, ()), file, tmp_path, modules=())

    return plan_of


def looked_up(plan: Plan, domain: str) -> tuple[Sequence[Address], list[str]]:
    """What the first server finds, and what it asked outside."""
    asked: list[str] = []

    async def outside(domain: str) -> Sequence[Address]:
        asked.append(domain)
        return [Address("192.0.2.1", 5269)]

    node = plan.servers[0]
    found: list[Sequence[Address]] = []
    look_up = names(lambda: plan, node.name, outside if node.asks_outside else None)
    Deferred.fromCoroutine(look_up(domain)).addCallback(found.append)
    return found[0], asked


def test_nothing_outside_is_asked(plan_of: PlanOf) -> None:
    plan = plan_of(TOPOLOGY)
    assert looked_up(plan, "example.com") == ([], [])
    assert "example.com" not in reached(plan, plan.servers[0])
    assert 5269 not in plan.servers[2].ports, "it has no link over streams"


def test_with_the_systems_resolver_what_is_not_in_the_lab_is_asked_for(plan_of: PlanOf) -> None:
    plan = plan_of(f"{TOPOLOGY}resolver: system\n")
    assert looked_up(plan, "example.com") == ([Address("192.0.2.1", 5269)], ["example.com"])
    assert "example.com" in reached(plan, plan.servers[0])
    _, prosody, other = plan.servers
    assert 5269 in other.ports
    assert not prosody.asks_outside


def test_a_domain_of_the_lab_is_never_asked_for_and_its_links_are_those_of_the_file(plan_of: PlanOf) -> None:
    """Somebody else's DNS does not take a domain over, and a link through Redis stays one."""
    plan = plan_of(f"{TOPOLOGY}resolver: system\n")
    at_prosody = (plan.servers[1].host, 5269, False)
    for domain in ("capulet.lit", "conference.capulet.lit"):
        assert domain in reached(plan, plan.servers[0])
        assert looked_up(plan, domain) == ([at_prosody], [])
    for domain in ("shakespeare.lit", "rooms.shakespeare.lit", "nobody.capulet.lit"):
        assert domain not in reached(plan, plan.servers[0])
        assert looked_up(plan, domain) == ([], [])
    assert "notcapulet.lit" in reached(plan, plan.servers[0])


def test_a_domain_that_gets_more_nodes_is_reached_at_each(plan_of: PlanOf, tmp_path: Path) -> None:
    """`xmpplab scale` changes the plan while servers run."""
    plan = plan_of("name: x\nservers: {s1: {domain: a.lit}, s2: {domain: b.lit}}\n"
                   "links: [{between: [s1, s2], transport: s2s}]\n")  # fmt: skip
    folder = LabFolder(tmp_path / "lab")
    folder.create()
    newest = NewestPlan(folder, plan)
    assert newest() is plan, "there is no file yet"
    look_up = names(newest, "s2", None)
    found: list[Sequence[Address]] = []
    for count in (1, 3, 2):
        folder.save_plan(with_nodes(plan, "s1", count))
        os.utime(folder.plan_file, ns=(count, count))
        Deferred.fromCoroutine(look_up("a.lit")).addCallback(found.append)
    assert [len(addresses) for addresses in found] == [1, 3, 2]
    folder.plan_file.write_text("{")
    assert len(newest().nodes_of("s1")) == 2
