"""What is seen of a run besides its report, with the commands for labs."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import msgspec
import pytest

from cluster.lab.api import BadInput, Lab
from cluster.lab.verify.read import read
from cluster.simulation import api
from cluster.simulation.api import RouterKind
from cluster.simulation.report import SimulationReport
from cluster.topology.plan import Plan
from cluster.trace.hop import Event, Hop
from tests.unit.cli.shell import VERONA, Shell, shell
from tests.unit.simulation.plans import LOSSY, Silent, named, written

__all__ = ["shell"]


PAIR = """
name: pair
servers:
  s1: {domain: montague.lit}
  s2: {domain: capulet.lit}
accounts:
  romeo@montague.lit: {contacts: [juliet@capulet.lit]}
  juliet@capulet.lit: {}
"""
KILL = """
name: kill
flows: [{from: romeo@montague.lit, to: juliet@capulet.lit, rate: 20, duration: 5s}]
steps: [{at: 2s, kill: s2, for: 2s}]
"""


def hops(folder: Path) -> list[Hop]:
    return [hop for some in Lab.kept(folder).hops(every_stanza=True) for hop in some]


@pytest.mark.parametrize(("topology", "router"), [("verona", "memory"), ("verona", "redis"), ("s2s", "memory")])
def test_a_run_is_the_same_with_a_recording(topology: str, router: RouterKind, tmp_path: Path) -> None:
    plan = named(topology)

    def run(recording: api.Recording | None) -> SimulationReport:
        report = api.simulate(plan, seed=4, duration_s=60, people=10, troubles=6, router=router, recording=recording)
        return msgspec.structs.replace(report, real_s=0.0, sent_bytes=0)  # ids of what is followed are sent, too

    with api.record(plan, tmp_path / "run") as recording:
        assert run(recording) == run(None)
    assert {hop.event for hop in hops(tmp_path / "run")} > {Event.RECEIVED, Event.ENQUEUED, Event.DELIVERED}


def test_a_scenario_is_the_same_with_a_recording(tmp_path: Path) -> None:
    (tmp_path / "kill.yaml").write_text(KILL)
    file, plan = read(tmp_path / "kill.yaml", None), written(PAIR, tmp_path)

    def run(recording: api.Recording | None) -> str:
        return api.play(plan, file.scenario, seed=2, progress=Silent(), recording=recording).digest

    with api.record(plan, None) as recording:
        assert run(recording) == run(None)
        found = recording.period("kill-s2")
    assert any(mark.what.startswith("kill s2 --for") for mark in found.marks)
    assert any("s2 is restarting" in mark.what for mark in found.marks)
    [measured] = found.measured
    assert (measured.count, measured.failed) == (100, 0)


def test_a_loss_is_the_end_of_its_own_stanza(tmp_path: Path) -> None:
    plan: Plan = written(LOSSY, tmp_path)
    with api.record(plan, tmp_path / "run") as recording:
        report = api.simulate(plan, duration_s=240, people=20, recording=recording)
    found = hops(tmp_path / "run")
    lost = {hop.trace_id for hop in found if hop.event is Event.LOST and ": m" in hop.detail}
    assert len(lost) == report.messages.lost_by_fault > 0
    assert all(any(hop.trace_id == id and hop.event is Event.ENQUEUED for hop in found) for id in lost)


def test_the_commands_for_labs_read_what_was_kept(shell: Shell, tmp_path: Path) -> None:
    folder, page = f"{tmp_path / 'run'}/", tmp_path / "run.html"
    run = ("simulate", VERONA, "--for", "10m", "--seed", "7", "--keep", folder)
    code, _, err = shell.run(*run, "--html", str(page))
    assert code == 0
    assert err == f"written: {page}\nkept: {folder}, as the folder of a lab; try `xmpplab why --lab {folder}`\n"
    assert "simulate verona, seed 7" in page.read_text()

    code, shown, _ = shell.run("watch", "--lab", folder, "--from", "romeo@montague.lit", "--format", "json")
    route = [json.loads(line) for line in shown.splitlines()]
    assert code == 0
    message = next(hop for hop in route if hop["kind"] == "message")
    assert message["from"] == "romeo@montague.lit/sim"

    code, answer, _ = shell.run("why", message["trace_id"], "--lab", folder, "--format", "json")
    assert (code, json.loads(answer)["outcome"] in ("delivered", "stored")) == (0, True)
    assert " ago\n" in shell.run("why", "--lab", folder)[1]

    rows = tmp_path / "run.csv"
    assert shell.run("timeline", str(rows), "--last", "2m", "--lab", folder)[0] == 0
    with rows.open() as file:
        assert {row["s1 state"] for row in csv.DictReader(file)} == {"running"}

    code, _, err = shell.run("trace", "romeo", "juliet", "--lab", folder)
    assert code == 1
    assert "has a simulated run that is over; `xmpplab up verona -d` starts a lab" in err
    assert shell.run(*run)[0] == 0, "an earlier recording is replaced"
    code, _, err = shell.run("logs", "--lab", folder)
    assert (code, "a simulated run records no logs; see `xmpplab why --lab" in err) == (1, True)
    for asked in (("inbox", "juliet"), ("search", "love")):
        code, _, err = shell.run(*asked, "--lab", folder)
        assert (code, "has a simulated run that is over; `xmpplab up" in err) == (1, True)
    assert shell.run("down", "--lab", folder)[0] == 0
    assert not (tmp_path / "run").exists()


def test_hops_as_they_happen(shell: Shell) -> None:
    code, out, err = shell.run("simulate", VERONA, "--for", "5m", "--seed", "7", "--watch", "--pace", "0")
    lines = out.partition("verona, seed 7:")[0].splitlines()
    assert (code, err) == (0, "")
    assert any(" s1     received  message romeo@montague.lit/sim → " in line for line in lines)


def test_a_run_ends_where_nobody_reads_its_hops(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*words: object, **how: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("cluster.cli.recorded.print", gone, raising=False)
    code, out, err = shell.run("simulate", VERONA, "--for", "5m", "--watch", "--pace", "0")
    assert (code, out, err) == (1, "", ""), "as other commands, and without an error of a server"


def test_what_is_not_shown(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "notes").touch()
    for options, remedy in {
        ("--seeds", "1..3", "--watch"): "name it with --seed in place of --seeds",
        ("--keep", str(tmp_path)): "has other files than a recording; name another folder",
        ("--watch", "--format", "json"): "leave out --format json, or use --keep run/",
        ("--pace", "3"): "add --watch, or leave out --pace",
        ("--troubles", "10001"): "less than or equal to 10000",
        ("--html", str(tmp_path / "page.txt")): "has another ending than .html",
        ("--keep", str(tmp_path / ".xmpplab" / "verona")): "name a folder outside .xmpplab",
    }.items():
        code, out, err = shell.run("simulate", VERONA, *options)
        assert (code, out) == (2, "")
        assert remedy in err
    with pytest.raises(BadInput, match="is not the folder of a lab"):
        Lab.named(f"{tmp_path}/nothing")


def test_a_recording_is_not_replaced_with_what_somebody_put_beside_it(shell: Shell, tmp_path: Path) -> None:
    run = ("simulate", VERONA, "--for", "1m", "--keep", str(tmp_path / "run"))
    assert shell.run(*run)[0] == shell.run(*run)[0] == 0
    notes = tmp_path / "run" / "notes.txt"
    notes.write_text("mine")
    code, _, err = shell.run(*run)
    assert (code, "has other files than a recording" in err) == (2, True)
    assert notes.read_text() == "mine"
    code, out, _ = shell.run("down", "--lab", f"{tmp_path}/run/")
    assert (code, f"your other files stay in {tmp_path}/run" in out) == (0, True)
    assert [*notes.parent.iterdir()] == [notes]


def test_a_topology_from_a_pipe(shell: Shell) -> None:
    code, topology, _ = shell.run("generate", "--domains", "2", "--users", "1")
    assert code == 0
    reading, writing = os.pipe()
    os.write(writing, topology.encode())
    os.close(writing)
    code, out, err = shell.run("simulate", f"/dev/fd/{reading}", "--for", "1m")
    os.close(reading)
    assert (code, "2 domains" in out) == (0, True), err


def test_a_node_of_a_run_that_is_over_is_not_unknown(shell: Shell, tmp_path: Path) -> None:
    folder = f"{tmp_path}/run/"
    assert shell.run("simulate", VERONA, "--for", "1m", "--keep", folder)[0] == 0
    code, _, err = shell.run("kill", "s1", "--lab", folder)
    assert (code, "has a simulated run that is over" in err) == (1, True)
