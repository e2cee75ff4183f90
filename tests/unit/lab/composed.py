"""Whether compose takes a file: by its schema, which knows every key."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def check(file: Path) -> None:
    """Skips where there is no compose."""
    programs = [["docker", "compose", "version"], ["docker-compose", "version"]]
    found = next((each[:-1] for each in programs if shutil.which(each[0]) and _works(each)), None)
    if found is None:
        pytest.skip("needs docker compose: apt-get install docker-compose")
    command = [*found, "-f", str(file), "config", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def _works(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
