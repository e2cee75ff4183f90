"""A command that serves the page of a lab."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from pathlib import Path

from cluster.lab.wait import wait_until
from tests.live.running_lab import TIMEOUT_S

ADDRESS = re.compile(r"the lab in the browser: (http://127\.0\.0\.1:\d+/#\S+)|in the browser: (http://\S+)")


class Served:
    """A command that serves the page."""

    def __init__(self, folder: Path, *command: str) -> None:
        self.folder = folder
        self._process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        self.printed: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert wait_until(lambda: self.address or self._process.poll() is not None, TIMEOUT_S)
        assert self.address, "".join(self.printed)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.printed.append(line)

    @property
    def address(self) -> str:
        found = ADDRESS.search("".join(self.printed))
        return (found[1] or found[2]) if found else ""

    def interrupt(self) -> int:
        """Ctrl-C, as a terminal sends it; the exit code."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)
        code = self._process.wait(TIMEOUT_S)
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code
