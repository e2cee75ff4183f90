"""The scenario `gateway` against running labs: what it counts is what the phones and mailboxes have."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from cluster.kinds.smsc import MessageCentre
from cluster.lab.api import Lab
from cluster.lab.folder import LabFolder
from cluster.networks.smsc.person import Phone
from tests.live.locust_run import figures, locust
from tests.live.running_lab import ROOT, RunningLab

pytestmark = pytest.mark.live

GATEWAY = ROOT / "loadtests" / "gateway.py"
PHONES = ("fc1", "fc2", "fc3", "fc4", "fc5")


@pytest.fixture
def lab(gateways: RunningLab) -> RunningLab:
    return gateways


def state_of(lab: RunningLab) -> Path:
    return Path(lab.ps()["state_dir"])


def texts(lab: RunningLab) -> list[int]:
    """How many texts each phone has."""
    return [len(json.loads(lab.command("phone", name, "inbox", "--format", "json"))) for name in PHONES]


def mails(lab: RunningLab) -> int:
    return len(json.loads(lab.command("mail", "fc6", "inbox", "--format", "json")))


def test_what_is_counted_as_delivered_is_on_the_phones_and_in_the_mailbox(lab: RunningLab, tmp_path: Path) -> None:
    before, mails_before = texts(lab), mails(lab)
    report = tmp_path / "report.json"
    done = locust(
        GATEWAY, state_of(lab), "-u", "12", "-r", "12", "-t", "3s", "--rate", "10", "--sms", "0.4", "--mail", "0.3",
        "--json-file", str(report.with_suffix("")),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    rows = figures(report)
    assert set(rows) == {"login", "send", "deliver local", "deliver cross-domain", "deliver sms", "deliver mail"}
    delivered = sum(row["num_requests"] for name, row in rows.items() if name.startswith("deliver"))
    assert delivered == rows["send"]["num_requests"]
    came = [now - then for now, then in zip(texts(lab), before, strict=True)]
    assert sum(came) == rows["deliver sms"]["num_requests"]
    assert all(came)
    assert mails(lab) - mails_before == rows["deliver mail"]["num_requests"] > 0


def test_the_command_loads_what_the_lab_has(lab: RunningLab) -> None:
    (lab.folder / "loadtests").symlink_to(ROOT / "loadtests")
    before = texts(lab)
    shown = lab.command("load", "gateway", "--users", "20", "--time", "4s")
    assert "deliver sms" in shown
    assert "deliver mail" in shown
    assert sum(texts(lab)) > sum(before)


def test_an_sms_that_does_not_arrive_is_a_failure_of_its_kind(lab: RunningLab, tmp_path: Path) -> None:
    used = Lab(LabFolder(state_of(lab)))
    plan, phone = used.plan, used.person(MessageCentre, "fc5")
    assert isinstance(phone, Phone)
    phone.switch(on=False)
    try:
        done = locust(
            Path(__file__).with_name("sms_failures.py"), state_of(lab), "-u", "1", "-t", "1s",
            "--csv", str(tmp_path / "run"), GATEWAY=plan.gateways[0].domain, OFF=phone.address,
        )  # fmt: skip
    finally:
        phone.switch(on=True)
    assert done.returncode == 1, done.stdout + done.stderr
    with (tmp_path / "run_failures.csv").open() as file:
        errors = sorted(row["Error"] for row in csv.DictReader(file) if row["Name"] == "deliver sms")
    assert len(errors) == 2
    assert "came back: item-not-found (definite)" in errors[0]
    assert "lost: " in errors[1]


def test_a_lab_without_phones_is_loaded_with_chat_alone(verona: RunningLab, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = locust(
        GATEWAY, state_of(verona), "-u", "6", "-r", "6", "-t", "1s", "--rate", "10",
        "--json-file", str(report.with_suffix("")),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(figures(report)) == {"login", "send", "deliver local", "deliver cross-domain"}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--sms", "0.1"], "no phone is behind a gateway of kind sms of lab verona"),
        (["--mail", "0.1"], "no mailbox is behind a gateway of kind mail of lab verona"),
        (["--sms", "0.6", "--mail", "0.6"], "--sms and --mail are more than all messages"),
    ],
)
def test_what_cannot_be_had_is_told_once_with_the_remedy(verona: RunningLab, options: list[str], why: str) -> None:
    done = locust(GATEWAY, state_of(verona), "-u", "3", "-t", "1s", *options)
    assert done.returncode == 1
    assert done.stderr.count(why) == 1
    assert "Traceback" not in done.stdout + done.stderr
