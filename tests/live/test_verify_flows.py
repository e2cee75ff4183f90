"""`xmpplab verify` with everything that may be a flow, and beside a person's own experiments."""

from __future__ import annotations

import signal
import subprocess
import threading
from pathlib import Path

import pytest

from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.running_lab import ROOT, XMPPLAB, RunningLab
from tests.live.verify_runs import SESSIONS, TOPOLOGY, delete_what_waits, scenario, session_count, verify

pytestmark = pytest.mark.live


@pytest.fixture
def lab(tmp_path: Path) -> RunningLab:
    """Not up: the checker brings up its own."""
    return RunningLab(tmp_path, TOPOLOGY)


def test_carbons_archives_presence_and_iqs(lab: RunningLab) -> None:
    """Each is checked like the messages themselves."""
    end = "from: romeo@montague.lit, to: juliet@capulet.lit, duration: 3s, rate: 20"
    more = f", {{{end}, kind: presence}}, {{{end}, kind: iq}}"
    report = verify(lab, scenario(lab, flow="rate: 100, carbons: 1, archive: true", more=more))
    found = {flow["name"].partition("juliet@capulet.lit")[2]: flow["counts"]["delivered"] for flow in report["flows"]}
    found = {name.partition("/")[0]: count for name, count in found.items()}
    assert found == {
        "": 300,
        ", carbon at romeo@montague.lit": 300,
        ", carbon at juliet@capulet.lit": 300,
        ", archive of romeo@montague.lit": 300,
        ", archive of juliet@capulet.lit": 300,
        " (presence)": 60,
        " (iq)": 60,
        " (iq), answers": 60,
    }
    assert report["total"]["sent"] == report["total"]["delivered"] == 420


def test_who_logs_in_later_gets_everything(lab: RunningLab) -> None:
    report = verify(lab, scenario(lab, "steps: [{at: 1s, kill: s2}]", flow="rate: 100, online: false, archive: true"))
    assert [flow["counts"]["delivered"] for flow in report["flows"]] == [300, 300, 300]
    assert report["broken"] == []


def test_phones_and_mailboxes_are_ends_of_flows(lab: RunningLab) -> None:
    ends = (("romeo@montague.lit", "fc1"), ("fc2", "romeo@montague.lit"), ("fc6", "romeo@montague.lit"))
    more = "".join(f", {{from: {from_}, to: {to}, rate: 4, duration: 3s}}" for from_, to in ends)
    more += ", {from: juliet@capulet.lit, to: friar@abbey.example, rate: 4, duration: 3s}"
    report = verify(lab, scenario(lab, flow="rate: 10", more=more, topology=ROOT / "topologies" / "gateways.yaml"))
    assert [flow["counts"]["delivered"] for flow in report["flows"]] == [30, 12, 12, 12, 12]
    assert report["broken"] == []


def test_a_watch_says_at_once_what_breaks_and_where(lab: RunningLab) -> None:
    """Beside a person's own experiments: a crash is survived, and what somebody deletes is missed."""
    lab.up()
    try:
        argv = [XMPPLAB, "verify", "--watch"]
        with subprocess.Popen(argv, cwd=lab.folder, stdout=subprocess.PIPE, text=True) as checker:
            assert checker.stdout is not None
            told: list[str] = []
            reader = threading.Thread(target=lambda: told.extend(checker.stdout or ()))
            try:
                assert checker.stdout.readline().startswith("watching lab two-domains until Ctrl-C: ")
                reader.start()
                assert wait_until(lambda: session_count(lab) >= SESSIONS, PATIENCE_S)
                lab.command("kill", "s2")
                assert wait_until(lambda: "s2 died (signal SIGKILL)" in "".join(told), PATIENCE_S)
                assert "BROKEN" not in "".join(told)
                lab.command("pause", "s2")
                delete_what_waits(lab)
                lab.command("resume", "s2")
                assert wait_until(lambda: "└── enqueued" in "".join(told), PATIENCE_S), told
                checker.send_signal(signal.SIGINT)
                reader.join()
                assert checker.wait() == 1
            finally:
                checker.kill()
        text = "".join(told)
        assert "BROKEN  lost: " in text
        assert "and never seen again" in text
    finally:
        lab.down()


def test_a_watch_ends_with_its_lab(lab: RunningLab) -> None:
    lab.up()
    with subprocess.Popen(
        [XMPPLAB, "verify", "--watch"], cwd=lab.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as checker:
        assert checker.stdout is not None
        assert checker.stdout.readline().startswith("watching lab ")  # all its clients have logged in
        lab.down()
        _, why = checker.communicate()
    assert checker.returncode == 1
    assert "lab two-domains was taken down while it was checked" in why
