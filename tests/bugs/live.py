"""Scenarios of `xmpplab verify` on labs whose servers have one of the bugs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

from tests.live.running_lab import ROOT, TIMEOUT_S, XMPPLAB

SITE = Path(__file__).parent / "site"


def matrix() -> list[str]:
    """The scenarios of the fault matrix, as in the Makefile."""
    names = re.search(r"^MATRIX := ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert names is not None
    return names[1].replace("\\", "").split()


def environment(bug: str) -> dict[str, str]:
    """Of a command whose lab has this bug."""
    owner = {"XMPPLAB_UP_OWNER": str(os.getpid())}
    return {**os.environ, **owner, "PYTHONPATH": f"{SITE}{os.pathsep}{ROOT}", "XMPPLAB_TEST_BUG": bug}


def broken(bug: str, scenario: str) -> list[str]:
    """The promises that a run of the scenario breaks where the servers have this bug."""
    command = [XMPPLAB, "verify", scenario, "--format", "json"]
    with tempfile.TemporaryDirectory(prefix="xmpplab-bugs-") as folder:
        done = subprocess.run(
            command, cwd=folder, env=environment(bug), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    try:
        [report] = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}\n{done.stderr}") from None
    return [each["promise"] for each in report["broken"]]
