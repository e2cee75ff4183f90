from __future__ import annotations

from pathlib import Path

import pytest

from cluster.topology.load import load
from cluster.topology.plan import Plan
from cluster.topology.resolve import resolve
from cluster.topology.scale import as_written, with_nodes

VERONA = """
name: verona
servers:
  s1: {domain: montague.lit}
  s2: {domain: capulet.lit}
accounts:
  romeo@montague.lit:
"""


def plan(folder: Path, *, single_host: bool = False) -> Plan:
    file = folder / "verona.yaml"
    file.write_text(VERONA)
    return resolve(load(file, []), file, folder, modules=[], single_host=single_host)


@pytest.fixture
def written(tmp_path: Path) -> Plan:
    return plan(tmp_path)


def names(plan: Plan) -> list[str]:
    return [node.name for node in plan.servers]


def test_further_nodes_stand_behind_the_first(written: Plan) -> None:
    assert names(written) == ["s1", "s2"]
    scaled = with_nodes(with_nodes(written, "s1", 3), "s2", 2)
    assert names(scaled) == ["s1", "s1-2", "s1-3", "s2", "s2-2"]
    assert {node.domain for node in scaled.nodes_of("s1")} == {written.servers[0].domain}
    assert as_written(scaled) == written


def test_each_has_addresses_of_its_own_and_the_others_keep_theirs(written: Plan) -> None:
    scaled = with_nodes(with_nodes(written, "s1", 16), "s2", 16)
    assert len(set(scaled.listeners)) == len(scaled.listeners)
    assert with_nodes(with_nodes(scaled, "s1", 1), "s2", 1) == written
    assert set(written.listeners) < set(scaled.listeners)


def test_on_a_system_with_one_host_they_have_ports_of_their_own(tmp_path: Path) -> None:
    one_host = plan(tmp_path, single_host=True)
    scaled = with_nodes(with_nodes(one_host, "s1", 3), "s2", 3)
    assert len(set(scaled.listeners)) == len(scaled.listeners)


def test_accounts_are_made_and_components_connect_at_the_first(written: Plan) -> None:
    [first, further] = with_nodes(written, "s1", 2).nodes_of("s1")
    assert first.accounts == written.servers[0].accounts
    assert further.accounts == further.components == ()
    assert (first.channel, further.channel) == (first.domain, f"{first.domain}/s1-2")


@pytest.mark.parametrize(
    ("server", "count", "message"),
    [
        ("s9", 2, r"no server 's9' \(servers: s1, s2\)"),
        ("s1", 0, "from 1 to 16 serve one domain"),
        ("s1", 17, "from 1 to 16 serve one domain"),
    ],
)
def test_what_cannot_be(written: Plan, server: str, count: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        with_nodes(written, server, count)
