"""The command `xmpplab`, run in the process of a test."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from cluster.cli import main

VERONA = str(Path(__file__).parents[3] / "topologies" / "verona.yaml")


class Shell:
    """Runs the command in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        self._monkeypatch.setattr(sys, "argv", ["xmpplab", *arguments])
        before = signal.getsignal(signal.SIGINT)
        with pytest.raises(SystemExit) as exit_:
            main()
        signal.signal(signal.SIGINT, before)
        output = self._capsys.readouterr()
        return int(exit_.value.code or 0), output.out, output.err


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Shell:
    """In an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XMPPLAB_LAB", raising=False)
    return Shell(monkeypatch, capsys)
