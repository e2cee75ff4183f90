"""`xmpplab verify` against real labs: promises that are kept, and promises that are not."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from cluster.client.managed import ManagedClient
from cluster.lab.errors import LabError
from cluster.lab.folder import ADMIN, LABS, choose
from cluster.lab.overview import overview
from cluster.lab.redis_client import connected
from cluster.lab.verify.read import read
from cluster.lab.verify.run import run
from cluster.lab.wait import wait_until
from cluster.redisio.keys import Keys
from tests.harness import PATIENCE_S
from tests.live.running_lab import ROOT, XMPPLAB, RunningLab

pytestmark = pytest.mark.live
TOPOLOGY = ROOT / "topologies" / "two-domains.yaml"


@pytest.fixture
def lab(tmp_path: Path) -> RunningLab:
    """Not up: the checker brings up its own."""
    return RunningLab(tmp_path, TOPOLOGY)


def scenario(lab: RunningLab, *lines: str, rate: str = "300", topology: Path | None = TOPOLOGY) -> str:
    """Write one with a short flow; its path."""
    file = lab.folder / "short.yaml"
    flow = f"{{from: romeo@montague.lit, to: juliet@capulet.lit, rate: {rate}, duration: 3s}}"
    head = ["name: short", *([f"topology: {topology}"] if topology else []), f"flows: [{flow}]"]
    file.write_text("\n".join([*head, *lines]) + "\n")
    return str(file)


def verify(lab: RunningLab, file: str, exit_code: int = 0) -> dict[str, Any]:
    """The report."""
    told = lab.command("verify", file, "--format", "json", exit_code=exit_code)
    report, _, _ = told.rpartition("]")
    return dict(json.loads(report + "]")[0])


def test_a_receiver_whose_connection_is_cut_misses_nothing(lab: RunningLab) -> None:
    report = verify(lab, scenario(lab, "steps: [{at: 1s, cut: juliet@capulet.lit, for: 500ms}]"))
    counts = report["total"]
    assert (counts["sent"], counts["acknowledged"], counts["delivered"]) == (900, 900, 900)
    assert [counts[fate] for fate in ("lost", "bounced", "duplicated", "out_of_order")] == [0, 0, 0, 0]
    assert (report["resumed"], report["begun_anew"]) == (1, 0)
    assert [step["what"] for step in report["steps"]] == ["cut juliet@capulet.lit for 0.5 s"]
    assert {node["node"] for node in report["memory"]} == {"redis", "s1", "s2"}
    assert not (lab.folder / ".xmpplab").exists()  # its lab is gone


def test_a_server_that_hangs_loses_nothing(lab: RunningLab) -> None:
    counts = verify(lab, scenario(lab, "steps: [{at: 1s, pause: s2, for: 1s}]"))["total"]
    assert counts["delivered"] == 900
    assert counts["longest_gap_s"] >= 0.9


def test_a_redis_that_crashes_loses_nothing(lab: RunningLab) -> None:
    report = verify(lab, scenario(lab, "steps: [{at: 1s, kill: redis, for: 500ms}]"))
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
    assert "xmpplab: promises were broken: short" in told


def test_what_a_fault_loses_is_told_from_a_loss(lab: RunningLab) -> None:
    """Nothing is lost for real; and a scenario may forbid the other kind."""
    fault = "steps: [{at: 1s, fault: {from: s1, to: s2, loss: 20%}, for: 1s}]"
    report = verify(lab, scenario(lab, fault, "promises: {lost_by_fault: 0}"), exit_code=1)
    counts = report["total"]
    assert counts["lost"] == 0
    assert counts["lost_by_fault"] > 0
    assert counts["delivered"] + counts["lost_by_fault"] == counts["sent"] == 900
    assert [promise["promise"] for promise in report["broken"]] == ["lost_by_fault"]
    example = report["flows"][0]["examples"][0]
    assert (example["fate"], example["hops"][-1]["event"]) == ("lost by a fault", "lost")


def test_a_partition_loses_nothing(lab: RunningLab) -> None:
    counts = verify(lab, scenario(lab, "steps: [{at: 1s, partition: [s1, s2], for: 1s}]"))["total"]
    assert counts["delivered"] == 900
    assert counts["longest_gap_s"] >= 0.9


def test_a_loss_is_seen(lab: RunningLab) -> None:
    """The checker would be worth nothing otherwise: somebody deletes what waits for a server that hangs."""
    lab.up()
    try:
        file = scenario(lab, "steps: [{at: 500ms, pause: s2, for: 4s}]", topology=None)
        argv = [XMPPLAB, "verify", file, "--format", "json"]
        s2 = psutil.Process(lab.node("capulet.lit")["pid"])
        with subprocess.Popen(argv, cwd=lab.folder, stdout=subprocess.PIPE, text=True) as checker:
            assert wait_until(lambda: s2.status() == psutil.STATUS_STOPPED, PATIENCE_S)
            delete_what_waits(lab)
            told, _ = checker.communicate()
        report = json.loads(told)[0]
        counts = report["total"]
        assert checker.returncode == 1
        assert counts["lost"] > 0
        assert counts["lost"] + counts["delivered"] == counts["sent"] == counts["acknowledged"]
        assert [promise["promise"] for promise in report["broken"]] == ["lost"]
        example = report["flows"][0]["examples"][0]
        assert (example["fate"], example["hops"][-1]["event"]) == ("lost", "enqueued")
    finally:
        lab.down()


def delete_what_waits(lab: RunningLab) -> None:
    """The link's stream, as soon as something waits in it that came after its reader stopped to read."""
    folder = choose(lab.folder, None)
    key = Keys.of_lab("two-domains").link("capulet.lit", "montague.lit")
    with connected(folder.secrets()[ADMIN]) as redis:
        before = int(redis.xlen(key))  # type: ignore[arg-type]
        assert wait_until(lambda: int(redis.xlen(key)) > before + 20, PATIENCE_S)  # type: ignore[arg-type]
        redis.xtrim(key, maxlen=0, approximate=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_behind(lab: RunningLab, number: signal.Signals) -> None:
    argv = [XMPPLAB, "verify", scenario(lab), "--duration", "60s"]
    with subprocess.Popen(argv, cwd=lab.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as checker:
        assert wait_until(lambda: session_count(lab) == 2, PATIENCE_S)
        checker.send_signal(number)
        told, why = checker.communicate()
    assert (checker.returncode, told) == (130, b""), why.decode()
    assert not (lab.folder / LABS).exists(), why.decode()


def test_an_interrupt_leaves_each_client_to_its_thread(lab: RunningLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TLS connection that one thread reads and another closes takes the process down, and the lab is left up."""
    disturbed: list[str] = []
    close = ManagedClient.close

    def watched_close(client: ManagedClient) -> None:
        others = (thread for thread in threading.enumerate() if thread is not threading.current_thread())
        disturbed.extend(thread.name for thread in others if getattr(thread, "client", None) is client)
        close(client)

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    file = read(Path(scenario(lab)), None)
    monkeypatch.setattr(ManagedClient, "close", watched_close)
    monkeypatch.setattr("cluster.lab.verify.run.pause", interrupt)
    lab.up()
    try:
        folder = choose(lab.folder, None)
        with pytest.raises(KeyboardInterrupt):
            run(folder, folder.plan(), file.scenario)
        assert disturbed == []
    finally:
        lab.down()


def session_count(lab: RunningLab) -> int:
    """How many clients the servers of a lab have that may not be up yet."""
    try:
        found = overview(choose(lab.folder, None))
    except LabError:
        return 0
    return sum(node.sessions or 0 for node in found.nodes)


def test_a_lab_that_is_up_is_used_and_left_up(lab: RunningLab) -> None:
    lab.up()
    try:
        file = scenario(lab, topology=None)
        assert verify(lab, file)["total"]["delivered"] == 900
        assert "all promises were kept" in lab.command("verify")
        assert {node["state"] for node in lab.ps()["nodes"]} == {"running"}
        written = lab.folder / "page.md"
        written.write_text("no markers here\n")
        told = lab.command("verify", file, "--duration", "1s", "--write", str(written), exit_code=2)
        assert "it needs the lines" in told
    finally:
        lab.down()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("steps: [{at: 1s, kill: s9}]", "short.yaml:4:24: steps[0].kill: there is no node 's9'"),
        ("steps: [{at: 1, kill: s2}]", "does not fit here; write a time such as"),
        ("speed: 9", "unknown key"),
    ],
)
def test_bad_input_starts_nothing(lab: RunningLab, line: str, told: str) -> None:
    assert told in lab.command("verify", scenario(lab, line), exit_code=2)
    assert not (lab.folder / ".xmpplab").exists()


def test_no_lab_no_verdict(lab: RunningLab) -> None:
    assert "bring one up with" in lab.command("verify", exit_code=2)
    assert "there is no such file" in lab.command("verify", "nope.yaml", exit_code=2)
