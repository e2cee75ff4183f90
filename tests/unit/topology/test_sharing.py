from __future__ import annotations

from pathlib import Path

import pytest

from cluster.topology.difference import differences
from cluster.topology.load import load
from cluster.topology.plan import Plan
from cluster.topology.resolve import resolve
from cluster.topology.scale import with_nodes
from cluster.topology.sharing import FEW, apart, usual


def plan(folder: Path, processes: int, **more: str) -> Plan:
    """Five servers; `more`: further keys of some of them."""
    file = folder / "many.yaml"
    servers = [f"  s{n}: {{domain: d{n}.lit{more.get(f's{n}', '')}}}\n" for n in range(1, 6)]
    file.write_text("name: many\nservers:\n" + "".join(servers))
    return resolve(load(file, []), file, folder, modules=[], processes=processes)


def together(plan: Plan) -> list[tuple[str, ...]]:
    return list(dict.fromkeys(plan.process_of(server.name) for server in plan.servers))


@pytest.mark.parametrize(
    ("processes", "expected"),
    [
        (0, [("s1",), ("s2",), ("s3",), ("s4",), ("s5",)]),
        (1, [("s1", "s2", "s3", "s4", "s5")]),
        (2, [("s1", "s3", "s5"), ("s2", "s4")]),
        (9, [("s1",), ("s2",), ("s3",), ("s4",), ("s5",)]),
    ],
)
def test_servers_take_turns_in_the_processes(
    tmp_path: Path, processes: int, expected: list[tuple[str, ...]]
) -> None:  # fmt: skip
    assert together(plan(tmp_path, processes)) == expected


def test_an_isolated_server_and_servers_of_other_kinds_share_with_none(tmp_path: Path) -> None:
    shared = plan(tmp_path, 2, s1=", isolate: true", s4=", kind: prosody")
    assert together(shared) == [("s1",), ("s2", "s5"), ("s3",), ("s4",)]


def test_further_nodes_have_their_own_and_leave_the_others_where_they_are(tmp_path: Path) -> None:
    shared = plan(tmp_path, 2)
    scaled = with_nodes(shared, "s3", 3)
    assert scaled.process_of("s3-2") == ("s3-2",)
    assert [scaled.process_of(server.name) for server in shared.servers] == [
        shared.process_of(server.name) for server in shared.servers
    ]
    assert differences(scaled, [shared]) == []


def test_nodes_that_a_scenario_breaks_are_set_apart(tmp_path: Path) -> None:
    shared = apart(plan(tmp_path, 2), {"s2", "redis"})
    assert together(shared) == [("s1", "s4"), ("s2",), ("s3", "s5")]
    assert apart(plan(tmp_path, 0), {"s2"}) == plan(tmp_path, 0)


def test_another_number_of_processes_is_another_lab(tmp_path: Path) -> None:
    assert differences(plan(tmp_path, 2), [plan(tmp_path, 3)]) == [
        "processes is another one: 2 runs, 3 is wanted"
    ]  # fmt: skip
    assert differences(plan(tmp_path, 0), [plan(tmp_path, 3)]) == [
        "processes is another one: one for each server runs, 3 is wanted"
    ]


def test_few_servers_have_a_process_each_and_many_one_for_each_core() -> None:
    assert [usual(FEW, cores=2), usual(FEW + 1, cores=2)] == [0, 2]
