"""All labs of a user, in whatever folders: in a process namespace of the test's own, for `down --all` means all."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.live.running_lab import ROOT, TIMEOUT_S, XMPPLAB

pytestmark = pytest.mark.live
ALONE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
SCRIPT = """
set -e
cd {here}/one; xmpplab up {topology} -d >&2
cd {here}/two; xmpplab up {topology} -d >&2; xmpplab down --keep >&2
cd {here}/three; xmpplab up {topology} -d >&2
cd {here}/two; xmpplab ls >&2; xmpplab ls --format json
xmpplab down --all >&2; xmpplab down --all >&2
xmpplab ls --format json
"""


def test_labs_of_other_folders_are_listed_and_taken_down(tmp_path: Path) -> None:
    if subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no process namespace may be made here, and all labs of this user are not the test's to end")
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    script = SCRIPT.format(here=shlex.quote(str(tmp_path)), topology=ROOT / "topologies" / "two-domains.yaml")
    environment = {
        **os.environ,
        "DOCKER_HOST": "unix:///nobody",
        "PATH": f"{Path(XMPPLAB).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        [*ALONE, "bash", "-c", script], capture_output=True, text=True, timeout=TIMEOUT_S, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    decoder, found = json.JSONDecoder(), []
    rest = done.stdout.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        found.append([(Path(lab["state_dir"]).parts[-3], lab["name"], lab["state"]) for lab in value])
        rest = rest[end:].strip()
    lab = "two-domains"
    assert found == [[("one", lab, "up"), ("three", lab, "up"), ("two", lab, "down")], [("two", lab, "down")]]
    assert "no lab is running" in done.stderr
    assert list((tmp_path / "one").iterdir()) == list((tmp_path / "three").iterdir()) == []
