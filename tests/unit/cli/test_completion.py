"""What the shell completes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.cli.completion import files
from cluster.lab.folder import LABS, LabFolder
from cluster.lab.plans import read_plans
from tests.unit.cli.shell import Shell, shell

__all__ = ["shell"]

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a lab that is down, and its file."""
    folder = tmp_path_factory.mktemp("labs")
    lab = LabFolder(folder / LABS / "rfc3920")
    lab.create()
    lab.save_plan(read_plans(ROOT / "topologies" / "rfc3920.yaml", folder)[0])
    (folder / "rfc3920.yaml").touch()
    (folder / "notes.txt").touch()
    (folder / "more").mkdir()
    return folder


def asked(line: str) -> dict[str, str]:
    """The environment in which bash asks for the last word of a line."""
    return {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_XMPPLAB_COMPLETE": "complete_bash"}


def completed(shell: Shell, folder: Path, line: str) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in asked(line).items():
            patch.setenv(name, value)
        code, out, err = shell.run()
    assert (code, err) == (0, "")
    return out.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("xmpplab kill ", ["redis", "s1", "s2", "fn1", "g1"]),
        ("xmpplab logs s", ["s1", "s2"]),
        ("xmpplab fault set s1 ", ["s1", "s2"]),
        ("xmpplab trace rom", ["romeo@montague.lit"]),
        ("xmpplab trace romeo fc", ["fc1"]),
        ("xmpplab chat j", ["juliet@capulet.lit"]),
        ("xmpplab phone ", ["fc1"]),
        ("xmpplab connect p", ["page", "pidgin", "profanity", "psi-plus"]),
        ("xmpplab connect gajim j", ["juliet@capulet.lit"]),
        ("xmpplab network clear ", ["fn1"]),
        ("xmpplab ps --lab ", ["rfc3920"]),
        (
            "xmpplab validate r",
            ["rfc3920.yaml", "rfc3920", "rooms", "random-kills", "rolling-restart", "room-kill", "room-nodes", "room"],
        ),
        ("xmpplab config ./", ["./.xmpplab/", "./more/", "./rfc3920.yaml"]),
        ("xmpplab up rf", ["rfc3920.yaml", "rfc3920"]),
        ("xmpplab verify kill-s", ["kill-s1", "kill-s2"]),
        ("xmpplab init my-lab --from t", ["two-domains"]),
        ("xmpplab load ", ["archive", "chat", "gateway", "login", "mixed", "pep", "presence", "rooms", "roster"]),
        ("xmpplab load --ta", ["--target"]),
        ("xmpplab load rooms --r", ["--rate", "--rooms"]),
        ("xmpplab load --lab rooms --rate 5 mixed --w", ["--worker", "--web", "--weights"]),
        ("xmpplab load chat --shape s", ["spike", "steps"]),
        ("xmpplab inb", ["inbox"]),
    ],
)
def test_words(shell: Shell, folder: Path, line: str, words: list[str]) -> None:
    assert completed(shell, folder, line) == words


def test_the_program_completes(folder: Path) -> None:
    program, environment = Path(sys.executable).with_name("xmpplab"), {**os.environ, **asked("xmpplab kill s")}
    done = subprocess.run([program], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout.split(), done.stderr) == (["s1", "s2"], "")


def test_a_folder_that_cannot_be_read_completes_nothing(shell: Shell, folder: Path, tmp_path: Path) -> None:
    (tmp_path / LABS / "broken").mkdir(parents=True)
    (tmp_path / LABS / "broken" / "plan.json").write_text("{")
    assert completed(shell, tmp_path, "xmpplab kill ") == []
    assert files(f"{tmp_path}/nowhere/x") == []
    assert files(f"{folder}/r") == [f"{folder}/rfc3920.yaml"]


def test_it_is_light(folder: Path) -> None:
    """So that Tab answers at once."""
    check = (
        "import sys, cluster.cli.app; from cluster.cli import completion; assert completion.nodes('s'); "
        "heavy = {'twisted', 'redis', 'cryptography', 'pydantic', 'prompt_toolkit', 'psutil', 'docker'} "
        "& set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", check], cwd=folder, check=True)
