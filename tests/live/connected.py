"""Client programs started by `xmpplab connect`, each with what shows it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from cluster.lab.programs import known
from tests.live.console import Terminal
from tests.live.display import Display
from tests.live.running_lab import XMPPLAB, RunningLab


def needs(client: str) -> None:
    """Skip the test where the program, or what shows it, is absent."""
    program = known()[client]
    shown_by = ("Xvfb", "xvfb") if program.is_graphical else ("tmux", "tmux")
    lacking = [package for found, package in [(program.path, program.package), (shutil.which(shown_by[0]), shown_by[1])]
               if found is None]  # fmt: skip
    if lacking:
        pytest.skip(f"needs {client}: apt-get install {' '.join(lacking)}")


def not_root() -> list[str]:
    """What a command begins with to see itself as a user who is not root, which some programs demand."""
    before = ["unshare", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
    if before and subprocess.run([*before, "true"], check=False, capture_output=True).returncode:
        pytest.skip("nobody but root here: this system has no user namespaces")
    return before


def connect(lab: RunningLab, stage: ExitStack, tmp_path: Path, client: str, who: str) -> Terminal | Display:
    """A terminal or a display with the client on it."""
    command = [*not_root(), XMPPLAB, "connect", client, who]
    if known()[client].is_graphical:
        display = stage.enter_context(Display(tmp_path))
        display.start(command, lab.folder)
        return display
    return stage.enter_context(Terminal(["sh", "-c", f"cd {lab.folder}; exec {shlex.join(command)}"], tmp_path))
