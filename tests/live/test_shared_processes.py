"""A lab whose servers share processes, as its user sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from cluster.lab.wait import wait_until
from tests.live.clients import RealClient
from tests.live.running_lab import RunningLab

pytestmark = pytest.mark.live

TOPOLOGY = """
name: shared
processes: 2
servers:
  s1: {domain: montague.lit}
  s2: {domain: capulet.lit}
  s3: {domain: verona.lit}
  s4: {domain: mantua.lit}
  s5: {domain: padua.lit, isolate: true}
accounts:
  romeo@montague.lit: {contacts: [juliet@capulet.lit, escalus@verona.lit, balthasar@padua.lit]}
  juliet@capulet.lit:
  escalus@verona.lit:
  balthasar@padua.lit:
  apothecary@mantua.lit:
links:
  - {between: [s2, s4], transport: s2s}
"""
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    folder = tmp_path_factory.mktemp("shared")
    file = folder / "shared.yaml"
    file.write_text(TOPOLOGY)
    yield from RunningLab(folder, file).while_up()


def available(lab: RunningLab, stage: ExitStack, jid: str) -> RealClient:
    client = stage.enter_context(lab.client(jid))
    client.see("session", jid=jid)
    client.do("presence")
    client.see("presence", type="available", from_=jid)
    return client


def pids(lab: RunningLab) -> dict[str, int]:
    return {node["name"]: node["pid"] for node in lab.ps()["nodes"] if node["kind"] == "server"}


def test_servers_that_share_a_process_reach_each_other_and_all_others(lab: RunningLab, stage: ExitStack) -> None:
    names = ("romeo@montague.lit/orchard", "juliet@capulet.lit/balcony", "escalus@verona.lit/palace")
    romeo, juliet, escalus = (available(lab, stage, jid) for jid in names)
    for client in (juliet, escalus):
        romeo.do("message", to=client.jid, body="good morrow")
        assert client.see("message")["from"] == romeo.jid
    process = pids(lab)
    assert process["s1"] == process["s3"] != process["s2"] == process["s4"]
    assert process["s5"] not in (process["s1"], process["s2"])


def test_two_of_one_process_speak_over_xml_streams(lab: RunningLab, stage: ExitStack) -> None:
    juliet, apothecary = (
        available(lab, stage, jid) for jid in ("juliet@capulet.lit/balcony", "apothecary@mantua.lit/shop")
    )
    juliet.do("message", to=apothecary.jid, body="what, ho")
    assert apothecary.see("message")["body"] == "what, ho"
    apothecary.do("message", to=juliet.jid, body="who calls so loud?")
    assert juliet.see("message")["body"] == "who calls so loud?"


def test_each_measures_and_logs_once(lab: RunningLab) -> None:
    ps = lab.ps()
    assert [node["name"] for node in ps["nodes"]] == ["redis", "s1", "s2", "s3", "s4", "s5"]
    measured = [node["name"] for node in ps["nodes"] if node["memory_bytes"] is not None]
    assert measured == ["redis", "s1", "s2", "s5"]
    assert all(node["sessions"] is not None for node in ps["nodes"] if node["kind"] == "server")
    for name, domain in (("s1", "montague.lit"), ("s3", "verona.lit")):
        own = lab.command("logs", name)
        assert f"Serves {domain} on" in own
        assert own.count("Serves ") == own.count(f"Serves {domain}")


def test_a_kill_says_whom_it_takes_along(lab: RunningLab) -> None:
    before = pids(lab)
    said = lab.command("kill", "s3")
    assert "s3 killed; restarted and ready\nand with it s1, in the same process" in said
    after = pids(lab)
    assert after["s1"] == after["s3"] != before["s3"]
    assert {name: after[name] for name in ("s2", "s4", "s5")} == {name: before[name] for name in ("s2", "s4", "s5")}
    assert "and with it" not in lab.command("kill", "s5")


def test_a_pause_stops_all_of_the_process_and_a_resume_continues_them(lab: RunningLab) -> None:
    assert "s2 paused; continue with `xmpplab resume s2`\nand with it s4" in lab.command("pause", "s2")
    states = {node["name"]: node["state"] for node in lab.ps()["nodes"]}
    assert states == {"redis": "running"} | dict.fromkeys(("s1", "s3", "s5"), "running") | dict.fromkeys(
        ("s2", "s4"), "paused"
    )
    assert "and with it s2" in lab.command("resume", "s4")
    assert {node["state"] for node in lab.ps()["nodes"]} == {"running"}


def test_a_node_that_is_fenced_does_not_end_its_neighbours(lab: RunningLab, stage: ExitStack) -> None:
    before = pids(lab)
    assert "s1-2 (" in lab.command("scale", "s1=2")
    escalus = available(lab, stage, "escalus@verona.lit/palace")
    assert pids(lab)["s1-2"] not in before.values()
    lab.command("pause", "s1")
    assert wait_until(lambda: "s1 has said nothing" in lab.command("logs", "s1-2"), PATIENCE_S)
    lab.command("resume", "s1")
    assert wait_until(lambda: "Fenced: " in lab.command("logs", "s1"), PATIENCE_S)
    assert wait_until(lambda: _lives(lab, "s1") == 2, PATIENCE_S), lab.command("logs", "s1")
    assert pids(lab)["s1"] == before["s1"]
    assert "Fenced" not in lab.command("logs", "s3")
    romeo = available(lab, stage, "romeo@montague.lit/orchard")
    romeo.do("message", to=escalus.jid, body="he is alive")
    assert escalus.see("message")["body"] == "he is alive"
    lab.command("scale", "s1=1")
    assert "s1-2" not in pids(lab)


def _lives(lab: RunningLab, name: str) -> int:
    """How often it has been ready since its process began."""
    began = lab.node("montague.lit")["started_utc"]
    log = lab.command("logs", name, "--since", began)
    return log.count("Serves ")


def test_up_again_agrees_and_another_number_of_processes_is_refused(lab: RunningLab) -> None:
    before = pids(lab)
    assert "already" in lab.command("up", str(lab.topology), "-d")
    said = lab.command("up", str(lab.topology), "-d", "--processes", "3", exit_code=1)
    assert "processes is another one: 2 runs, 3 is wanted" in said
    assert pids(lab) == before


def test_the_end_of_the_lab_ends_all_and_it_may_come_back_with_a_process_each(lab: RunningLab, tmp_path: Path) -> None:
    other = RunningLab(tmp_path, lab.topology)
    other.command("up", str(lab.topology), "-d", "--processes", "1")
    shared = pids(other)
    assert len({*shared.values()}) == 2
    other.command("down", "--keep")
    assert not any(map(psutil.pid_exists, shared.values()))
    other.command("up", str(lab.topology), "-d", "--processes", "5")
    assert len({*pids(other).values()}) == 5
    other.down()
