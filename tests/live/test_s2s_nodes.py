"""A domain of two nodes, reached over XML streams: stanzas come in at either, and go on when one is away."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.clients import RealClient
from tests.live.running_lab import RunningLab

pytestmark = pytest.mark.live
ROMEO, JULIET = "romeo@montague.lit", "juliet@capulet.lit"
TOPOLOGY = f"""\
name: nodes-s2s
servers:
  s1: {{domain: montague.lit, nodes: 2}}
  s2: {{domain: capulet.lit}}
links: [{{between: [s1, s2], transport: s2s}}]
accounts:
  {ROMEO}:
  {JULIET}:
trace: {{probes_per_minute: 0}}
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    folder = tmp_path_factory.mktemp("nodes")
    topology = folder / "nodes-s2s.yaml"
    topology.write_text(TOPOLOGY)
    yield from RunningLab(folder, topology).while_up()


def at_node(lab: RunningLab, name: str) -> RealClient:
    node = next(node for node in lab.ps()["nodes"] if node["name"] == name)
    return RealClient(ROMEO, "secret", node["c2s"], lab.ps()["ca_file"])


def at_second_node(lab: RunningLab) -> RealClient:
    return at_node(lab, "s1-2")


def state(lab: RunningLab, name: str) -> str:
    return next(str(node["state"]) for node in lab.ps()["nodes"] if node["name"] == name)


def test_a_stanza_comes_in_at_the_first_node_and_reaches_a_session_at_the_second(lab: RunningLab) -> None:
    with at_second_node(lab) as romeo:
        romeo.see("session")
        romeo.do("presence")
        lab.command("send", JULIET, ROMEO, "Ay me!")
        romeo.see("message", body="Ay me!")
    assert "stream from capulet.lit to montague.lit: EXTERNAL, TLS" in lab.command("logs", "s1")


def test_what_the_second_node_sends_is_accepted(lab: RunningLab) -> None:
    with at_second_node(lab) as romeo, lab.client(JULIET) as juliet:
        for client in (romeo, juliet):
            client.see("session")
            client.do("presence")
        romeo.do("message", to=JULIET, body="But, soft!")
        juliet.see("message", body="But, soft!")
    assert "stream to capulet.lit: EXTERNAL, TLS" in lab.command("logs", "s1-2")


def test_a_further_node_is_reached_too(lab: RunningLab) -> None:
    """The other server runs, and learns of it."""
    lab.command("scale", "s1=3")
    with at_node(lab, "s1-3") as romeo:
        romeo.see("session")
        romeo.do("presence")
        killing = [threading.Thread(target=lab.command, args=("kill", name, "--for", "8s")) for name in ("s1", "s1-2")]
        for each in killing:
            each.start()
        assert wait_until(lambda: [state(lab, name) for name in ("s1", "s1-2")].count("running") == 0, PATIENCE_S)
        lab.command("send", JULIET, ROMEO, "Thou art thyself")
        romeo.see("message", body="Thou art thyself")
        for each in killing:
            each.join(PATIENCE_S)
    told = "stream from capulet.lit to montague.lit: EXTERNAL, TLS"
    assert wait_until(lambda: told in lab.command("logs", "s1-3"), PATIENCE_S)
    lab.command("scale", "s1=2")


def test_while_the_first_node_is_away_others_reach_the_second(lab: RunningLab) -> None:
    with at_second_node(lab) as romeo:
        romeo.see("session")
        romeo.do("presence")
        killing = threading.Thread(target=lab.command, args=("kill", "s1", "--for", "8s"))
        killing.start()
        assert wait_until(lambda: lab.node("montague.lit")["state"] != "running", PATIENCE_S)
        lab.command("send", JULIET, ROMEO, "Wherefore art thou?")
        romeo.see("message", body="Wherefore art thou?")
    told = "stream from capulet.lit to montague.lit: EXTERNAL, TLS"
    assert wait_until(lambda: told in lab.command("logs", "s1-2"), PATIENCE_S)
    killing.join(PATIENCE_S)
    lab.until_running("s1", 1)
