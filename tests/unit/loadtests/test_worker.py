"""Where the users of a worker have their accounts from. In a process of its own: locust patches the one that imports
it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RUN = """
import gevent
from argparse import Namespace
from locust.env import Environment
from loadtests import run
from loadtests.master_accounts import OfMaster
from loadtests.targets import target

master = Environment().create_master_runner("127.0.0.1", 0)
environment = Environment()
environment.parsed_options = Namespace(
    worker=True, target=[target("a.example=127.0.0.1:5222")], ca=None, accounts="accounts", web_base_path=""
)
users = [gevent.spawn(run.crowd, environment) for _ in range(2)]
gevent.sleep(0)  # the master has told the worker to start users while it connects
environment.create_worker_runner("127.0.0.1", master.server.port)
gevent.joinall(users, raise_error=True, timeout=60)
one, other = (each.value for each in users)
print(one is other, type(one.accounts) is OfMaster)
"""


def test_users_that_start_before_their_runner_is_there_have_those_of_the_master(tmp_path: Path) -> None:
    """Otherwise each worker takes the first ones of the list, and the same account is used twice."""
    (tmp_path / "accounts").write_text("load-0@a.example secret\n")
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=tmp_path, env={"PYTHONPATH": root}, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("True True\n", 0), done.stderr
