from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from cluster.kinds.mail import MailGateway
from cluster.kinds.mailhost import MailHost
from cluster.kinds.sms import SmsGateway
from cluster.kinds.smsc import MessageCentre
from cluster.topology.plan import Plan, XmpplabServer
from cluster.xmpp.jid import Jid
from loadtests import lab

S1 = XmpplabServer("s1", "montague.lit", "127.0.0.1", 5222, "required", True, modules=("ping",))

AT_S1 = {"server": "s1", "secret": "secret"}
G1 = SmsGateway(name="g1", domain="sms.montague.lit", network="fn1", host="127.0.0.2", port=0, **AT_S1)
G2 = MailGateway(name="g2", domain="mail.montague.lit", network="fn2", host="127.0.0.3", port=2525, **AT_S1)
PHONES = {"fc1": "+393331234567", "fc2": "+393331234568"}
FN1 = MessageCentre(name="fn1", host="127.0.0.4", port=2775, phones=PHONES)
FN2 = MailHost(name="fn2", host="127.0.0.5", port=2525, mailboxes={"fc3": "friar@abbey.example"})
REAL = MessageCentre(name="fn1", host="192.0.2.1", port=2775, is_external=True)


def nowhere(domain: str) -> bool:
    """There are no accounts."""
    return False


def bring_up(folder: Path, name: str, lower_half: tuple[Any, Any] = ((), ()), **changes: Any) -> Path:
    """A state folder as `xmpplab up` leaves it; `lower_half`: gateways and networks."""
    state = folder / ".xmpplab" / name
    state.mkdir(parents=True)
    plan = Plan(name, f"topologies/{name}.yaml", str(state), (S1,), *lower_half)
    (state / "plan.json").write_bytes(plan.encoded())
    if changes:
        raw = json.loads((state / "plan.json").read_bytes())
        raw["servers"][0].update(changes)
        (state / "plan.json").write_text(json.dumps(raw))
    return state


def test_the_only_lab_is_found(tmp_path: Path) -> None:
    state = bring_up(tmp_path, "verona")
    found = lab.find({}, tmp_path)
    assert found.name == "verona"
    assert [(s.domain, s.host, s.c2s_port, s.tls, s.ca_file) for s in found.servers] == [
        ("montague.lit", "127.0.0.1", 5222, "required", str(state / "ca.pem"))
    ]


def test_the_environment_names_one_of_several(tmp_path: Path) -> None:
    bring_up(tmp_path, "verona")
    state = bring_up(tmp_path, "bench")
    assert lab.find({"XMPPLAB_STATE": str(state)}, tmp_path).name == "bench"
    with pytest.raises(lab.LabUnusable, match=r"several labs in .*\(bench, verona\); set XMPPLAB_STATE"):
        lab.find({}, tmp_path)


def test_no_lab(tmp_path: Path) -> None:
    with pytest.raises(lab.LabUnusable, match="`xmpplab up FILE -d`"):
        lab.find({}, tmp_path)
    with pytest.raises(lab.LabUnusable, match=f"no lab in {tmp_path}; bring one up"):
        lab.find({"XMPPLAB_STATE": str(tmp_path)}, tmp_path)


def test_a_damaged_plan(tmp_path: Path) -> None:
    state = bring_up(tmp_path, "verona", c2s_port="5222")
    with pytest.raises(lab.LabUnusable, match="is damaged"):
        lab.find({"XMPPLAB_STATE": str(state)}, tmp_path)


def test_closed_registration_names_the_key(tmp_path: Path) -> None:
    bring_up(tmp_path, "verona", registration=False)
    with pytest.raises(lab.LabUnusable, match=r"s1 of lab verona .* `registration: open` .* topologies/verona\.yaml"):
        lab.find({}, tmp_path).check(nowhere)
    with pytest.raises(lab.LabUnusable, match=r"s1 .* `--target` names the domains"):
        lab.find({}, tmp_path).check({"capulet.lit"}.__contains__)


def test_closed_registration_is_fine_where_accounts_are(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        bring_up(tmp_path, "verona", registration=False, c2s_port=listening.getsockname()[1])
        lab.find({}, tmp_path).check({"montague.lit"}.__contains__)


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        bring_up(tmp_path, "verona", c2s_port=port)
        lab.find({}, tmp_path).check(nowhere)
    with pytest.raises(lab.LabUnusable, match=rf"s1 .* does not answer at 127\.0\.0\.1:{port} .* `xmpplab up"):
        lab.find({}, tmp_path).check(nowhere)


def test_far_people_are_those_behind_gateways(tmp_path: Path) -> None:
    bring_up(tmp_path, "gateways", ((G1, G2), (FN1, FN2)))
    found = lab.find({}, tmp_path)
    assert found.far == {
        "sms": tuple(Jid(number, "sms.montague.lit") for number in ("+393331234567", "+393331234568")),
        "mail": (Jid(r"friar\40abbey.example", "mail.montague.lit"),),
    }
    found.check_far("sms")
    found.check_far("mail")


@pytest.mark.parametrize(
    ("kind", "lower_half", "who"),
    [
        ("sms", ((), ()), "no phone"),
        ("sms", ((), (FN1,)), "no phone"),
        ("sms", ((G2,), (FN2,)), "no phone"),
        ("sms", ((G1,), (REAL,)), "no phone"),
        ("mail", ((G1,), (FN1,)), "no mailbox"),
    ],
)
def test_nobody_far_names_the_remedy(tmp_path: Path, kind: lab.FarKind, lower_half: tuple[Any, Any], who: str) -> None:
    bring_up(tmp_path, "verona", lower_half)
    with pytest.raises(
        lab.LabUnusable,
        match=rf"{who} is behind a gateway of kind {kind} .* give topologies/verona\.yaml .* `xmpplab down`",
    ):
        lab.find({}, tmp_path).check_far(kind)
