"""Both gateways end to end: real clients, phones, mailboxes, and foreign networks with faults."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.client.blocking import BlockingClient
from cluster.lab.folder import LabFolder
from cluster.lab.wait import wait_until
from cluster.xmpp.jid import Jid
from cluster.xmpp.limits import FROM_CLIENT
from cluster.xmpp.streams.login import Login
from tests.harness import PATIENCE_S
from tests.live.running_lab import ROOT, XMPPLAB, RunningLab

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """With both gateways, and addresses beyond those of their own server."""
    folder = tmp_path_factory.mktemp("gateways")
    topology = yaml.safe_load((ROOT / "topologies" / "gateways.yaml").read_text())
    topology["gateways"]["g2"] |= {
        "mail_for": ["capulet.lit"],
        "aliases": {"balcony@verona.example": "juliet@capulet.lit"},
    }
    (folder / "gateways.yaml").write_text(yaml.safe_dump(topology))
    running = RunningLab(folder, folder / "gateways.yaml")
    running.up()
    yield running
    running.down()


ROMEO = "romeo@montague.lit"
FRIAR = r"friar\40abbey.example@mail.montague.lit"


def mails(lab: RunningLab) -> list[dict[str, Any]]:
    return list(json.loads(lab.command("mail", "fc6", "inbox", "--format", "json")))


def mail_with(lab: RunningLab, words: str) -> dict[str, Any]:
    """The mail that has these words, once it is there."""
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        found[:] = [mail for mail in mails(lab) if words in mail["text"]]
        return bool(found)

    assert wait_until(is_there, PATIENCE_S), f"no mail with {words!r} came"
    return found[0]


@pytest.mark.parametrize(
    ("to", "there", "back"),
    [
        ("+393331234561@sms.montague.lit", [ROMEO, "s1", "g1", "fn1", "fc1"], ["fc1", "fn1", "g1", "s1", ROMEO]),
        (FRIAR, [ROMEO, "s1", "g2", "fn2", "fc6"], ["fc6", "fn2", "g2", "s1", ROMEO]),
    ],
)
def test_the_trace_goes_there_and_back_and_leaves_nothing(
    both: RunningLab, to: str, there: list[str], back: list[str]
) -> None:
    hops = json.loads(both.command("trace", "romeo@montague.lit", to, "--format", "json"))
    ways: dict[str, list[str]] = {}
    for hop in hops:
        ways.setdefault(hop["trace_id"], []).append(hop["node"])
    first, second = ways.values()
    assert list(dict.fromkeys(first)) == there
    # SMTP: the one that sends knows that it did when the other one has answered
    assert list(dict.fromkeys(second)) == back
    shown = both.command("trace", "romeo@montague.lit", to)
    assert "the answer, on the way back:" in shown
    with both.client("romeo@montague.lit/pda") as romeo:
        romeo.see("session")
        romeo.do("presence")
        romeo.do("ping", to="montague.lit")
        romeo.see("pong")
        assert romeo.unseen("message") == []


def test_mail_there_and_back(both: RunningLab) -> None:
    with both.client("juliet@capulet.lit/balcony") as juliet:
        juliet.see("session")
        juliet.do("presence")
        juliet.do("message", to=FRIAR, body="Past hope, past cure, past help!")
        assert mail_with(both, "past cure")["from"] == "juliet@capulet.lit"
        both.command("mail", "friar@abbey.example", "reply", "Hold, daughter")
        juliet.see("message", body="Hold, daughter", from_=FRIAR)
        both.command("mail", "fc6", "send", "balcony@verona.example", "A vial", "Drink this")
        juliet.see("message", body="Drink this", from_=FRIAR)
        number = 1 + [mail["from"] for mail in mails(both)].index("juliet@capulet.lit")
        both.command("mail", "fc6", "reply", str(number), "Go home")
        juliet.see("message", body="Go home")


def test_a_phone_answers_and_is_switched_off(both: RunningLab) -> None:
    with both.client("romeo@montague.lit/pda") as romeo:
        romeo.see("session")
        romeo.do("presence")
        both.command("phone", "fc2", "off")
        romeo.do("message", to="+393331234562@sms.montague.lit", body="Art thou there?")
        romeo.do("ping", to="sms.montague.lit")  # answered after the message
        romeo.see("pong")
        assert both.command("phone", "fc2", "inbox").strip() == "no texts"
        both.command("phone", "fc2", "on")
        assert wait_until(lambda: "Art thou there?" in both.command("phone", "fc2", "inbox"), PATIENCE_S)
        both.command("phone", "fc2", "reply", "Ay")
        romeo.see("message", body="Ay", from_="+393331234562@sms.montague.lit")


def test_a_phone_in_the_terminal(both: RunningLab) -> None:
    """Lines typed, also several at once; what comes is shown; the end of the input ends it."""
    argv = [XMPPLAB, "phone", "fc5"]
    with (
        both.client("romeo@montague.lit/pda") as romeo,
        subprocess.Popen(
            argv, cwd=both.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as phone,
    ):  # fmt: skip
        assert phone.stdin
        assert phone.stdout
        romeo.see("session")
        romeo.do("presence")
        assert "this is +393331234565;" in phone.stdout.readline()
        phone.stdin.write("romeo But, soft!\nromeo What light\nromeo\n+1 x\n")
        phone.stdin.flush()
        for text in ("But, soft!", "What light"):
            romeo.see("message", body=text, from_="+393331234565@sms.montague.lit")
        assert "writes to romeo" in phone.stdout.readline()
        assert "not sent: unknown recipient +1" in phone.stdout.readline()
        romeo.do("message", to="+393331234565@sms.montague.lit", body="It is my lady")
        assert phone.stdout.readline().endswith("2345: It is my lady\n")
        phone.stdin.write("> O, that she knew")
        phone.stdin.close()
        romeo.see("message", body="O, that she knew")
        assert phone.wait(PATIENCE_S) == 0


def test_what_the_gateways_are(both: RunningLab) -> None:
    """Asked by a client that is not ours, from another domain."""
    with both.client("juliet@capulet.lit/balcony") as juliet:
        juliet.see("session")
        for domain, contact, identity, of_contact in (
            ("sms.montague.lit", "+393331234561", "gateway/sms", "client/sms"),
            ("mail.montague.lit", r"friar\40abbey.example", "gateway/smtp", "account/registered"),
        ):
            juliet.do("info", to=domain)
            info = juliet.see("info")
            assert info["identities"] == [identity]
            assert {"jabber:iq:gateway", "urn:xmpp:ping", "vcard-temp", "jabber:iq:version"} <= set(info["features"])
            assert ("jabber:iq:register" in info["features"]) is (domain == "sms.montague.lit")
            juliet.do("info", to=f"{contact}@{domain}")
            assert juliet.see("info")["identities"] == [of_contact]
            juliet.do("version", to=domain)
            assert juliet.see("version")["name"]


def test_real_systems_in_place_of_the_labs(both: RunningLab, tmp_path: Path) -> None:
    """A second lab, whose gateways log in to the first one's message centre and mail host: `external`."""
    networks = {network.name: network for network in LabFolder(Path(both.ps()["state_dir"])).plan().networks}
    topology = yaml.safe_load((ROOT / "topologies" / "gateways.yaml").read_text())
    where = {name: {"host": network.host, "port": network.port} for name, network in networks.items()}
    topology["networks"] = {
        "fn1": {"kind": "smsc", "external": {**where["fn1"], "user": "g1", "password": "secret"}},
        "fn2": {"kind": "mailhost", "external": where["fn2"]},
    }
    topology["name"] = "elsewhere"
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(topology))
    other = RunningLab(tmp_path, tmp_path / "lab.yaml")
    other.up()
    try:
        with other.client("romeo@montague.lit/pda") as romeo:
            romeo.see("session")
            romeo.do("message", to="+393331234564@sms.montague.lit", body="from elsewhere")
            romeo.do("message", to=FRIAR, body="from elsewhere, too")
            assert wait_until(lambda: "from elsewhere" in both.command("phone", "fc4", "inbox"), PATIENCE_S)
            mail_with(both, "from elsewhere, too")
    finally:
        other.down()


@pytest.mark.parametrize(
    ("network", "fault", "waits"),
    [
        ("fn1", ("--down",), True),
        ("fn1", ("--rate", "0.01", "--delay", "10ms"), False),
        ("fn2", ("--down",), True),
        ("fn2", ("--refuse", "451 4.7.1 greylisted"), True),
        ("fn2", ("--delay", "50ms"), False),
    ],
)
def test_a_network_that_is_broken_and_mended(
    both: RunningLab, network: str, fault: tuple[str, ...], waits: bool
) -> None:
    body = f"through {network} {' '.join(fault)}"
    to, arrived = {
        "fn1": ("+393331234563@sms.montague.lit", lambda: both.command("phone", "fc3", "inbox")),
        "fn2": (FRIAR, lambda: both.command("mail", "fc6")),
    }[network]
    assert both.command("network", "set", network, *fault) != f"{network}: no faults\n"
    with both.client("romeo@montague.lit/pda") as romeo:
        romeo.see("session")
        romeo.do("message", to=to, body=body)
        romeo.do("ping", to="montague.lit")
        romeo.see("pong")
        if waits:
            assert body not in arrived()
        assert both.command("network", "clear", network) == f"{network}: no faults\n"
        assert wait_until(lambda: body in arrived(), PATIENCE_S)
        assert romeo.unseen("message") == []


@pytest.mark.parametrize(
    ("network", "answer", "to", "condition"),
    [
        ("fn1", "ESME_RINVDSTADR", "+393331234564@sms.montague.lit", "item-not-found"),
        ("fn2", "550 5.1.1 nobody", FRIAR, "item-not-found"),
        ("fn2", "552 5.2.2 mailbox full", FRIAR, "not-acceptable"),
    ],
)
def test_a_network_that_refuses(both: RunningLab, network: str, answer: str, to: str, condition: str) -> None:
    both.command("network", "set", network, "--refuse", answer)
    [shown] = [each for each in json.loads(both.command("network", "ls", "--format", "json")) if each["faults"]]
    assert (shown["name"], shown["faults"]) == (network, {"refuse": answer})
    with both.client("romeo@montague.lit/pda") as romeo:
        romeo.see("session")
        romeo.do("message", to=to, body="?")
        assert romeo.see("message", type="error")["condition"] == condition
    both.command("network", "clear", network)
    assert both.command("network", "ls").count("no faults") == 2


@pytest.mark.parametrize(
    ("arguments", "exit_code", "expected"),
    [
        (("network", "set", "fn9", "--down"), 2, "no network 'fn9' in this lab (networks: fn1, fn2)"),
        (("network", "set", "fn1"), 2, "no fault given; give one of: --down, --delay, --rate, --refuse"),
        (
            ("network", "set", "fn1", "--delay", "2"),
            2,
            "'2' is not allowed here; write a time such as 40ms, 1.5s, 2m or 1h",
        ),
        (("network", "set", "fn1", "--refuse", "no"), 1, "is not a command_status with which SMPP refuses"),
        (("network", "set", "fn2", "--refuse", "no"), 1, "is not an SMTP refusal; write it like"),
        (("mail", "nobody@abbey.example"), 2, "(mailboxes: friar@abbey.example (fc6))"),
        (("mail", "fc6", "send", "romeo@montague.lit"), 2, "write it like `xmpplab mail friar@abbey.example send"),
        (("mail", "fc6", "send", "romeo@padua.example", "", "x"), 1, "knows no way to padua.example"),
        (("mail", "fc6", "reply", "99", "x"), 2, "no mail 99"),
    ],
)
def test_what_a_network_cannot_do(both: RunningLab, arguments: tuple[str, ...], exit_code: int, expected: str) -> None:
    assert expected in both.command(*arguments, exit_code=exit_code)


# --- the largest messages


def _large(to: str) -> list[bytes]:
    """At the limits of a client: of bytes, of elements, and as what takes five times as much when it is written out."""
    begin, end = f"<message to='{to}' id='large'><body>", "</body></message>"
    room = FROM_CLIENT.max_bytes - len(begin + end)
    crowded = f"<message to='{to}' id='large'>{'<a/>' * (FROM_CLIENT.max_nodes - 3)}<body>x</body></message>"
    return [
        f"{begin}{'x' * room}{end}".encode(),
        f"{begin}{'&amp;' * (room // 5)}{end}".encode(),
        f"{begin}<![CDATA[{'&' * (room - 12)}]]>{end}".encode(),
        crowded.replace("<a/>", "", 2).encode(),
    ]


@pytest.mark.parametrize("sender", ["romeo@montague.lit", "juliet@capulet.lit"])
def test_the_largest_messages_stop_no_gateway(both: RunningLab, sender: str) -> None:
    """Of the gateways' own domain, and of another: each comes back or arrives, and what follows passes."""
    domain = sender.partition("@")[2]
    host, _, port = both.node(domain)["c2s"].rpartition(":")
    phone = "+393331234561@sms.montague.lit"
    login = Login(Jid.parse(f"{sender}/large"), "secret")
    with BlockingClient((host, int(port)), login, both.ps()["ca_file"]) as client:
        for to in (phone, FRIAR):
            for number, stanza in enumerate(_large(to)):
                client.send(stanza)
                gateway = to.rpartition("@")[2]
                client.send(f"<iq type='get' to='{gateway}' id='p{number}'><ping xmlns='urn:xmpp:ping'/></iq>".encode())
                answers: dict[str | None, str | None] = {}
                while f"p{number}" not in answers:  # each waits for the one before it
                    found = client.receive(PATIENCE_S)
                    assert found is not None
                    answers[found.attributes.get("id")] = found.attributes.get("type")
                assert answers[f"p{number}"] == "result"
        client.send(f"<message to='{phone}'><body>after all of {sender}</body></message>".encode())
        client.send(f"<message to='{FRIAR}'><body>after all of {sender}</body></message>".encode())
    mail_with(both, f"after all of {sender}")
    assert wait_until(lambda: f"after all of {sender}" in both.command("phone", "fc1", "inbox"), PATIENCE_S)


def test_send_tells_what_the_network_behind_a_gateway_refuses(gateways: RunningLab) -> None:
    said = gateways.command("send", "romeo", "+393331230000@sms.montague.lit", "anybody there?", exit_code=1)
    assert "item-not-found" in said
    assert "sent" in gateways.command("send", "romeo", "+393331234561@sms.montague.lit", "But, soft!")
