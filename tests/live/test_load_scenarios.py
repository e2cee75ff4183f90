"""The scenarios that have no file of tests of their own, against a running lab, and shapes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.load_report import Report, load_report
from tests.live.running_lab import ROOT, RunningLab

pytestmark = pytest.mark.live


def load(lab: RunningLab, scenario: str, *options: str) -> Report:
    found = load_report(lab.command("load", scenario, *options, "--format", "json"))
    assert found.failures == []
    return found


def test_subscriptions_are_made_and_ended(verona: RunningLab) -> None:
    found = load(verona, "roster", "-u", "6", "-t", "8s", "--rate", "2")
    assert found.count("subscribe") > 0
    assert found.count("remove") > 0
    assert found.count("subscribe") + found.count("remove") == found.count("send")


def test_clients_log_in_again_and_resume(verona: RunningLab) -> None:
    found = load(verona, "login", "-u", "4", "-t", "8s")
    assert found.count("login again") > 0
    assert found.count("resume") > 0


def test_archives_are_read(verona: RunningLab) -> None:
    found = load(verona, "archive", "-u", "4", "-t", "8s")
    assert found.count("archive page") > 0
    assert found.count("archive page") + found.count("deliver") == found.count("send")


def test_personal_events_reach_the_contacts(verona: RunningLab) -> None:
    found = load(verona, "pep", "-u", "6", "-t", "8s", "--rate", "2", "--contacts", "3")
    assert found.count("publish") == found.count("send") > 0
    assert 0 < found.count("event last copy") <= found.count("event first copy") <= found.count("publish")


def test_a_mix(verona: RunningLab) -> None:
    found = load(verona, "mixed", "-u", "8", "-t", "8s", "--weights", "chat=2,archive=1,login=1")
    assert all(found.count(row) for row in ("deliver", "archive page", "login again"))
    assert not found.count("subscribe")


def test_a_shape_has_no_more_users_than_asked_for(verona: RunningLab) -> None:
    found = load(verona, "chat", "-u", "5", "-r", "5", "-t", "10s", "--shape", "spike", "--csv", "spike")
    assert found.count("login") > 1  # one at first, all in the middle
    assert (verona.folder / "spike_stats.csv").exists()


def test_a_file_of_ones_own_from_any_folder(verona: RunningLab, tmp_path: Path) -> None:
    """The one of docs/load.md."""
    page = (ROOT / "docs" / "load.md").read_text()
    (tmp_path / "neighbours.py").write_text(page.partition("```python\n")[2].partition("```")[0])
    found = load(verona, str(tmp_path / "neighbours.py"), "-u", "6", "-t", "6s")
    assert found.count("deliver local") > 0


@pytest.mark.parametrize(
    ("weights", "why"),
    [
        ("dance=1", "'dance=1' is no weight; write for example chat=6,"),
        ("chat=0", "'chat=0' gives no scenario a weight"),
    ],
)
def test_what_is_no_weight(verona: RunningLab, weights: str, why: str) -> None:
    told = verona.command("load", "mixed", "--weights", weights, exit_code=2)
    assert why in told
    assert "Traceback" not in told


def test_a_mix_needs_what_its_scenarios_need(verona: RunningLab) -> None:
    told = verona.command("load", "mixed", "--weights", "rooms=1,chat=1", exit_code=1)
    assert "lab verona has no rooms; `xmpplab up rooms -d`" in told
