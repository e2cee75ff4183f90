"""The same load against servers of other projects: some that let users register, and some that do not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.kinds.ejabberd import EJABBERD
from cluster.kinds.prosody import PROSODY
from tests.live.load_report import load_report
from tests.live.running_lab import RunningLab

MISSING = PROSODY.missing or EJABBERD.missing
pytestmark = [pytest.mark.live, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

TOPOLOGY = """\
name: mixed
servers:
  s1: {domain: montague.lit}
  s2: {domain: capulet.lit, kind: prosody, registration: open}
  s3: {domain: escalus.lit, kind: ejabberd}
  s4: {domain: paris.lit, kind: ejabberd, registration: open}
  s5: {domain: padua.lit, kind: prosody}
accounts:
  mercutio@escalus.lit:
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    folder = tmp_path_factory.mktemp("mixed")
    topology = folder / "mixed.yaml"
    topology.write_text(TOPOLOGY)
    lab = RunningLab(folder, topology)
    lab.up()
    yield lab
    lab.down()


def outside(lab: RunningLab, folder: Path, *domains: str) -> tuple[RunningLab, list[str]]:
    """A folder without a lab, and options for the servers of these domains as strangers."""
    targets = [f"--target={domain}={lab.node(domain)['c2s']}" for domain in domains]
    return RunningLab(folder, lab.topology), [*targets, f"--ca={lab.ps()['ca_file']}"]


@pytest.mark.parametrize(
    ("scenario", "rows"),
    [
        (["chat", "-u", "4"], ["deliver"]),
        (["presence", "-u", "4"], []),
        (
            ["mixed", "-u", "12", "--weights", "roster=1,login=1,archive=1"],
            ["subscribe", "login again", "archive page"],
        ),
    ],
    ids=["chat", "presence", "mixed"],
)
def test_users_register_and_leave_nothing(
    lab: RunningLab, tmp_path: Path, scenario: list[str], rows: list[str]
) -> None:
    nowhere, targets = outside(lab, tmp_path, "capulet.lit", "paris.lit")
    shown = nowhere.command("load", *scenario, *targets, "-t", "6s", "--rate", "2", "--format", "json")
    found = load_report(shown)
    assert found.count("login") >= 4
    assert all(found.count(row) for row in rows), shown
    assert found.failures == []
    assert "are left" not in shown
    assert lab.command("user", "ls", "capulet.lit") == ""


@pytest.mark.parametrize("domain", ["escalus.lit", "padua.lit"])
def test_where_nobody_may_register_accounts_are_asked_for(lab: RunningLab, tmp_path: Path, domain: str) -> None:
    nowhere, targets = outside(lab, tmp_path, domain)
    told = nowhere.command("load", "chat", *targets, "-u", "2", "-t", "2s", exit_code=1)
    assert f"cannot log in to {domain} at " in told
    assert "if its registration is closed, list accounts with --accounts" in told


def test_listed_accounts_are_used(lab: RunningLab, tmp_path: Path) -> None:
    nowhere, targets = outside(lab, tmp_path, "capulet.lit", "escalus.lit")
    (tmp_path / "accounts").write_text("mercutio@escalus.lit secret\n")
    found = load_report(
        nowhere.command("load", *targets, "--accounts", "accounts", "-u", "2", "-t", "4s", "--format", "json")
    )
    assert found.count("deliver cross-domain") > 0
    assert found.failures == []


def test_a_ca_that_is_not_given_is_named(lab: RunningLab, tmp_path: Path) -> None:
    nowhere, [target, _] = outside(lab, tmp_path, "capulet.lit")
    assert "check --target, and --ca" in nowhere.command("load", target, "-t", "2s", exit_code=1)


def test_some_domains_of_a_mixed_lab(lab: RunningLab) -> None:
    told = lab.command("load", "-u", "2", "-t", "2s", exit_code=1)
    assert "s3 of lab mixed takes none" in told
    assert "or leave it out: `--target` names the domains to load" in told
    targets = ("--target", "montague.lit", "--target", "padua.lit")
    found = load_report(lab.command("load", *targets, "-u", "4", "-t", "4s", "--format", "json"))
    assert found.count("login") == 4
    assert found.failures == []
    assert lab.command("user", "ls", "padua.lit") == ""
