"""What the lab's Redis has replied to survives its crash, on the slowest disk."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.plans import read_plans
from cluster.lab.provision.redis import command, configure
from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.running_lab import ROOT

pytestmark = pytest.mark.live

SLOW_DISK = """
#include <time.h>
static int slow(void) { struct timespec pause = {1, 800000000}; return nanosleep(&pause, 0); }
int fdatasync(int descriptor) { return slow(); }
int fsync(int descriptor) { return slow(); }
"""
"""As long as Redis lets a reply come before its write, with `appendfsync everysec`."""


@pytest.fixture
def slow_disk(tmp_path: Path) -> dict[str, str]:
    """The environment of a process on a disk that takes 1.8 s to flush."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (apt install gcc) to make a slow disk with")
    source, library = tmp_path / "slow.c", tmp_path / "slow.so"
    source.write_text(SLOW_DISK)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return {**os.environ, "LD_PRELOAD": str(library)}


def test_a_reply_means_that_it_is_in_the_file(tmp_path: Path, slow_disk: dict[str, str]) -> None:
    plan = read_plans(ROOT / "topologies" / "two-domains.yaml", tmp_path)[0]
    folder = LabFolder(Path(plan.state_dir))
    folder.create()
    configure(folder, plan)
    client = redis.Redis.from_url(folder.secrets()[ADMIN], socket_timeout=PATIENCE_S)

    def answers() -> bool:
        try:
            return bool(client.ping())
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
            return False

    @contextmanager
    def running(environment: dict[str, str]) -> Iterator[None]:
        """Until it crashes at the end."""
        with subprocess.Popen(command(folder), stdin=subprocess.PIPE, env=environment) as process:
            try:
                assert wait_until(answers, PATIENCE_S)
                yield
            finally:
                process.kill()

    replied = 0
    with running(slow_disk):
        started_s = client.time()[0]
        while client.time()[0] < started_s + 4:  # two flushes, by its own clock
            replied = client.incr("counter")
    with running({**os.environ}):
        assert int(client.get("counter")) == replied
    client.close()
    folder.remove()
