"""A disk that a test can fill: a file system of its own in memory, where the system lets us mount one."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """So large, such as `8m`; skips the test where nothing may be mounted."""
    folder = Path(tempfile.mkdtemp(prefix="xmpplab-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)], capture_output=True, check=False
    )
    try:
        if mounted.returncode:
            pytest.skip(f"no file system may be mounted here: {mounted.stderr.decode().strip()}")
        yield folder
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def fill(folder: Path) -> Path:
    """Leave no room on the disk; the file to remove for some."""
    file = folder / "filler"
    with file.open("wb", buffering=0) as filler:
        try:
            while filler.write(b"x" * 65_536) == 65_536 or os.statvfs(folder).f_bavail:
                pass
        except OSError:
            pass
    return file
