"""A spawner that runs out of something. In a process of its own, as it adopts what its children leave."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

BEGIN = """
import os, psutil, resource, signal, subprocess, sys
from twisted.internet.protocol import ProcessProtocol
from cluster.lab.processes.python import PYTHON
from cluster.lab.processes.spawning import Spawner, forked
from cluster.lab.wait import wait_until

NODE = "tests.unit.lab.draws"
server = forked((NODE,))
from twisted.internet import reactor

spawner = Spawner(reactor, (NODE,), server)
me = psutil.Process()

def spawn():
    return spawner.spawn(ProcessProtocol(), [*PYTHON, NODE]).pid

def kill_server():
    [first] = [each for each in me.children() if each.pid == server[1]]
    first.kill()
    assert wait_until(lambda: first.status() == psutil.STATUS_ZOMBIE, 60)
"""

NO_DESCRIPTORS = """
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
assert spawn() > 0
kill_server()
held = []
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
for _ in range(6):  # for the pipes of a node, none for a fork server
    os.close(held.pop())
for _ in range(3):
    try:
        spawn()
    except OSError as error:
        print(error.strerror)
for each in held:
    os.close(each)
print(spawn() > 0)
"""

ZOMBIES = """
kill_server()
subprocess.run(["sh", "-c", "sleep 0 & sleep 0 &"])
def ended():
    return sum(each.status() == psutil.STATUS_ZOMBIE for each in me.children())
assert wait_until(lambda: ended() == 3, 60)
spawner.reap()
print(ended())
print(spawn() > 0)
"""


def said(script: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + script],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert not done.returncode, done.stderr
    return done.stdout.splitlines()


def test_nodes_start_again_when_there_are_descriptors_for_a_fork_server() -> None:
    assert said(NO_DESCRIPTORS) == ["Too many open files"] * 3 + ["True"]


def test_what_was_adopted_is_collected_while_the_fork_server_is_dead() -> None:
    assert said(ZOMBIES) == ["0", "True"]
