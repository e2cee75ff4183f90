"""The supervisor, in a process of its own, over real processes that crash and disobey."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime

import psutil
import pytest

from cluster.lab.processes import forkserver
from cluster.lab.processes.signals import APPLY
from cluster.lab.state import LabState
from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.unit.lab.supervised import Lab, is_alive, supervised


@pytest.fixture(params=["executed", "forked"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    yield from supervised(request.param)


@pytest.fixture
def forking() -> Iterator[Lab]:
    yield from supervised("forked")


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


@pytest.mark.parametrize("is_reaped", [True, False])
def test_a_lab_ends_with_the_process_that_it_belongs_to(lab: Lab, is_reaped: bool) -> None:
    """Its parent may not ask for its exit code for a long time: it has ended all the same."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner:
        lab.supervise("redis:redis:", "s1:server:", owner=owner.pid)
        pids = [node.pid for node in lab.until_running().values()]
        owner.kill()
        if is_reaped:
            owner.wait()
        assert lab.process is not None
        assert lab.process.wait(PATIENCE_S) == 0
    assert not any(map(is_alive, pids))
    assert not lab.folder.path.exists()


def test_a_lab_outlives_other_processes(lab: Lab) -> None:
    lab.supervise("s1:server:", owner=os.getpid())
    lab.until_running()
    lab.end()
    assert lab.folder.path.exists()  # SIGTERM ends what runs; who sent it decides about the data


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


def test_an_orderly_end_is_no_error(lab: Lab) -> None:
    """As `xmpplab restart` asks for it."""
    lab.supervise("s1:server:")
    before = lab.until_running()
    assert before["s1"].pid is not None
    os.kill(before["s1"].pid, signal.SIGTERM)
    lab.until(lambda nodes: nodes["s1"].restarts == 1 and nodes["s1"].state == "running")
    assert ("info", "s1 has ended (exit code 0); starting it again in 0.1 s") in lab.texts("s1")


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


def test_the_nodes_of_one_process_start_die_and_stay_away_together(lab: Lab) -> None:
    lab.supervise("s1,s3:server:", "s2:server:")
    before = lab.until_running()
    assert before["s1"].pid == before["s3"].pid != before["s2"].pid
    assert before["s1"].pid is not None
    until_utc_s = time.time() + 0.5
    lab.folder.hold("s3", 0.5)
    os.kill(before["s1"].pid, signal.SIGKILL)
    after = lab.until(lambda nodes: all(nodes[name].restarts == 1 for name in ("s1", "s3")))
    after = lab.until_running()
    assert (after["s3"].last_exit, after["s3"].pid) == ("signal SIGKILL", after["s1"].pid)
    assert datetime.fromisoformat(after["s1"].started_utc).timestamp() >= until_utc_s - 0.001
    assert after["s2"] == before["s2"]


def test_each_node_of_a_process_has_its_own_log_and_what_concerns_the_process(lab: Lab) -> None:
    lab.supervise("s1,s3:server:")
    lab.until_running()
    lab.end()
    of_process = [("warning", "its own words"), ("info", "no JSON")]
    assert lab.texts("s1")[:2] == lab.texts("s3")[:2] == of_process
    assert ("warning", "s3 speaks") in lab.texts("s3")
    assert "s3 speaks" not in [text for _, text in lab.texts("s1")]


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


def test_a_forked_part_has_its_own_name_and_ends_as_others_do(forking: Lab) -> None:
    forking.supervise("s1:server:", "s2:server:")
    for name, node in forking.until_running().items():
        assert f"tests.unit.lab.fake_part {forking.folder.path}/{name}.sock" in " ".join(
            psutil.Process(node.pid).cmdline()
        )
    assert forking.process is not None
    assert {psutil.Process(node.pid).ppid() for node in forking.nodes().values()} == {forking.process.pid}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_fork_server_that_dies_or_hangs_is_replaced(forking: Lab, number: signal.Signals) -> None:
    forking.how = "hanging" if number == signal.SIGSTOP else forking.how
    forking.supervise("s1:server:")
    before = forking.until_running()["s1"]
    server = fork_server(forking)
    server.send_signal(number)
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    after = forking.until(lambda nodes: nodes["s1"].restarts == 1 and nodes["s1"].state == "running")["s1"]
    assert after.last_exit == "signal SIGKILL"
    assert not server.is_running()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_fork_server_that_hangs_ends_with_its_supervisor(forking: Lab, number: signal.Signals) -> None:
    """A stopped process reads no end of its requests."""
    forking.supervise("s1:server:")
    forking.until_running()
    server = fork_server(forking)
    server.send_signal(signal.SIGSTOP)
    forking.end(number)
    try:
        assert wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE, PATIENCE_S)
    finally:
        if server.is_running():
            server.kill()


def fork_server(lab: Lab) -> psutil.Process:
    assert lab.process is not None
    [found] = [
        each for each in psutil.Process(lab.process.pid).children() if forkserver.__name__ in " ".join(each.cmdline())
    ]  # fmt: skip
    return found
