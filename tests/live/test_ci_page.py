"""docs/ci.md: its commands run, its files are well-formed."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.live.running_lab import ROOT, XMPPLAB

pytestmark = pytest.mark.live
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / "docs" / "ci.md").read_text(), re.M | re.S)


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


def test_the_commands(tmp_path: Path) -> None:
    [script] = blocks("sh")
    path = f"{Path(XMPPLAB).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", script], cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"ca_file"' in done.stdout
    assert "all promises were kept" in done.stdout


def test_the_workflows() -> None:
    github, gitlab = (yaml.safe_load(text) for text in blocks("yaml"))
    assert github[True] == ["push", "pull_request"]  # YAML 1.1 takes `on` for a boolean, and GitHub does not
    [job] = github["jobs"].values()
    steps = [step["run"] for step in job["steps"] if "run" in step]
    assert steps[0] == gitlab["federation"]["script"][0]
    assert steps[1] in gitlab["federation"]["script"][1]
