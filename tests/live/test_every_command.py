"""Every command, where the world around it is not as it should be: it says so in words, never by a traceback."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
import typer

from cluster.cli.app import app
from cluster.lab.folder import LABS, LabFolder
from tests.live import warm
from tests.live.running_lab import ROOT, TIMEOUT_S, XMPPLAB, RunningLab
from tests.unit.lab.plan import make_plan

pytestmark = pytest.mark.live
TOPOLOGY = ROOT / "topologies" / "rfc3920.yaml"
FILE = str(TOPOLOGY)
ROMEO, JULIET = "romeo@montague.lit", "juliet@capulet.lit"

CODES = (0, 1, 2, 127)
"""The last is that of a shell for a missing program: `exec`."""
COMMANDS: dict[str, tuple[str, ...]] = {
    "up": (FILE, "-d"),
    "down": ("--lab", "nobody"),
    "ps": (),
    "ls": (),
    "logs": (),
    "trace": (ROMEO, JULIET),
    "watch": ("--lab", "nobody"),
    "why": (),
    "chat": (ROMEO,),
    "shell": (),
    "send": (ROMEO, JULIET, "But, soft!"),
    "inbox": (JULIET,),
    "search": ("soft",),
    "init": ("my-lab",),
    "interop": ("--ways", "smoke"),
    "check": ("montague.lit",),
    "web": ("--lab", "nobody"),
    "connect": (),
    "exec": ("nothing-of-this-name",),
    "validate": (FILE,),
    "config": (FILE,),
    "graph": (FILE,),
    "generate": (),
    "load": ("nothing",),
    "verify": ("nothing.yaml",),
    "simulate": ("nothing.yaml",),
    "timeline": ("lab.html",),
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
    "user sessions": ("romeo@montague.lit",),
    "user roster": ("romeo@montague.lit",),
    "user disconnect": ("romeo@montague.lit/pda",),
    "fault set": ("s1", "s2", "--delay", "1ms"),
    "fault clear": (),
    "fault ls": (),
    "export compose": (FILE,),
    "export swarm": (FILE, "--redis", "foo"),
    "export k8s": (FILE, "--redis", "foo"),
    "export load": ("chat", "--master", "10.0.0.1", "--target", "a.lit=10.0.0.2"),
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


def run(
    command: str, folder: Path, *, before: tuple[str, ...] = (), arguments: tuple[str, ...] | None = None,
    environment: dict[str, str] | None = None, **others: Any,
) -> tuple[int, str]:  # fmt: skip
    """Exit code, and what it said on standard error and, unless that goes elsewhere, on standard output."""
    others.setdefault("stdout", subprocess.PIPE)
    done = subprocess.run(
        [*before, XMPPLAB, *command.split(), *(COMMANDS[command] if arguments is None else arguments)],
        cwd=folder, stderr=subprocess.PIPE, timeout=TIMEOUT_S,
        env={**os.environ, "DOCKER_HOST": "unix:///nobody", **(environment or {})}, check=False, **others,
    )  # fmt: skip
    said = (done.stderr + (done.stdout or b"")).decode(errors="replace")
    assert "Traceback" not in said, said
    assert "Exception ignored" not in said, said
    assert done.returncode in CODES, (done.returncode, said)
    return done.returncode, said


Run = Callable[..., tuple[int, str]]
PROGRAMS = ("ps", "validate")
"""Run as programs, from the start of Python to its end; all others are forked from a process with the libraries."""


def run_forked(
    command: str, folder: Path, *, before: tuple[str, ...] = (), stdout: IO[bytes] | None = None,
    environment: dict[str, str] | None = None,
) -> tuple[int, str]:  # fmt: skip
    """As `run`, with the libraries loaded."""
    done = warm.run(
        (*command.split(), *COMMANDS[command]), folder, TIMEOUT_S, stdout=stdout.fileno() if stdout else None,
        environment={"DOCKER_HOST": "unix:///nobody", **(environment or {})}, before=before,
    )  # fmt: skip
    said = done.stderr + done.stdout
    assert "Traceback" not in said, said
    assert done.returncode in CODES, (done.returncode, said)
    return done.returncode, said


def run_of(command: str) -> Run:
    return run if command in PROGRAMS else run_forked


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    yield from RunningLab(tmp_path_factory.mktemp("lab"), TOPOLOGY).while_up()


PRINTING = sorted(
    {
        "up",
        "down",
        "ps",
        "ls",
        "logs",
        "trace",
        "why",
        "chat",
        "send",
        "inbox",
        "search",
        "validate",
        "config",
        "generate",
        "graph",
        "phone",
        "scale",
        "netem",
        "check",
        "connect",
        "user add",
        "user sessions",
        "user roster",
    }
    | {
        "user passwd",
        "user del",
        "user ls",
        "fault set",
        "fault clear",
        "fault ls",
        "export compose",
        "export load",
        "network set",
    }
    | {"network clear", "network ls", "timeline"}
)
"""Those that may print something on standard output here: what becomes of that is nothing to the others."""


@pytest.mark.parametrize("command", COMMANDS)
def test_its_encoding_lacks_characters(lab: RunningLab, tmp_path: Path, command: str) -> None:
    printed = tmp_path / "printed"
    with printed.open("wb") as file:
        run_of(command)(command, lab.folder, stdout=file, environment={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert command in (*PRINTING, "init") or not printed.read_bytes()


@pytest.mark.parametrize("command", PRINTING)
class TestOutput:
    """What is printed goes nowhere."""

    def test_nobody_reads_it(self, lab: RunningLab, command: str) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            run_of(command)(command, lab.folder, stdout=pipe)

    def test_its_disk_is_full(self, lab: RunningLab, command: str) -> None:
        if not Path("/dev/full").exists():
            pytest.skip("this system has no /dev/full")
        with open("/dev/full", "wb") as full:
            run_of(command)(command, lab.folder, stdout=full)


@pytest.mark.parametrize("command", PROGRAMS)
def test_standard_output_is_closed(lab: RunningLab, command: str) -> None:
    """What Python then lacks is made up for before any command is known: two of them prove it for all."""
    run(command, lab.folder, stdout=None, preexec_fn=lambda: os.close(1))


def test_a_lab_comes_up_where_standard_input_is_closed(tmp_path: Path) -> None:
    """As cron and some supervisors have it: the lock of the lab got the number of standard input, and was lost."""
    lab = RunningLab(tmp_path, TOPOLOGY)
    code, said = run("up", tmp_path, preexec_fn=lambda: os.close(0))
    try:
        assert code == 0, said
        assert lab.node("montague.lit")["state"] == "running"
    finally:
        lab.down()


@pytest.mark.parametrize("arguments", [["shell"], ["user", "add", "nurse@montague.lit"]])
def test_nothing_can_be_read_where_standard_input_is_closed(lab: RunningLab, arguments: list[str]) -> None:
    argv, close = [XMPPLAB, *arguments], lambda: os.close(0)
    done = subprocess.run(argv, cwd=lab.folder, capture_output=True, text=True, preexec_fn=close, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if arguments == ["shell"] else 1)


@pytest.fixture(scope="module")
def broken_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with a file in modules/ that is no Python; to be found before the installed one."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "cluster", tree / "cluster", ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "cluster" / "modules" / "verse.py").write_text("But, soft! what light\n")
    return tree


READS_PLANS = ("validate", "config", "graph", "export compose", "export swarm", "export k8s", "scale", "verify")


@pytest.mark.parametrize(
    "command", ["up", *READS_PLANS, "ps", "logs", "chat", "trace", "kill", "user add", "fault set"]
)
def test_a_module_is_broken(lab: RunningLab, broken_tree: Path, command: str) -> None:
    code, said = run_of(command)(command, lab.folder, before=("env", f"PYTHONPATH={broken_tree}"))
    if command == "up":
        assert code == 2
        assert "modules/verse.py cannot be loaded: SyntaxError" in said


OBEDIENT = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--")
"""Runs a program of root's to whom files are forbidden as they are to anybody."""


@pytest.fixture(scope="module")
def forbidden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """A folder with a lab that may not be looked into, and what a command has to begin with so that this holds."""
    before = OBEDIENT if os.geteuid() == 0 else ()
    if before and (not shutil.which("setpriv") or subprocess.run([*before, "true"], check=False).returncode):
        pytest.skip("nothing is forbidden to root, and there is no setpriv to change that")
    folder = tmp_path_factory.mktemp("forbidden")
    lab = LabFolder(folder / LABS / "verona")
    lab.create()
    lab.save_plan(make_plan(lab.path))
    (folder / "mine.yaml").write_text(TOPOLOGY.read_text())
    paths = {folder / "mine.yaml": 0o000, lab.path: 0o000, folder / LABS: 0o555, folder: 0o555}
    for path, mode in paths.items():
        path.chmod(mode)
    yield folder, before
    for path in reversed(paths):
        path.chmod(0o700)


@pytest.mark.parametrize("command", [*COMMANDS, "unreadable"])
def test_it_may_not(forbidden: tuple[Path, tuple[str, ...]], command: str) -> None:
    folder, before = forbidden
    if command == "unreadable":
        code, said = run("validate", folder, before=before, arguments=("mine.yaml",))
        assert (code, "mine.yaml: cannot be read: Permission denied" in said) == (2, True), said
        return
    code, said = run_of(command)(command, folder, before=before)
    if command in ("up", "ps", "kill", "user ls"):
        assert code != 0
        assert "ermission" in said


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


STARTS = [("ps", 1), ("ps", 60), ("ps", 120), *itertools.product(("ps", "up", "verify", "user ls"), (240, 400))]


@pytest.mark.parametrize(("command", "after"), STARTS)
def test_ctrl_c_while_it_starts(lab: RunningLab, tmp_path: Path, command: str, after: int) -> None:
    """At its n-th import: most of its start goes by with these. The first 120 are the same for all commands."""
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTER)
    done = subprocess.run(
        [sys.executable, XMPPLAB, *command.split(), *COMMANDS[command]], cwd=lab.folder, timeout=TIMEOUT_S,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "INTERRUPT_AFTER": str(after)}, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in (-2, 130, *CODES), done.returncode
    if done.returncode in CODES:  # it has fewer imports than that
        assert after > 1
