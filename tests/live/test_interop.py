"""`xmpplab interop` on one pair of kinds; the whole grid is in docs/interop.md."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.kinds.prosody import PROSODY
from tests.live import warm
from tests.live.running_lab import XMPPLAB

pytestmark = [pytest.mark.live, pytest.mark.skipif(bool(PROSODY.missing), reason=PROSODY.missing)]


def test_a_pair(tmp_path: Path) -> None:
    junit, html = tmp_path / "interop.xml", tmp_path / "interop.html"
    arguments = (
        "--kinds",
        "prosody,xmpplab",
        "--ways",
        "external",
        "--format",
        "json",
        "--junit",
        str(junit),
        "--html",
        str(html),
    )
    done = warm.run(("interop", *arguments), tmp_path, 280)
    cells = json.loads(done.stdout)
    mixed = [cell for cell in cells if {cell["here"], cell["there"]} == {"prosody", "xmpplab"}]
    assert len(mixed) == 22
    failed = [cell for cell in mixed if not cell["ok"]]
    assert [cell for cell in failed if cell["scenario"] != "restart"] == []  # at a restart Prosody may lose some
    assert junit.read_text().count("<testsuite ") == 4
    assert html.read_text().count('<section class="cell"') == len(cells)
    assert all(cell["exchange"] for cell in cells)
    assert not (tmp_path / ".xmpplab").exists()


def test_certificates_with_flaws(tmp_path: Path) -> None:
    arguments = ("--kinds", "xmpplab,prosody", "--ways", "certificates", "--format", "json")
    cells = json.loads(warm.run(("interop", *arguments), tmp_path, 280).stdout)
    assert len(cells) == 2 * 8
    accepted = {(cell["there"], cell["scenario"]) for cell in cells if cell["remark"] == "EXTERNAL accepted"}
    assert accepted == {(kind, flaw) for kind in ("xmpplab", "prosody") for flaw in ("good", "for servers only")}


def test_a_server_that_misbehaves(tmp_path: Path) -> None:
    arguments = ("--kinds", "xmpplab", "--ways", "conduct", "--format", "json")
    cells = {cell["scenario"]: cell for cell in json.loads(warm.run(("interop", *arguments), tmp_path, 280).stdout)}
    assert cells["forged sender"]["remark"] == "the stream is closed: invalid-from"
    assert cells["stanza too big"]["remark"] == "the stream is closed: policy-violation"
    assert cells["stream that is cut"]["ok"]
    assert "others' pings" in cells["flood"]["remark"]  # how fast they are depends on the machine


def test_an_interrupted_run_writes_what_it_knows(tmp_path: Path) -> None:
    html = tmp_path / "interop.html"
    argv = [sys.executable, XMPPLAB, "interop", "--kinds", "xmpplab", "--ways", "external", "--html", str(html)]
    with subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        cell = run.stdout.readline()
        run.send_signal(signal.SIGINT)
        more = run.stdout.read().splitlines()
    assert run.returncode == 130
    assert "messages" in cell
    assert html.read_text().count('<section class="cell"') >= 1 + len(more)
