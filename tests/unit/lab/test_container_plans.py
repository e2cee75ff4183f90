"""A container has the part of the plan that its node needs, and nothing else of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from cluster.lab.containers.files import part_of
from cluster.lab.plans import read_plans
from cluster.lab.s2s import Outside
from cluster.lab.serving import config
from cluster.topology.plan import Plan
from tests.live.running_lab import ROOT

TOPOLOGIES = ("verona", "rfc3920", "gateways", "rooms", "nodes", "s2s", "two-domains")
HUNDRED = 100


def plan_of(name: str, root: Path) -> Plan:
    return read_plans(ROOT / "topologies" / f"{name}.yaml", root)[0]


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_a_server_is_the_same_by_its_part(name: str, tmp_path: Path) -> None:
    plan = plan_of(name, tmp_path)
    for node in plan.ours:
        part = part_of(plan, node.name)
        [same] = [each for each in part.ours if each.name == node.name]
        assert same == node
        assert part.served_by == plan.served_by
        ours, whole = (config(each, node, each.served_by, None, b"") for each in (part, plan))
        assert replace(ours, services={}) == replace(whole, services={})
        assert list(ours.services) == list(whole.services)
        assert part.server_named(node.server).services == plan.server_named(node.server).services


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_a_gateway_finds_its_server_and_its_network(name: str, tmp_path: Path) -> None:
    plan = plan_of(name, tmp_path)
    for gateway in plan.gateways:
        part = part_of(plan, gateway.name)
        assert part.gateways == (gateway,)
        assert part.server_named(gateway.server).host == plan.server_named(gateway.server).host
        assert part.network(gateway.network) == plan.network(gateway.network)
    for network in plan.networks:
        part = part_of(plan, network.name)
        assert part.network(network.name) == network
        assert part.gateways == tuple(each for each in plan.gateways if each.network == network.name)


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_passwords_are_only_where_they_are_checked(name: str, tmp_path: Path) -> None:
    plan = plan_of(name, tmp_path)
    for node in (*plan.ours, *plan.lower_half):
        holders = {each.name for each in part_of(plan, node.name).servers if each.accounts}
        assert holders <= {node.name}


def test_who_asks_outside_knows_who_is_inside(tmp_path: Path) -> None:
    plan = plan_of("verona", tmp_path)
    asking = msgspec.structs.replace(plan.servers[0], asks_outside=True)
    plan = msgspec.structs.replace(plan, servers=(asking, *plan.servers[1:]))
    for domain in ("capulet.lit", "sub.capulet.lit", "example.org"):
        assert (domain in Outside(part_of(plan, asking.name))) == (domain in Outside(plan))


def test_the_part_does_not_grow_with_the_lab(tmp_path: Path) -> None:
    servers = "".join(f"  s{n}: {{domain: d{n}.lit}}\n" for n in range(HUNDRED))
    (tmp_path / "many.yaml").write_text(f"name: many\nservers:\n{servers}")
    [plan, *_] = read_plans(tmp_path / "many.yaml", tmp_path)
    assert [each.name for each in part_of(plan, "s7").servers] == ["s7"]
