"""`xmpplab interop` on one pair of kinds; the whole grid is in docs/interop.md."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.kinds.prosody import PROSODY
from tests.live import warm

pytestmark = [pytest.mark.live, pytest.mark.skipif(bool(PROSODY.missing), reason=PROSODY.missing)]


def test_a_pair(tmp_path: Path) -> None:
    junit = tmp_path / "interop.xml"
    arguments = ("--kinds", "prosody,xmpplab", "--ways", "external", "--format", "json", "--junit", str(junit))
    done = warm.run(("interop", *arguments), tmp_path, 280)
    cells = json.loads(done.stdout)
    mixed = [cell for cell in cells if {cell["here"], cell["there"]} == {"prosody", "xmpplab"}]
    assert len(mixed) == 16
    failed = [cell for cell in mixed if not cell["ok"]]
    assert [cell for cell in failed if cell["scenario"] != "restart"] == []  # at a restart Prosody may lose some
    assert junit.read_text().count("<testsuite ") == 4
    assert not (tmp_path / ".xmpplab").exists()


def test_certificates_with_flaws(tmp_path: Path) -> None:
    arguments = ("--kinds", "xmpplab,prosody", "--ways", "certificates", "--format", "json")
    cells = json.loads(warm.run(("interop", *arguments), tmp_path, 280).stdout)
    assert len(cells) == 2 * 8
    accepted = {(cell["there"], cell["scenario"]) for cell in cells if cell["remark"] == "EXTERNAL accepted"}
    assert accepted == {(kind, flaw) for kind in ("xmpplab", "prosody") for flaw in ("good", "for servers only")}
