"""The registry of kinds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cluster import kinds


def test_each_file_is_a_kind_by_its_name() -> None:
    assert sorted(kinds.known()) == ["ejabberd", "external", "mail", "mailhost", "prosody", "sms", "smsc", "xmpplab"]
    assert {kind.network_kind for kind in kinds.gateways().values()} == kinds.networks().keys()


def test_two_kinds_of_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "twin.py").write_text(
        "from cluster.kinds.sms import SmsGateway\nclass kind(SmsGateway, tag='sms'): ...\n"
    )
    monkeypatch.setattr(kinds, "__path__", [*kinds.__path__, str(tmp_path)])
    kinds.known.cache_clear()
    with pytest.raises(ValueError, match=r"two kinds are called 'sms'; one of them is in twin\.py"):
        kinds.known()
    monkeypatch.undo()
    kinds.known.cache_clear()


def test_kinds_are_light() -> None:
    """Each process of a lab and each command imports them; load tests, those of servers that are not ours."""
    heavy = "{'twisted', 'pydantic', 'asyncio', 'redis', 'yaml', 'cryptography'}"
    check = (
        "import sys; from cluster import kinds; kinds.known(); import cluster.topology.plan; "
        f"found = {heavy} & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
