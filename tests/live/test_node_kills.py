"""Nodes are killed, two at once and again, while clients write to each other: docs/nodes.md says what holds."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from cluster.lab.wait import wait_until
from tests.live.conftest import running
from tests.live.nodes_traffic import Talk, Talker
from tests.live.running_lab import RunningLab

pytestmark = pytest.mark.live

ROUNDS_BEFORE_A_KILL = 60
SETTLE_TIMEOUT_S = 60.0


@pytest.fixture(scope="module", params=["process"])
def lab(request: pytest.FixtureRequest) -> Iterator[RunningLab]:
    yield from running(request, "nodes")


def talkers(lab: RunningLab) -> list[Talker]:
    """One client of each account, each beginning at another node of its domain."""
    ps = lab.ps()
    nodes = {node["name"]: node["c2s"].split(":") for node in ps["nodes"] if node["kind"] == "server"}
    jids = {"romeo@montague.lit/pda": "s1", "benvolio@montague.lit/home": "s1-2", "juliet@capulet.lit/balcony": "s2"}
    made = []
    for jid, first in jids.items():
        names = sorted((name for name in nodes if name[:2] == first[:2]), key=lambda name: name != first)
        addresses = [(nodes[name][0], int(nodes[name][1])) for name in names]
        made.append(Talker(jid, [other for other in jids if other != jid], addresses, ps["ca_file"]))
    return made


def kill(lab: RunningLab, *names: str) -> None:
    """By SIGKILL, as nearly at once as it goes; the supervisor starts them again."""
    nodes = {node["name"]: node for node in lab.ps()["nodes"]}
    for name in names:
        os.kill(nodes[name]["pid"], signal.SIGKILL)
    for name in names:
        lab.until_running(name, nodes[name]["restarts"] + 1)


@pytest.mark.parametrize("killed", [["s1"], ["s1-2", "s2"], ["s1", "s1-2"]], ids=["one", "two domains", "all of one"])
def test_all_arrives_and_every_request_is_answered(lab: RunningLab, killed: list[str]) -> None:
    talk = Talk(talkers(lab))
    for _ in range(2):
        before = talk.rounds
        assert wait_until(lambda before=before: talk.rounds >= before + ROUNDS_BEFORE_A_KILL, SETTLE_TIMEOUT_S)
        kill(lab, *killed)
    talk.finish(SETTLE_TIMEOUT_S)
    assert talk.missing() == {"message": [], "presence": [], "answer": []}, talk.breaks()
    assert "is_resumed=False" not in str(talk.breaks()), talk.breaks()
