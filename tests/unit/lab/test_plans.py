from __future__ import annotations

from pathlib import Path

import pytest

from cluster.lab.errors import BadInput
from cluster.lab.plans import default_file, read_plans
from cluster.topology.problem import TopologyError

TOPOLOGY = "name: verona\nservers:\n  s1: {domain: montague.lit}\n"


def test_plans_differ_only_in_their_addresses(tmp_path: Path) -> None:
    file = tmp_path / "verona.yaml"
    file.write_text(TOPOLOGY)
    plans = read_plans(file, tmp_path, "redis://localhost")
    assert {(plan.name, plan.state_dir, plan.redis_url) for plan in plans} == {
        ("verona", str(tmp_path / ".xmpplab" / "verona"), "redis://localhost")
    }
    assert len({plan.servers[0].c2s for plan in plans}) == len(plans)
    assert "roster" in plans[0].servers[0].modules


def test_a_bad_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "verona.yaml"
    file.write_text("name: verona\n")
    with pytest.raises(TopologyError, match="servers"):
        read_plans(file, tmp_path)


def test_the_only_file_here_is_meant(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").touch()
    assert default_file(tmp_path) == tmp_path / "mine.yaml"


def test_several_files_are_listed(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").touch()
    (tmp_path / "b.yaml").touch()
    with pytest.raises(BadInput, match=r"a\.yaml, b\.yaml"):
        default_file(tmp_path)


def test_the_projects_own_topology_is_the_last_resort(tmp_path: Path) -> None:
    (tmp_path / "topologies").mkdir()
    (tmp_path / "topologies" / "verona.yaml").touch()
    assert default_file(tmp_path) == tmp_path / "topologies" / "verona.yaml"


def test_nothing_to_bring_up(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"xmpplab up rfc3920.*xmpplab init NAME"):
        default_file(tmp_path)
