"""Load tests as a user runs them: locust in a process of its own, against a running lab."""

from __future__ import annotations

import csv
import socket
from pathlib import Path

import pytest

from cluster.client.blocking import BlockingClient
from cluster.xmpp.jid import Jid
from cluster.xmpp.streams.login import Login
from tests.live.locust_run import figures, locust
from tests.live.running_lab import ROOT, RunningLab

pytestmark = pytest.mark.live

CHAT = ROOT / "loadtests" / "chat.py"


def state_of(lab: RunningLab) -> Path:
    return next((lab.folder / ".xmpplab").iterdir())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.mark.parametrize("processes", [1, 2])
def test_all_that_is_sent_is_delivered(verona: RunningLab, tmp_path: Path, processes: int) -> None:
    report = tmp_path / "report.html"
    port = str(free_port())
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
