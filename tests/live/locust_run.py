"""A load test as a user runs it: locust in a process of its own, from its start to its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.live.running_lab import ROOT

LOCUST = [sys.executable, "-m", "locust", "--headless", "--only-summary"]
TIMEOUT_S = 300


def locust(scenario: Path, state: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """One run against the lab of this state folder."""
    return subprocess.run(
        [*LOCUST, "-f", str(scenario), *arguments],
        cwd=ROOT,
        env={**os.environ, "XMPPLAB_STATE": str(state), **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def figures(report: Path) -> dict[str, Any]:
    """The rows of a report that `--json-file` wrote, by name."""
    rows = json.loads(report.with_suffix(".json").read_text())
    return {row["name"]: row for row in rows if row["method"] == "XMPP"}
