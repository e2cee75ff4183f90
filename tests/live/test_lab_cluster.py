"""A whole lab whose store is a Redis Cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.lab.folder import LABS
from cluster.lab.wait import wait_until
from cluster.redisio.keys import Keys
from tests.harness import PATIENCE_S
from tests.live.running_lab import ROOT, RunningLab
from tests.valkey_cluster import ValkeyCluster

pytestmark = pytest.mark.live
TOPOLOGY = ROOT / "topologies" / "rfc3920.yaml"


@pytest.fixture
def lab(tmp_path: Path, own_cluster: ValkeyCluster) -> Iterator[RunningLab]:
    """The figure of RFC 3920."""
    lab = RunningLab(tmp_path, TOPOLOGY)
    lab.command("up", str(TOPOLOGY), "-d", "--redis", own_cluster.url)
    yield lab
    if (tmp_path / LABS).exists():
        lab.down()


def test_a_lab_on_a_cluster(lab: RunningLab, own_cluster: ValkeyCluster) -> None:
    assert {node["state"] for node in lab.ps()["nodes"]} == {"running"}
    assert "── juliet@capulet.lit" in lab.command("trace", "romeo@montague.lit", "juliet@capulet.lit")
    assert "in the inbox" in lab.command("trace", "romeo@montague.lit", "+393331234567@sms.montague.lit")
    lab.command("user", "add", "rosaline@capulet.lit", "--password", "secret")
    assert "rosaline@capulet.lit" in lab.command("user", "ls")
    assert lab.command("fault", "set", "s1", "s2", "--delay", "50ms") == "s1 → s2: delay 50ms\n"  # it was heard
    assert {(link["from"], link["to"], str(link["faults"])) for link in lab.ps()["links"]} >= {
        ("s1", "s2", "{'delay': '50ms'}")
    }
    prefix = Keys.of_lab("rfc3920").prefix
    holders = [node for node in own_cluster.nodes if node.admin.keys(f"{prefix}:*")]
    assert len(holders) > 1
    lab.down()
    assert [node.admin.keys(f"{prefix}:*") for node in own_cluster.nodes] == [[]] * 3
    assert [node.admin.acl_users() for node in own_cluster.nodes] == [["default"]] * 3


def test_a_master_that_dies_and_comes_back_loses_nothing(lab: RunningLab, own_cluster: ValkeyCluster) -> None:
    link = Keys.of_lab("rfc3920").link("capulet.lit", "montague.lit")
    with lab.client("juliet@capulet.lit/balcony") as juliet, lab.client("romeo@montague.lit/pda") as romeo:
        for client in (juliet, romeo):
            client.see("session")
        romeo.do("message", to="juliet@capulet.lit/balcony", body="before")
        juliet.see("message", body="before")
        master = own_cluster.owner(link)
        master.kill()
        for number in range(20):
            romeo.do("message", to="juliet@capulet.lit/balcony", body=str(number))
        assert wait_until(lambda: "Lost the connection to Redis" in lab.command("logs", "s1"), PATIENCE_S)
        assert "check that it is running, and check user and password" in lab.command("fault", "ls", exit_code=1)
        assert juliet.unseen("message") == []
        master.start()
        assert [juliet.see("message")["body"] for _ in range(20)] == [str(number) for number in range(20)]
        assert romeo.unseen("message") == []


def test_a_node_of_a_cluster_is_not_taken_for_a_single_redis(tmp_path: Path, valkey_cluster: ValkeyCluster) -> None:
    lab = RunningLab(tmp_path, TOPOLOGY)
    url = valkey_cluster.url.replace("+cluster", "")
    said = lab.command("up", str(TOPOLOGY), "-d", "--redis", url, exit_code=1)
    assert "this Redis is a node of a cluster; write redis+cluster:// in place of redis://" in said
