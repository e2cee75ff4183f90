from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

from cluster.lab.folder import LabFolder
from cluster.lab.provision.ca import VALIDITY
from cluster.lab.provision.certificates import certify
from tests.unit.lab.plan import make_plan

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def test_certificates_are_kept_while_they_are_good(tmp_path: Path) -> None:
    folder, plan = LabFolder(tmp_path), make_plan(tmp_path)
    certify(folder, plan, NOW)
    first = folder.ca_file.read_bytes()
    certify(folder, plan, NOW + VALIDITY / 2)
    assert folder.ca_file.read_bytes() == first
    certify(folder, plan, NOW + VALIDITY)
    assert folder.ca_file.read_bytes() != first


def test_a_missing_certificate_is_made(tmp_path: Path) -> None:
    folder, plan = LabFolder(tmp_path), make_plan(tmp_path)
    certify(folder, plan, NOW)
    folder.key("s2").unlink()
    certify(folder, plan, NOW)
    assert folder.key("s2").exists()


def test_only_the_owner_can_read_keys(tmp_path: Path) -> None:
    folder, plan = LabFolder(tmp_path), make_plan(tmp_path)
    certify(folder, plan, NOW)
    assert [stat.S_IMODE(folder.key(node).stat().st_mode) for node in ("s1", "s2")] == [0o600, 0o600]


def test_everybody_can_read_the_certificate_of_the_ca(tmp_path: Path) -> None:
    """Copies of it, in the store of trusted ones, are for the clients of all users; also of a lab of before."""
    folder, plan = LabFolder(tmp_path), make_plan(tmp_path)
    certify(folder, plan, NOW)
    assert stat.S_IMODE(folder.ca_file.stat().st_mode) == 0o644
    folder.ca_file.chmod(0o600)
    certify(folder, plan, NOW)
    assert stat.S_IMODE(folder.ca_file.stat().st_mode) == 0o644
