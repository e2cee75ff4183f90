"""`xmpplab verify` against real labs: promises that are kept, and promises that are not."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest

from cluster.client.managed import ManagedClient
from cluster.lab.api import Lab
from cluster.lab.folder import LABS, choose
from cluster.lab.verify.live import run
from cluster.lab.verify.progress import Progress
from cluster.lab.verify.read import read
from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.running_lab import XMPPLAB, RunningLab
from tests.live.verify_runs import SESSIONS, TOPOLOGY, delete_what_waits, scenario, session_count, verify

pytestmark = pytest.mark.live


@pytest.fixture
def lab(tmp_path: Path) -> RunningLab:
    """Not up: the checker brings up its own."""
    return RunningLab(tmp_path, TOPOLOGY)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """Up, and left so by every run; many of which would follow more stanzas in a minute than one account may."""
    folder = tmp_path_factory.mktemp("standing")
    topology = folder / "two-domains.yaml"
    topology.write_text(TOPOLOGY.read_text() + "trace: {probes_per_minute: 0}\n")
    yield from RunningLab(folder, topology).while_up()


def test_a_receiver_whose_connection_is_cut_misses_nothing(lab: RunningLab) -> None:
    report = verify(lab, scenario(lab, "steps: [{at: 1s, cut: juliet@capulet.lit, for: 500ms}]"))
    counts = report["total"]
    assert (counts["sent"], counts["acknowledged"], counts["delivered"]) == (900, 900, 900)
    assert [counts[fate] for fate in ("lost", "bounced", "duplicated", "out_of_order")] == [0, 0, 0, 0]
    assert (report["resumed"], report["new_sessions"]) == (1, 0)
    [broken] = report["breaks"]
    assert broken["client"].startswith("juliet@capulet.lit/")
    assert broken["away_s"] >= 0.4
    assert [step["what"] for step in report["steps"]] == ["cut juliet@capulet.lit for 0.5 s"]
    assert {node["node"] for node in report["memory"]} == {"redis", "s1", "s2"}
    assert not (lab.folder / ".xmpplab").exists()  # its lab is gone


def test_a_server_that_hangs_loses_nothing(standing: RunningLab) -> None:
    counts = verify(standing, scenario(standing, "steps: [{at: 1s, pause: s2, for: 1s}]", topology=None))["total"]
    assert counts["delivered"] == 900
    assert counts["longest_gap_s"] >= 0.9


def test_a_redis_that_crashes_loses_nothing(standing: RunningLab) -> None:
    report = verify(standing, scenario(standing, "steps: [{at: 1s, kill: redis, for: 500ms}]", topology=None))
    assert report["total"]["delivered"] == 900
    assert report["broken"] == []


def test_a_broken_promise_is_told_with_the_routes_of_examples(lab: RunningLab) -> None:
    """Beyond the bound of a link, what is for a server that hangs comes back to its sender."""
    topology = lab.folder / "narrow.yaml"
    topology.write_text(TOPOLOGY.read_text() + "router: {max_backlog: 5}\n")
    file = scenario(lab, "steps: [{at: 1s, pause: s2, for: 1s}]", topology=topology)
    told = lab.command("verify", file, exit_code=1)
    assert "BROKEN  bounced: " in told
    assert "came back with remote-server-timeout" in told
    assert "└── bounced" in told
    assert "xmpplab: broken promises: short" in told


def test_what_a_fault_loses_is_told_from_a_loss(standing: RunningLab) -> None:
    """Nothing is lost for real; and a scenario may forbid the other kind."""
    fault = "steps: [{at: 1s, fault: {from: s1, to: s2, loss: 20%}, for: 1s}]"
    report = verify(standing, scenario(standing, fault, "promises: {lost_by_fault: 0}", topology=None), exit_code=1)
    counts = report["total"]
    assert counts["lost"] == 0
    assert counts["lost_by_fault"] > 0
    assert counts["delivered"] + counts["lost_by_fault"] == counts["sent"] == 900
    assert [promise["promise"] for promise in report["broken"]] == ["lost_by_fault"]
    example = report["flows"][0]["examples"][0]
    assert (example["fate"], example["hops"][-1]["event"]) == ("lost by a fault", "lost")


def test_a_partition_loses_nothing(standing: RunningLab) -> None:
    file = scenario(standing, "steps: [{at: 1s, partition: [s1, s2], for: 1s}]", topology=None)
    counts = verify(standing, file)["total"]
    assert counts["delivered"] == 900
    assert counts["longest_gap_s"] >= 0.9


def test_a_loss_is_seen(standing: RunningLab) -> None:
    """The checker would be worth nothing otherwise: somebody deletes what waits for a server that hangs."""
    file = scenario(standing, "steps: [{at: 500ms, pause: s2, for: 12s}]", topology=None)
    argv = [XMPPLAB, "verify", file, "--format", "json"]
    s2 = psutil.Process(standing.node("capulet.lit")["pid"])
    with subprocess.Popen(argv, cwd=standing.folder, stdout=subprocess.PIPE, text=True) as checker:
        assert wait_until(lambda: s2.status() == psutil.STATUS_STOPPED, PATIENCE_S)
        delete_what_waits(standing)
        told, _ = checker.communicate()
    report = json.loads(told)[0]
    counts = report["total"]
    assert checker.returncode == 1
    assert counts["lost"] > 0
    assert counts["lost"] + counts["delivered"] == counts["sent"] == counts["acknowledged"]
    assert [promise["promise"] for promise in report["broken"]] == ["lost"]
    example = report["flows"][0]["examples"][0]
    assert (example["fate"], example["hops"][-1]["event"]) == ("lost", "enqueued")


def test_what_a_run_does_to_a_lab_that_stays_up_does_not_outlive_it(standing: RunningLab) -> None:
    standing.command(
        "verify", scenario(standing, "steps: [{at: 1s, fault: {from: s1, to: s2, delay: 20ms}}]", topology=None)
    )
    assert all(not link["faults"] for link in standing.ps()["links"])
    lasting = "steps: [{at: 100ms, pause: s2, for: 50s}, {at: 100ms, partition: [s1, s2], for: 50s}]"
    few = "rate: 10"  # what comes when its receiver is gone is kept for later, and there is a bound
    argv = [XMPPLAB, "verify", scenario(standing, lasting, flow=few, topology=None), "--duration", "60s"]
    with subprocess.Popen(argv, cwd=standing.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as checker:
        assert wait_until(lambda: standing.node("capulet.lit")["state"] == "paused", PATIENCE_S)
        assert wait_until(lambda: all(link["faults"] for link in standing.ps()["links"]), PATIENCE_S)
        checker.send_signal(signal.SIGINT)
        checker.communicate()
    assert standing.node("capulet.lit")["state"] == "running"
    assert all(not link["faults"] for link in standing.ps()["links"])
    assert standing.command("user", "ls").split() == ["romeo@montague.lit", "juliet@capulet.lit"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_behind(lab: RunningLab, number: signal.Signals) -> None:
    argv = [XMPPLAB, "verify", scenario(lab), "--duration", "60s"]
    with subprocess.Popen(argv, cwd=lab.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as checker:
        assert checker.stderr is not None
        assert any(b" s of 60 s, " in line for line in checker.stderr)  # all its clients have logged in
        assert session_count(lab) == SESSIONS
        checker.send_signal(number)
        told, why = checker.communicate()
    assert checker.returncode == 130, why.decode()
    assert "interrupted)" in told.decode().splitlines()[0]
    assert "all promises were kept so far" in told.decode()
    assert not (lab.folder / LABS).exists(), why.decode()


def test_an_interrupt_judges_what_could_have_arrived(standing: RunningLab) -> None:
    """What a receiver reads when it logs in later is neither lost nor delivered yet, nor a promise kept or broken."""
    file = scenario(standing, "expect: [lost]", flow="rate: 10, online: false", topology=None)
    argv = [XMPPLAB, "verify", file, "--format", "json", "--duration", "60s"]
    with subprocess.Popen(argv, cwd=standing.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as checker:
        assert checker.stderr is not None
        assert any(b" s of 60 s, " in line and b" 0 sent" not in line for line in checker.stderr)
        checker.send_signal(signal.SIGINT)
        told, _ = checker.communicate()
    [report] = json.loads(told)
    assert (checker.returncode, report["is_complete"], report["failures"]) == (130, False, []), report["failures"]
    assert report["total"]["sent"] == report["total"]["under_way"] > 0


def test_an_interrupt_leaves_each_client_to_its_thread(standing: RunningLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TLS connection that one thread reads and another closes takes the process down, and the lab is left up."""
    disturbed: list[str] = []
    close = ManagedClient.close

    def watched_close(client: ManagedClient) -> None:
        others = (thread for thread in threading.enumerate() if thread is not threading.current_thread())
        disturbed.extend(thread.name for thread in others if getattr(thread, "client", None) is client)
        close(client)

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    file = read(Path(scenario(standing, topology=None)), None)
    monkeypatch.setattr(ManagedClient, "close", watched_close)
    monkeypatch.setattr("cluster.lab.verify.live.pause", interrupt)
    outcome = run(Lab(choose(standing.folder, None)), file.scenario, Progress(io.StringIO()))
    assert not outcome.report.is_complete
    assert disturbed == []


def test_a_lab_that_is_up_is_used_and_left_up(standing: RunningLab) -> None:
    file = scenario(standing, topology=None)
    assert verify(standing, file)["total"]["delivered"] == 900
    assert "all promises were kept" in standing.command("verify")
    assert {node["state"] for node in standing.ps()["nodes"]} == {"running"}
    written = standing.folder / "page.md"
    written.write_text("no markers here\n")
    told = standing.command("verify", file, "--duration", "1s", "--write", str(written), exit_code=2)
    assert "it needs the lines" in told


def test_a_scenario_says_what_must_not_hold(standing: RunningLab) -> None:
    """So a test of the checker is a scenario too."""
    fault = "steps: [{at: 1s, fault: {from: s1, to: s2, loss: 20%}, for: 1s}]"
    promises = "promises: {lost_by_fault: 0}"
    told = standing.command("verify", scenario(standing, fault, promises, "expect: lost_by_fault", topology=None))
    assert "as expected, broken  lost by fault: " in told
    told = standing.command("verify", scenario(standing, "expect: lost", topology=None), exit_code=1)
    assert "NOT BROKEN  lost: was to be broken, and was kept" in told


def test_steps_are_repeated_and_chosen_by_the_seed(standing: RunningLab) -> None:
    steps = (
        "steps: [{at: 500ms, choose: [{cut: juliet@capulet.lit}, {cut: romeo@montague.lit}], every: 500ms, times: 4}]"
    )
    runs = [verify(standing, scenario(standing, steps, "seed: 5", flow="rate: 100", topology=None)) for _ in range(2)]
    one, other = ([step["what"] for step in report["steps"]] for report in runs)
    assert one == other
    assert len(one) == 4
    assert [report["broken"] for report in runs] == [[], []]


def test_files_for_other_programs(standing: RunningLab) -> None:
    """A row for each message, JUnit XML, and progress on standard error."""
    rows, suites = standing.folder / "rows.csv", standing.folder / "suites.xml"
    file = scenario(standing, "steps: [{at: 1s, cut: juliet@capulet.lit, for: 1s}]", flow="rate: 100", topology=None)
    argv = [XMPPLAB, "verify", file, "--csv", rows, "--junit", suites]
    done = subprocess.run(argv, cwd=standing.folder, capture_output=True, text=True, check=True)
    assert "short: 1." in done.stderr
    assert "; cut juliet@capulet.lit for 1 s" in done.stderr
    found = list(csv.DictReader(rows.read_text().splitlines()))
    assert [int(row["number"]) for row in found] == list(range(300))
    assert max(float(row["latency_ms"]) for row in found) >= 900
    [suite] = ElementTree.parse(suites).getroot()
    assert (suite.get("name"), suite.get("failures")) == ("short", "0")
    told = standing.command("verify", file, "--csv", "/no/such/folder/rows.csv", exit_code=2)
    assert "cannot write " in told


def test_validate_knows_scenarios(lab: RunningLab) -> None:
    assert "scenario short for topology" in lab.command("validate", scenario(lab))
    assert "scenario kill-s2" in lab.command("validate", "kill-s2")
    assert "no node 's9'" in lab.command("validate", scenario(lab, "steps: [{at: 1s, kill: s9}]"), exit_code=2)
    assert "no file and no topology or scenario 'kill-s9'" in lab.command("validate", "kill-s9", exit_code=2)
    assert "lab two-domains, servers: 2" in lab.command("validate", str(TOPOLOGY))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("steps: [{at: 1s, kill: s9}]", "short.yaml:4:24: steps[0].kill: no node 's9'"),
        ("steps: [{at: 1, kill: s2}]", "is not allowed here; write a time such as"),
        ("speed: 9", "unknown key"),
        ("steps: [{at: 3s, kill: s2}]", "short.yaml:4:14: steps[0].at: nothing is sent at 3 s"),
    ],
)
def test_bad_input_starts_nothing(lab: RunningLab, line: str, told: str) -> None:
    assert told in lab.command("verify", scenario(lab, line), exit_code=2)
    assert not (lab.folder / ".xmpplab").exists()


def test_no_lab_no_verdict(lab: RunningLab) -> None:
    assert "bring one up with" in lab.command("verify", exit_code=2)
    assert "no such file" in lab.command("verify", "nope.yaml", exit_code=2)
