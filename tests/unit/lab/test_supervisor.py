"""The supervisor, in a process of its own, over real processes that crash and disobey."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from cluster.lab.processes.signals import APPLY
from cluster.lab.state import LabState
from cluster.lab.wait import wait_until
from tests.unit.lab.supervised import PATIENCE_S, Lab, is_alive, supervised


@pytest.fixture
def lab() -> Iterator[Lab]:
    yield from supervised()


def test_servers_start_when_redis_answers_and_the_lab_is_prepared(lab: Lab) -> None:
    lab.supervise("redis:redis:", "s1:server:", "s2:server:")
    nodes = lab.until_running()
    before = LabState.load(lab.folder.path / "at-prepare.json")
    assert before is not None
    assert [(node.name, node.state) for node in before.nodes] == [
        ("redis", "running"),
        ("s1", "stopped"),
        ("s2", "stopped"),
    ]
    assert [node.restarts for node in nodes.values()] == [0, 0, 0]


def test_sigterm_ends_everything(lab: Lab) -> None:
    lab.supervise("redis:redis:", "s1:server:")
    pids = [node.pid for node in lab.until_running().values()]
    lab.end()
    assert not any(map(is_alive, pids))
    assert [(node.state, node.pid) for node in lab.nodes().values()] == [("stopped", None)] * 2


def test_a_part_that_ignores_sigterm_is_killed_and_the_log_says_so(lab: Lab) -> None:
    lab.supervise("s1:server:stubborn")
    pid = lab.until_running()["s1"].pid
    lab.end()
    assert not is_alive(pid)
    assert ("warning", "s1 did not stop within 0.5 s of SIGTERM: SIGKILL") in lab.texts("s1")


def test_a_killed_part_is_started_again(lab: Lab) -> None:
    lab.supervise("s1:server:", "s2:server:")
    before = lab.until_running()
    assert before["s1"].pid is not None
    os.kill(before["s1"].pid, signal.SIGKILL)
    after = lab.until(lambda nodes: nodes["s1"].restarts == 1 and nodes["s1"].state == "running")
    assert after["s1"].last_exit == "signal SIGKILL"
    assert after["s1"].pid != before["s1"].pid
    assert after["s2"] == before["s2"]


def test_a_killed_part_stays_away_while_it_is_held(lab: Lab) -> None:
    lab.supervise("s1:server:")
    before = lab.until_running()
    assert before["s1"].pid is not None
    until_utc_s = time.time() + 0.5
    lab.folder.hold("s1", 0.5)
    os.kill(before["s1"].pid, signal.SIGKILL)
    after = lab.until(lambda nodes: nodes["s1"].restarts == 1 and nodes["s1"].state == "running")
    assert datetime.fromisoformat(after["s1"].started_utc).timestamp() >= until_utc_s - 0.001  # it is written in µs


def test_a_crash_at_the_start_is_tried_again_and_its_traceback_kept(lab: Lab) -> None:
    lab.supervise("s1:server:crash-once")
    node = lab.until(lambda nodes: nodes["s1"].state == "running")["s1"]
    assert (node.restarts, node.last_exit) == (1, "exit code 1")
    texts = lab.texts("s1")
    assert ("error", "RuntimeError: meant to crash") in texts
    assert ("error", "s1 died (exit code 1); restarting it in 0.1 s") in texts


def test_all_output_becomes_log_lines(lab: Lab) -> None:
    lab.supervise("s1:server:")
    lab.until_running()
    lab.end()
    assert lab.texts("s1") == [
        ("warning", "its own words"),
        ("info", "no JSON"),
        ("info", "the last line has no end"),
    ]


def test_stopping_does_not_wait_for_a_part_that_cannot_start(lab: Lab) -> None:
    lab.supervise("redis:redis:crash", "s1:server:")
    lab.until(lambda nodes: nodes["redis"].restarts >= 1)
    lab.end()
    assert [node.state for node in lab.nodes().values()] == ["stopped", "stopped"]


def test_parts_end_when_their_supervisor_is_killed(lab: Lab) -> None:
    lab.supervise("redis:redis:", "s1:server:")
    pids = [node.pid for node in lab.until_running().values()]
    lab.end(signal.SIGKILL)
    assert wait_until(lambda: not any(map(is_alive, pids)), PATIENCE_S)


def test_told_to_apply_it_starts_what_is_new_and_stops_what_is_not_wanted(lab: Lab) -> None:
    lab.supervise("redis:redis:", "s1:server:", "s1-2:server:")
    before = lab.until_running()
    (lab.folder.path / "parts").write_text("redis:redis: s1:server: s2:server:")
    assert lab.process is not None
    lab.process.send_signal(APPLY)
    after = lab.until(lambda nodes: list(nodes) == ["redis", "s1", "s2"] and nodes["s2"].state == "running")
    assert after["s1"] == before["s1"]
    assert after["redis"] == before["redis"]
    assert wait_until(lambda: not is_alive(before["s1-2"].pid), PATIENCE_S)
