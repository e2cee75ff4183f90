"""The end of a load run by Ctrl-C, in a process of its own: gevent takes over all of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RUN = """
import gevent.monkey
gevent.monkey.patch_all()
import os, signal
from loadtests import ending

def user():
    os.kill(os.getpid(), signal.SIGINT)
    print("goes on")

ending.listen(runner=None)
try:
    gevent.spawn(user).join()
    gevent.sleep(60)
except KeyboardInterrupt:
    print("ends")
"""


def test_ctrl_c_ends_the_run_and_not_the_user_that_is_busy() -> None:
    argv = [sys.executable, "-c", RUN]
    done = subprocess.run(argv, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    assert (done.stdout.split("\n"), done.stderr) == (["goes on", "ends", ""], "")
