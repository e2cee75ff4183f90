"""Programs with windows, driven as a person does: a display of their own (Xvfb), keys, a mouse, and pictures of it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness import PATIENCE_S


class Display:
    """A display of 1280 by 900 pixels; as a context manager it ends with the block, and its programs with it."""

    def __init__(self, home: Path) -> None:
        self._home = home
        reading, writing = os.pipe()
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x900x24", "-nolisten", "tcp"],
            pass_fds=[writing],
            stderr=subprocess.DEVNULL,
        )
        os.close(writing)
        with os.fdopen(reading) as answer:
            self._name = f":{answer.readline().strip()}"  # it picks a free number, and writes it when it is ready
        self._programs: list[subprocess.Popen[bytes]] = []

    def start(self, command: list[str], folder: Path, **environment: str) -> subprocess.Popen[bytes]:
        """Start a program on this display."""
        log = (self._home / f"{len(self._programs)}.log").open("wb")
        variables = {"PATH": os.environ["PATH"], "HOME": str(self._home), "LANG": "C.UTF-8", "DISPLAY": self._name}
        program = subprocess.Popen(
            command, cwd=folder, env={**variables, **environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        log.close()
        self._programs.append(program)
        return program

    def said(self) -> str:
        """What its programs have printed."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self._home.glob("*.log")))

    def type(self, window: str, text: str, clicks: Iterable[tuple[int, int]]) -> None:
        """Click at these places of the window of this title, then type a line and the return key."""
        found = self._do("search", "--sync", "--onlyvisible", "--name", f"^{window}$").split()[0]
        self._do("windowfocus", "--sync", found)
        for at in clicks:
            self._do("mousemove", "--window", found, *map(str, at), "click", "1")
        self._do("type", "--delay", "20", text)
        self._do("key", "Return")

    def picture(self, file: Path) -> None:
        """Write what is shown, as PNG."""
        subprocess.run(["import", "-window", "root", str(file)], env=self._environment(), check=True)

    def _do(self, *words: str) -> str:
        done = subprocess.run(
            ["xdotool", *words], env=self._environment(), capture_output=True, text=True, timeout=PATIENCE_S
        )
        assert done.returncode == 0, f"xdotool {words}: {done.stderr}"
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "DISPLAY": self._name}

    def close(self) -> None:
        """End its programs, and itself."""
        for program in [*self._programs, self._server]:
            program.send_signal(signal.SIGTERM)
            try:
                program.wait(10)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
