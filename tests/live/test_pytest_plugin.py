"""The pytest plugin in other people's projects: each test runs pytest as a program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import psutil
import pytest

from cluster.lab.folder import LabFolder
from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.running_lab import ROOT

pytestmark = pytest.mark.live
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", "temporary"]


def run(folder: Path, *arguments: str) -> str:
    """What it prints, and its exit code."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [*PYTEST, *arguments], cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    return f"{done.stdout}{done.stderr}\nexit code {done.returncode}"


def left(folder: Path) -> list[Path]:
    """Of labs."""
    return list(folder.rglob(".xmpplab"))


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_fixtures(tmp_path: Path, workers: str) -> None:
    """Each worker has its own lab: otherwise the faults of one would hit the tests of the other."""
    (tmp_path / "test_uses.py").write_bytes((ROOT / "tests" / "live" / "plugin_uses.py").read_bytes())
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n")
    shown = run(tmp_path, "-n", workers)
    assert "\n9 passed in" in shown
    assert left(tmp_path) == []


FAILING = """
    import pytest

    pytestmark = pytest.mark.xmpp_topology("mine.yaml")

    def test_it(xmpp_lab, xmpp_account, xmpp_fault):
        romeo = xmpp_account("a.example")
        xmpp_lab.act("s2", "kill")
        xmpp_lab.account(romeo.jid, romeo.password).send("nobody@b.example", "But, soft!")
        assert xmpp_lab.name == "theirs"

    def test_without_a_lab():
        assert 0
"""


def test_a_failure_comes_with_what_the_lab_knows(tmp_path: Path) -> None:
    """And a marker names a file next to the test."""
    (tmp_path / "mine.yaml").write_text("name: mine\nservers: {s1: {domain: a.example}, s2: {domain: b.example}}\n")
    (tmp_path / "test_it.py").write_text(dedent(FAILING))
    shown = run(tmp_path)
    assert "assert 'mine' == 'theirs'" in shown
    why, _, logs = shown.partition("- xmpplab logs -")
    assert why.count("- xmpplab why -") == 1  # not for the test without a lab
    assert "it was bounced at s2 (no-account)" in why
    assert "s2 died (signal SIGKILL)" in logs
    assert "2 failed in" in shown
    assert left(tmp_path) == []


WAITING = """
    import pathlib, time

    def test_it(xmpp_lab, xmpp_account):
        xmpp_account()
        pathlib.Path("lab").write_text(str(xmpp_lab.path))
        input()
"""


def test_without_a_lab_the_reason_is_shown_and_no_code_of_ours(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("name: bad\nserverz: {}\n")
    (tmp_path / "test_it.py").write_text("def test_one(xmpp_lab): ...\ndef test_two(xmpp_account): ...\n")
    shown = run(tmp_path, "--xmpp-topology", "bad.yaml")
    assert "bad.yaml:2:1: serverz: unknown key" in shown
    assert "plugin.py" not in shown
    assert "exit code 1" in shown


UNITTEST = """
    import unittest
    import pytest

    @pytest.mark.usefixtures("xmpp_lab")
    class Plain(unittest.TestCase):
        def test_it(self): ...

    @pytest.mark.xmpp_topology("rooms")
    class Marked(Plain): ...
"""


def test_a_marker_that_unittest_cannot_have_is_not_ignored(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(dedent(UNITTEST))
    shown = run(tmp_path)
    assert "unittest.TestCase no parameters" in shown
    assert "1 passed, 1 error" in shown


def test_a_killed_run_leaves_no_lab(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(dedent(WAITING))
    told = tmp_path / "lab"
    with subprocess.Popen([*PYTEST, "-s"], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as tests:
        assert wait_until(lambda: told.exists() and told.read_text(), PATIENCE_S)
        lab = LabFolder(Path(told.read_text()))
        supervisor = lab.holder()
        assert supervisor is not None
        pids = [supervisor, *(child.pid for child in psutil.Process(supervisor).children())]
        os.kill(tests.pid, signal.SIGKILL)
    assert wait_until(lambda: not any(map(psutil.pid_exists, pids)), PATIENCE_S)
    assert left(tmp_path) == []


def test_the_example(tmp_path: Path) -> None:
    """examples/test_slixmpp.py, in a project whose ini file names the topology."""
    (tmp_path / "test_slixmpp.py").write_bytes((ROOT / "examples" / "test_slixmpp.py").read_bytes())
    (tmp_path / "pytest.ini").write_text("[pytest]\nxmpp_topology = rfc3920\n")
    assert "\n2 passed in" in run(tmp_path)
