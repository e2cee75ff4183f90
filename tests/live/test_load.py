"""Load tests as a user runs them: locust in a process of its own, against a running lab."""

from __future__ import annotations

import csv
import re
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from cluster.client.blocking import BlockingClient
from cluster.lab.wait import wait_until
from cluster.xmpp.jid import Jid
from cluster.xmpp.streams.login import Login
from loadtests.bench.ports import free_ports
from tests.live.locust_run import figures, locust
from tests.live.running_lab import ROOT, XMPPLAB, RunningLab

pytestmark = pytest.mark.live

CHAT = ROOT / "loadtests" / "chat.py"


LATE = "the load generator itself was "
"""Begins a warning, where the machine is busy."""


def state_of(lab: RunningLab) -> Path:
    return next((lab.folder / ".xmpplab").iterdir())


@pytest.mark.parametrize("processes", [1, 2])
def test_all_that_is_sent_is_delivered(verona: RunningLab, tmp_path: Path, processes: int) -> None:
    report = tmp_path / "report.html"
    [port] = map(str, free_ports(1))
    spread = ["--processes", "2", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port]
    done = locust(
        CHAT, state_of(verona), "-u", "12", "-r", "12", "-t", "3s", "--rate", "10", "--cross", "0.5",
        "--html", str(report), "--json-file", str(report.with_suffix("")), *(spread if processes == 2 else []),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    rows = figures(report)
    assert set(rows) == {"login", "send", "deliver local", "deliver cross-domain"}
    assert rows["login"]["num_requests"] == 12
    assert rows["send"]["num_requests"] > 0
    assert rows["deliver local"]["num_requests"] > 0
    assert rows["deliver cross-domain"]["num_requests"] > 0
    delivered = rows["deliver local"]["num_requests"] + rows["deliver cross-domain"]["num_requests"]
    assert delivered == rows["send"]["num_requests"]
    assert not any(row["num_failures"] for row in rows.values())
    assert "deliver cross-domain" in report.read_text()


def test_what_is_not_delivered_is_a_failure_of_its_kind(verona: RunningLab, tmp_path: Path) -> None:
    host, port = verona.node("capulet.lit")["c2s"].split(":")
    sleeper = Jid.parse("load-sleeper@capulet.lit")
    login = Login(sleeper, "secret", register=True)
    with BlockingClient((host, int(port)), login, verona.ps()["ca_file"]):
        pass  # makes the account, and leaves it offline: the server keeps what comes for it (XEP-0160)

    done = locust(
        Path(__file__).with_name("load_failures.py"), state_of(verona), "-u", "1", "-t", "1s",
        "--csv", str(tmp_path / "run"), SLEEPER=str(sleeper),
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    with (tmp_path / "run_failures.csv").open() as file:
        failures = {row["Name"]: row for row in csv.DictReader(file)}
    assert set(failures) == {"deliver local", "deliver cross-domain"}
    # RFC 6121 section 8.5.1
    assert "came back: service-unavailable (definite)" in failures["deliver local"]["Error"]
    assert "lost: " in failures["deliver cross-domain"]["Error"]
    assert "(indefinite)" in failures["deliver cross-domain"]["Error"]


def test_without_a_lab_it_says_once_what_to_do(tmp_path: Path) -> None:
    done = locust(CHAT, tmp_path, "-u", "3", "-t", "1s")
    assert done.returncode == 1
    assert done.stderr.count(f"no lab in {tmp_path}; bring one up with `xmpplab up FILE -d`") == 1
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("wrong", [("--cross", "2"), ("--rate", "0")])
def test_wrong_options(tmp_path: Path, wrong: tuple[str, str]) -> None:
    done = locust(CHAT, tmp_path, *wrong)
    assert done.returncode == 2
    assert f"argument {wrong[0]}: {wrong[1]} is no" in done.stderr


def test_the_command_prints_its_figures(verona: RunningLab) -> None:
    shown = verona.command("load", "chat", "--users", "4", "--time", "2s").splitlines()
    lines = [line for line in shown if not line.startswith(LATE)]
    end = lines.index("") if "" in lines else None  # before where the time went
    head, *rows = lines[:end]
    assert head.split() == [
        "MEASURED",
        "COUNT",
        "FAILED",
        "PER",
        "SECOND",
        "P50",
        "MS",
        "P95",
        "MS",
        "P99",
        "MS",
        "MAX",
        "MS",
    ]
    names = [row[:20].rstrip() for row in rows]
    assert names == sorted(names)
    expected = {"deliver cross-domain", "generator loop", "login", "send"}
    assert {*names} - {"deliver local", "late start"} == expected  # only two may write locally
    assert all(len(row) <= 80 for row in [head, *rows])


def test_an_interrupt_prints_the_figures_so_far(verona: RunningLab) -> None:
    """locust waits for what is under way, and nothing of it is left."""
    argv = [XMPPLAB, "load", "chat", "--users", "4", "--time", "1h"]
    with subprocess.Popen(argv, cwd=verona.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as load:
        assert wait_until(lambda: verona.ps()["nodes"][1]["sessions"], 60.0)
        [locust] = psutil.Process(load.pid).children()
        load.send_signal(signal.SIGINT)
        told, warned = load.communicate(timeout=60)
    assert load.returncode == 0
    assert [line for line in warned.splitlines() if not line.startswith(LATE)] == []
    assert "\nlogin " in told
    assert not locust.is_running()


def test_what_failed_is_printed_once(verona: RunningLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLEEPER", "nobody@padua.lit")
    file = str(ROOT / "tests" / "live" / "load_failures.py")
    shown = verona.command("load", file, "--users", "1", "--time", "1s", exit_code=1)
    assert re.search(r"^failed 1 times: deliver .*: Bounced\(", shown, re.M), shown
    assert "Traceback" not in shown
