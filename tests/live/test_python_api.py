"""The Python API as docs/python.md shows it, and the prompt that has it."""

from __future__ import annotations

import doctest
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.lab.api import Lab, temporary_lab
from tests.live.console import Terminal
from tests.live.running_lab import ROOT, XMPPLAB

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with temporary_lab("two-domains", every_stanza=True) as lab:
        yield lab
    assert not lab.path.exists()


def folder_of(lab: Lab) -> Path:
    """In which commands find it."""
    return lab.path.parents[1]


def test_the_examples(lab: Lab) -> None:
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    page = str(ROOT / "docs" / "python.md")
    failed, tried = doctest.testfile(page, module_relative=False, globs={"lab": lab}, optionflags=flags)
    assert tried > 15
    assert not failed


def test_a_prompt(lab: Lab, tmp_path: Path) -> None:
    with Terminal(["sh", "-c", f"cd {folder_of(lab)} && exec {XMPPLAB} shell"], tmp_path) as terminal:
        terminal.shows("lab two-domains is `lab`")
        terminal.type("lab.name.upper()")
        terminal.shows("'TWO-DOMAINS'")
        terminal.type("lab.node('s9')")
        assert "Traceback" not in terminal.shows("no node 's9' in this lab")
        terminal.type("1/0")
        terminal.shows("ZeroDivisionError")
        terminal.type("lab.is_u\t")
        terminal.shows("\nTrue")


def run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [XMPPLAB, "shell"], cwd=folder, input=script, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_traceback_of_a_script_has_its_own_lines_only(lab: Lab) -> None:
    done = run(folder_of(lab), "def f():\n    1 / 0\n\nf()\n")
    assert done.returncode == 1
    assert [line.strip() for line in done.stderr.splitlines()] == [
        "Traceback (most recent call last):",
        'File "<stdin>", line 4, in <module>',
        'File "<stdin>", line 2, in f',
        "ZeroDivisionError: division by zero",
    ]


def test_a_script(lab: Lab) -> None:
    done = run(folder_of(lab), "for server in lab.plan.servers:\n    print(server.domain)\n")
    assert (done.stdout, done.returncode) == ("montague.lit\ncapulet.lit\n", 0)
    done = run(folder_of(lab), "lab.node('s9')")
    assert (done.stderr, done.returncode) == ("xmpplab: no node 's9' in this lab (nodes: redis, s1, s2)\n", 2)
