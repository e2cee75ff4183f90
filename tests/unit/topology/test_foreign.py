"""The lower half of the figure in the file: gateways, networks, components."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.topology.resolve import resolve

from .conftest import MODULES, Load, Problems

SERVERS = """
name: lab
servers:
  s1: {domain: montague.lit}
  s2: {domain: capulet.lit}
  s3: {domain: shakespeare.lit}
"""


def lab(gateways: str = "", networks: str = "fn1: {kind: smsc}\n  fn2: {kind: mailhost}") -> str:
    return f"{SERVERS}gateways:\n  {gateways}\nnetworks:\n  {networks}\n"


MAIL = "g2: {kind: mail, domain: mail.montague.lit, server: s1, network: fn2"
SMS = "g1: {kind: sms, domain: sms.montague.lit, server: s1, network: fn1"


def test_whose_mail_a_gateway_takes(load_text: Load) -> None:
    more = ", mail_for: [capulet.lit], aliases: {Nurse@verona.example: juliet@capulet.lit}"
    for extra, domains, aliases in (
        ("", ("montague.lit",), {}),
        (more, ("montague.lit", "capulet.lit"), {"nurse@verona.example": "juliet@capulet.lit"}),
    ):
        topology = load_text(lab(MAIL + extra + "}"))
        plan = resolve(topology, Path("lab.yaml"), Path("/tmp/x"), modules=MODULES, redis_url="")
        [gateway] = plan.gateways
        assert (gateway.mail_domains, gateway.aliases) == (domains, aliases)


@pytest.mark.parametrize(
    ("gateway", "problem"),
    [
        (SMS + ", mail_for: [capulet.lit]}", "g1.mail_for: only a gateway of kind mail has mail_for; delete this key"),
        (SMS + ", aliases: }", "g1.aliases: only a gateway of kind mail has aliases; delete this key"),
        (MAIL + ", number: '2345'}", "g2.number: only a gateway of kind sms has number; delete this key"),
        (
            MAIL + ", mail_for: [capulet.li]}",
            "g2.mail_for[0]: no server has the domain 'capulet.li'; did you mean 'capulet.lit'? "
            "allowed: capulet.lit, montague.lit, shakespeare.lit",
        ),
        (
            MAIL + ", mail_for: [montague.lit]}",
            "g2.mail_for[0]: mail for montague.lit already comes here; delete it",
        ),
        (
            MAIL + ", mail_for: [capulet.lit, capulet.lit]}",
            "g2.mail_for[1]: mail for capulet.lit already comes here; delete it",
        ),
        (
            MAIL + ", aliases: {nurse@verona.example: juliet@verona.example}}",
            "g2.aliases.nurse@verona.example: no server has the domain 'verona.example'; "
            "allowed: capulet.lit, montague.lit, shakespeare.lit",
        ),
        (SMS.replace("fn1", "fn2") + "}", "g1.network: fn2 is a mailhost; a gateway of kind sms needs a smsc"),
        (SMS.replace("fn1", "x") + "}", "g1.network: no network 'x'; allowed: fn1, fn2"),
        (SMS.replace("s1", "s9") + "}", "g1.server: no server 's9'; allowed: s1, s2, s3"),
        (
            SMS.replace("sms.montague.lit", "sms.lit") + "}",
            "g1.domain: 'sms.lit' is not below the server's domain; write a name such as sms.montague.lit",
        ),
    ],
)  # fmt: skip
def test_what_a_gateway_cannot_be(problems: Problems, gateway: str, problem: str) -> None:
    [line] = problems(lab(gateway))
    assert line.partition(": gateways.")[2] == problem


def test_nested_domains_have_each_their_own_components(load_text: Load, problems: Problems) -> None:
    """Whose a component is, the nearest domain above it says."""
    nested = SERVERS.replace("capulet.lit", "chat.montague.lit")
    topology = load_text(f"{nested}components: {{a.montague.lit: {{server: s1}}, a.chat.montague.lit: {{server: s2}}}}")
    plan = resolve(topology, Path("lab.yaml"), Path("/tmp/x"), modules=MODULES, redis_url="")
    assert plan.served_by == {"a.montague.lit": "montague.lit", "a.chat.montague.lit": "chat.montague.lit"}
    [line] = problems(f"{nested}components: {{a.chat.montague.lit: {{server: s1}}}}")
    assert line.partition(": components.")[2] == (
        "a.chat.montague.lit: 'a.chat.montague.lit' is below chat.montague.lit, which another server serves; "
        "write a name such as sms.montague.lit"
    )


def test_a_domain_is_one_partys(problems: Problems) -> None:
    [line] = problems(lab(f"{SMS}}}\n  {SMS.replace('g1:', 'g9:')}, number: '2346'}}"))
    assert line.endswith("g9.domain: g1 has the domain sms.montague.lit already; each needs its own")


@pytest.mark.parametrize(
    ("networks", "problem"),
    [
        (
            "fn1: {kind: smsc, mailboxes: {fc1: a@b.c}}",
            "fn1.mailboxes: only a network of kind mailhost has mailboxes; delete this key",
        ),
        (
            "fn1: {kind: smsc, phones: {fc1: '+393331234567'}, external: {host: x, port: 1}}",
            "fn1.phones: the lab knows no phones of an external system; delete one of the two keys",
        ),
        (
            "fn1: {kind: smsc, phones: {fc1: 0039}}",
            "fn1.phones.fc1: 39 is not text; put it in quotes if it is meant so",
        ),
        (
            "fn1: {kind: smsc, phones: {s1: '+393331234567'}}",
            "fn1.phones.s1: two nodes of the lab are named 's1'; rename one",
        ),
    ],
)
def test_what_a_network_cannot_be(problems: Problems, networks: str, problem: str) -> None:
    [line] = problems(lab(networks=networks).replace("gateways:\n  \n", ""))
    assert line.partition(": networks.")[2] == problem
