"""A lab that changes while it runs, and what its commands then say."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.running_lab import ROOT, RunningLab

pytestmark = pytest.mark.live
TOPOLOGY = ROOT / "topologies" / "two-domains.yaml"

WITH_A_REAL_CENTRE = """\
name: real
servers:
  s1: {domain: montague.lit}
accounts:
  romeo@montague.lit:
gateways:
  g1: {kind: sms, domain: sms.montague.lit, server: s1, network: fn1, number: "12345"}
networks:
  fn1: {kind: smsc, external: {host: 127.0.0.1, port: %d, user: xmpplab, password: secret}}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[RunningLab]:
    lab = RunningLab(tmp_path, TOPOLOGY)
    yield lab
    lab.down()


def test_a_node_that_comes_does_not_get_the_address_of_one_that_goes(lab: RunningLab) -> None:
    lab.up()
    lab.command("scale", "s1=3")
    for wishes in (("s1=1", "s2=2"), ("s2=1",), ("s1=2",)):
        lab.command("scale", *wishes)
    assert [node["name"] for node in lab.ps()["nodes"]] == ["redis", "s1", "s1-2", "s2"]
    assert lab.command("user", "ls").split() == ["romeo@montague.lit", "juliet@capulet.lit"]


def test_accounts_that_are_shown_are_those_that_there_are(lab: RunningLab) -> None:
    lab.up()
    lab.command("user", "del", "romeo@montague.lit")
    lab.command("user", "add", "rosaline@capulet.lit", "--password", "moonlight")
    shown = lab.command("ps")
    assert "romeo@montague.lit" not in shown
    assert "rosaline@capulet.lit" in shown
    assert "moonlight" not in shown
    said = lab.command("trace", "romeo@montague.lit", "juliet@capulet.lit", exit_code=1)
    assert "no account romeo@montague.lit" in said


def test_a_file_that_was_changed_is_compared_with_what_runs(lab: RunningLab, tmp_path: Path) -> None:
    lab.up()
    changed = tmp_path / "changed.yaml"
    changed.write_text(TOPOLOGY.read_text().replace("{domain: capulet.lit}", "{domain: capulet.lit, tls: optional}"))
    said = lab.command("up", str(changed), "-d", exit_code=1)
    assert "\n    servers.s2.tls is another one: required runs, optional is wanted\n" in said


def test_the_first_lines_of_the_log_are_about_the_lab(lab: RunningLab) -> None:
    lab.up()
    said = lab.command("logs")
    assert "Serves montague.lit" in said
    assert "overcommit" not in said
    assert " at 0x" not in said


def test_a_message_centre_that_is_away_is_told_and_no_obstacle(tmp_path: Path) -> None:
    topology = tmp_path / "real.yaml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    topology.write_text(WITH_A_REAL_CENTRE % port)
    lab = RunningLab(tmp_path, topology)
    said = lab.command("up", str(topology), "-d")
    try:
        trouble = f"is not bound at the message centre 127.0.0.1:{port}"
        assert f"warning: g1: {trouble}" in said
        assert f"g1 {trouble}" in lab.command("ps")
        [gateway] = [node for node in lab.ps()["nodes"] if node["name"] == "g1"]
        assert (gateway["state"], gateway["restarts"]) == ("running", 0)
        assert gateway["trouble"].startswith(trouble)
    finally:
        lab.down()
