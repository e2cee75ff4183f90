"""Programs for a terminal, driven as a person does: keys go in, and what the screen shows is read (tmux)."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness import PATIENCE_S


class Terminal:
    """One program in a terminal of 120 columns and 40 rows; as a context manager it ends with the block."""

    def __init__(self, command: list[str], home: Path, **environment: str) -> None:
        # a socket's path may have only about 100 bytes
        self._folder = Path(tempfile.mkdtemp(prefix="xmpplab-"))
        kept = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TERM": "screen-256color"}
        self._environment = {**kept, **environment}
        self._tmux("new-session", "-d", "-x", "120", "-y", "40", *command)

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", str(self._folder / "tmux"), "-f", "/dev/null", *arguments]
        done = subprocess.run(
            command, env=self._environment, cwd=self._folder, capture_output=True, text=True, timeout=PATIENCE_S
        )
        return done.stdout

    def type(self, line: str) -> None:
        """A line and the return key."""
        self._tmux("send-keys", "-l", line)
        self._tmux("send-keys", "Enter")

    def screen(self) -> str:
        """What it shows now."""
        return self._tmux("capture-pane", "-p")

    def said(self) -> str:
        """The same, for the message of a failing test."""
        return self.screen()

    def shows(self, what: str | Callable[[str], object]) -> str:
        """Wait until the screen has this text on it, or fits; the screen."""
        fits = what if callable(what) else lambda screen: what in screen
        pause, deadline_s = threading.Event(), time.monotonic() + PATIENCE_S
        while not fits(screen := self.screen()):
            assert time.monotonic() < deadline_s, f"never shown: {what}; the screen:\n{screen}"
            pause.wait(0.02)
        return screen

    def close(self) -> None:
        """End it, if it has not ended."""
        self._tmux("kill-server")
        shutil.rmtree(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
