"""Every command, where the world around it is not as it should be: it says so in words, never by a traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import typer

from cluster.cli.app import app
from cluster.lab.folder import LABS, LabFolder
from tests.live.running_lab import ROOT, TIMEOUT_S, XMPPLAB, RunningLab
from tests.unit.lab.plan import make_plan

pytestmark = pytest.mark.live
TOPOLOGY = ROOT / "topologies" / "rfc3920.yaml"
FILE = str(TOPOLOGY)
ROMEO, JULIET = "romeo@montague.lit", "juliet@capulet.lit"

COMMANDS: dict[str, tuple[str, ...]] = {
    "up": (FILE, "-d"),
    "down": ("--lab", "nobody"),
    "ps": (),
    "ls": (),
    "logs": (),
    "trace": (ROMEO, JULIET),
    "watch": ("--lab", "nobody"),
    "validate": (FILE,),
    "graph": (FILE,),
    "load": ("nothing",),
    "verify": ("nothing.yaml",),
    "phone": ("fc1", "inbox"),
    "mail": ("fc6", "inbox"),
    "kill": ("nobody",),
    "pause": ("nobody",),
    "resume": ("nobody",),
    "restart": ("nobody",),
    "scale": ("s1=1",),
    "netem": ("s1",),
    "user add": ("benvolio@montague.lit", "--password", "secret"),
    "user passwd": ("benvolio@montague.lit", "--password", "secret"),
    "user del": ("benvolio@montague.lit",),
    "user ls": (),
    "fault set": ("s1", "s2", "--delay", "1ms"),
    "fault clear": (),
    "fault ls": (),
    "export compose": (FILE,),
    "export swarm": (FILE, "--redis", "foo"),
    "export k8s": (FILE, "--redis", "foo"),
    "network set": ("fn1", "--delay", "1ms"),
    "network clear": ("fn1",),
    "network ls": (),
}
"""One of each, that asks for something that can be done or for something that cannot."""


def all_commands(group: Any, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from all_commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}"


def test_none_is_missing_here() -> None:
    assert sorted(all_commands(typer.main.get_command(app))) == sorted(COMMANDS)


def run(command: str, folder: Path, *, environment: dict[str, str] | None = None, **others: Any) -> tuple[int, str]:
    """Exit code, and what it said on standard error and, unless that goes elsewhere, on standard output."""
    others.setdefault("stdout", subprocess.PIPE)
    done = subprocess.run(
        [XMPPLAB, *command.split(), *COMMANDS[command]], cwd=folder, stderr=subprocess.PIPE, timeout=TIMEOUT_S,
        env={**os.environ, "DOCKER_HOST": "unix:///nobody", **(environment or {})}, check=False, **others,
    )  # fmt: skip
    said = (done.stderr + (done.stdout or b"")).decode(errors="replace")
    assert "Traceback" not in said, said
    assert "Exception ignored" not in said, said
    assert done.returncode in (0, 1, 2), (done.returncode, said)
    return done.returncode, said


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    lab = RunningLab(tmp_path_factory.mktemp("lab"), TOPOLOGY)
    lab.up()
    yield lab
    lab.down()


@pytest.mark.parametrize("command", COMMANDS)
class TestOutput:
    """What is printed goes nowhere, or not all of it can be shown."""

    def test_nobody_reads_it(self, lab: RunningLab, command: str) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        try:
            run(command, lab.folder, stdout=writing)
        finally:
            os.close(writing)

    def test_it_is_closed(self, lab: RunningLab, command: str) -> None:
        run(command, lab.folder, stdout=None, preexec_fn=lambda: os.close(1))

    def test_its_disk_is_full(self, lab: RunningLab, command: str) -> None:
        if not Path("/dev/full").exists():
            pytest.skip("this system has no /dev/full")
        with open("/dev/full", "wb") as full:
            run(command, lab.folder, stdout=full)

    def test_its_encoding_lacks_characters(self, lab: RunningLab, command: str) -> None:
        run(command, lab.folder, environment={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})


@pytest.fixture(scope="module")
def broken_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with a file in modules/ that is no Python; to be found before the installed one."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "cluster", tree / "cluster", ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "cluster" / "modules" / "verse.py").write_text("But, soft! what light\n")
    return tree


@pytest.mark.parametrize("command", COMMANDS)
def test_a_module_is_broken(lab: RunningLab, broken_tree: Path, command: str) -> None:
    code, said = run(command, lab.folder, environment={"PYTHONPATH": str(broken_tree)})
    if command in ("up", "validate", "graph", "export compose"):
        assert code == 2
        assert "modules/verse.py cannot be loaded: SyntaxError" in said


@pytest.fixture(scope="module")
def forbidden() -> Iterator[tuple[Path, dict[str, Any]]]:
    """A folder with a lab of somebody else, and what makes a command one of this user; for root, of nobody."""
    folder = Path(tempfile.mkdtemp(prefix="xmpplab-"))
    mine = LabFolder(folder / LABS / "verona")
    mine.create()
    mine.save_plan(make_plan(mine.path))
    mine.path.chmod(0o000)
    (folder / LABS).chmod(0o555)
    folder.chmod(0o555)
    as_user: dict[str, Any] = {}
    if os.geteuid() == 0:
        as_user = {"user": 65534, "group": 65534, "extra_groups": []}
        with suppress(OSError):
            if subprocess.run([XMPPLAB, "--help"], capture_output=True, check=False, **as_user).returncode == 0:
                yield folder, as_user
                return shutil.rmtree(folder)
        shutil.rmtree(folder)
        pytest.skip("this test runs as root, whom nothing is forbidden, and nobody else may run the command")
    yield folder, as_user
    for path in (folder, folder / LABS, mine.path):
        path.chmod(0o700)
    shutil.rmtree(folder)
    return None


@pytest.mark.parametrize("command", COMMANDS)
def test_it_may_not(forbidden: tuple[Path, dict[str, Any]], command: str) -> None:
    folder, as_user = forbidden
    run(command, folder, environment={"HOME": str(folder)}, **as_user)


INTERRUPTER = """
import os, signal, sys

class Counter:
    left = int(os.environ["INTERRUPT_AFTER"])

    def find_spec(self, name, path=None, target=None):
        if Counter.left >= 0 and sys.modules.get("cluster.cli") and hasattr(sys.modules["cluster.cli"], "main"):
            if not Counter.left:
                os.kill(os.getpid(), signal.SIGINT)
            Counter.left -= 1

sys.meta_path.insert(0, Counter())
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_ctrl_c_while_it_starts(lab: RunningLab, tmp_path: Path, command: str) -> None:
    """At its n-th import: most of its first tenth of a second goes by with these."""
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTER)
    for after in (1, 150):
        done = subprocess.run(
            [sys.executable, XMPPLAB, *command.split(), *COMMANDS[command]], cwd=lab.folder, timeout=TIMEOUT_S,
            env={**os.environ, "PYTHONPATH": str(tmp_path), "INTERRUPT_AFTER": str(after)}, check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode in (-2, 130, 0, 1, 2), done.returncode
        if done.returncode in (0, 1, 2):  # it has fewer imports than that
            assert after > 1
