"""A load from several processes, and from locust's page."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from urllib.request import urlopen

import pytest

from cluster.cli.loadrun import free_port
from cluster.lab.wait import wait_until
from tests.live.load_report import load_report
from tests.live.running_lab import XMPPLAB, RunningLab

pytestmark = pytest.mark.live

PATIENCE_S = 120.0


def command(lab: RunningLab, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [XMPPLAB, "load", *arguments],
        cwd=lab.folder, env={**os.environ, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_workers_have_the_users_and_the_master_has_the_figures(verona: RunningLab) -> None:
    ports = dict.fromkeys(("LOCUST_MASTER_NODE_PORT", "LOCUST_MASTER_BIND_PORT"), str(free_port()))
    options = ("--expect-workers", "2", "-u", "6", "-t", "10s", "--format", "json")
    with (
        command(verona, "chat", "--master", *options, **ports) as master,
        command(verona, "chat", "--worker", **ports) as one,
        command(verona, "chat", "--worker", **ports) as other,
    ):
        figures, warned = master.communicate(timeout=PATIENCE_S)
        told = [worker.communicate(timeout=PATIENCE_S) for worker in (one, other)]
    assert master.returncode == 0, warned
    found = load_report(figures)
    assert found.count("login") == 6
    assert found.count("deliver") == found.count("send") > 0
    assert [out for out, _ in told] == ["", ""]


def test_the_page_starts_the_load(verona: RunningLab) -> None:
    with command(verona, "chat", "-u", "4", "--web", "--format", "json") as load:
        assert load.stderr is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", load.stderr.readline())
        assert found is not None
        page = found[0]

        def answers() -> bool:
            try:
                with urlopen(page, timeout=10) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        assert wait_until(answers, PATIENCE_S)
        with urlopen(f"{page}/swarm", data=b"user_count=4&spawn_rate=4", timeout=PATIENCE_S) as answer:
            assert json.load(answer)["success"] is True
        assert wait_until(lambda: verona.node("montague.lit")["sessions"], PATIENCE_S)
        load.send_signal(signal.SIGINT)
        figures, warned = load.communicate(timeout=PATIENCE_S)
    assert load.returncode == 0, warned
    assert load_report(figures).count("login") == 4


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (["--master", "--worker"], "--master, --worker and --processes exclude each other"),
        (["--worker", "--web"], "a worker has no page; give --web to the master"),
        (["--shape", "spike", "--web"], "a shape needs to know how long it lasts; give a run time such as 5m"),
    ],
)
def test_what_does_not_go_together_is_told(verona: RunningLab, wrong: list[str], why: str) -> None:
    with command(verona, "chat", *wrong) as load:
        _, told = load.communicate(timeout=PATIENCE_S)
    assert load.returncode in (1, 2)
    assert why in told
    assert "Traceback" not in told
