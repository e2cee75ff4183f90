"""What a node of the lab would refuse at its start is refused before, with the place and what to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cluster.topology import references, scale
from cluster.topology.resolve import resolve
from cluster.topology.scale import with_nodes

from .conftest import Load, Problems

SERVERS = "name: x\nservers: {s1: {domain: a.lit}, s2: {domain: b.lit}}\n"
GATEWAY = "gateways: {g1: {kind: sms, domain: sms.a.lit, server: s1, network: fn1}}\n"


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ('"\\U0001F511"', "U+1F511 is not allowed in it (SASLprep, RFC 4013: unassigned code points forbidden)"),
        ('"\\a"', "U+0007 is not allowed in it (SASLprep, RFC 4013: control characters forbidden)"),
        ('"a\\0b"', "U+0000 is not allowed in it (SASLprep, RFC 4013: control characters forbidden)"),
        ('"\u05d01"', "its characters do not go together (SASLprep, RFC 4013: malformed bidi sequence)"),
    ],
)
def test_a_password_that_no_keys_can_be_made_of(problems: Problems, password: str, problem: str) -> None:
    [line] = problems(f"{SERVERS}accounts:\n  r@a.lit: {{password: {password}}}\n")
    place = "lab.yaml:4:23: accounts.r@a.lit.password"
    assert line == f"{place}: the password cannot be used: {problem}; choose another"


def test_a_password_has_at_most_1023_bytes(problems: Problems, load_text: Load) -> None:
    topology = SERVERS + "accounts: {r@a.lit: {password: %s}}\n"
    load_text(topology % ("x" * 1_023))
    [line] = problems(topology % ("é" * 512))
    assert line.endswith("password: the password is longer than 1023 bytes; choose another")


@pytest.mark.parametrize(
    ("domain", "problem"),
    [
        (
            "mon tague.lit",
            "'mon tague.lit' is not a domain: it contains a space; a domain has letters, digits, '-' and dots",
        ),
        ("a_b.lit", "'a_b.lit' is not a domain: it contains '_'; a domain has letters"),
        ("a..lit", "'a..lit' is not a domain: it has an empty label (two dots in a row, or a dot at its start)"),
        ("'-a.lit'", "'-a.lit' is not a domain: a label may not begin or end with '-'"),
        ("a" * 64, "is not a domain: a label has at most 63 characters; write one such as montague.lit"),
        (".".join(["a" * 60] * 5), "this domain is longer than 253 bytes; write a shorter one"),
        ("127.0.0.1", "'127.0.0.1' is an IP address, but certificates need a name"),
        ("'[::1]'", "'[::1]' is an IP address, but certificates need a name"),
        ("admin", "'admin' is reserved in every lab; write another domain"),
    ],
)
def test_a_domain_that_cannot_be_served(problems: Problems, domain: str, problem: str) -> None:
    [line] = problems(f"name: x\nservers:\n  s1: {{domain: {domain}}}\n")
    assert line.startswith("lab.yaml:3:16: servers.s1.domain: ")
    assert problem in line


@pytest.mark.parametrize(
    "part", [GATEWAY + "networks: {fn1: {kind: smsc}}\n", "components: {dict.a.lit: {server: s1}}\n"]
)
@pytest.mark.parametrize("key", ["c2s_port", "http_port", "direct_tls_port"])
def test_the_port_of_the_components_is_taken(problems: Problems, load_text: Load, part: str, key: str) -> None:
    servers = f"name: x\nservers:\n  s1: {{domain: a.lit, {key}: 5347}}\n"
    load_text(servers)
    [line] = problems(servers + part)
    assert line.startswith("lab.yaml:3:")
    assert line.endswith(f"servers.s1.{key}: {key} is 5347, the port for components of s1; write another")


NETWORK = GATEWAY + "networks:\n  fn1: {kind: %s}\n"


@pytest.mark.parametrize(
    ("network", "problem"),
    [
        ("smsc, phones: {fc1: 'abc'}", "phones.fc1: 'abc' is not a phone number; write it with its country"),
        (
            "smsc, phones: {fc1: '+3933312345678901234567'}",
            "phones.fc1: '+3933312345678901234567' is not a phone number",
        ),
        ("smsc, phones: {fc1: '4321'}", "phones.fc1: '4321' is not a phone number"),
        (
            "smsc, phones: {fc1: '+393331234567', fc2: '+393331234567'}",
            "phones.fc2: fc1 has the number +393331234567 already; give each phone its own",
        ),
        ("smsc, external: {host: x, port: 1, user: sixteen-letters-}", "external.user: SMPP carries at most 15"),
        ("smsc, external: {host: x, port: 1, password: nine-long}", "external.password: SMPP carries at most 8"),
        (
            "smsc, external: {host: x, port: 1, password: \u20ac}",
            "external.password: SMPP carries at most 8 characters of L",
        ),
        ("smsc, external: {host: x, port: 1, starttls: true}", "external.starttls: only a mail host has starttls; del"),
        ("smsc, external: {host: a b, port: 1}", "external.host: 'a b' is neither a host name nor an IP address"),
    ],
)
def test_a_message_centre_that_cannot_be(problems: Problems, network: str, problem: str) -> None:
    [line] = problems(SERVERS + NETWORK % network)
    assert f": networks.fn1.{problem}" in line


@pytest.mark.parametrize("number", ["+393331234567", "+3933312345"])
def test_a_phone_has_not_the_number_of_a_gateway(problems: Problems, number: str) -> None:
    gateway = GATEWAY.replace("fn1}", f"fn1, number: '{number}'}}")
    [line] = problems(f"{SERVERS}{gateway}networks: {{fn1: {{kind: smsc, phones: {{fc1: '+393331234567'}}}}}}\n")
    assert f"fc1: g1 has the number {number}, so that what is for +393331234567 would come to it; change one" in line


def test_two_gateways_at_one_centre_have_two_numbers_and_names_that_smpp_tells_apart(problems: Problems) -> None:
    gateways = "".join(
        f"  a-gateway-for-{name}: {{kind: sms, domain: {name}.a.lit, server: s1, network: fn1}}\n"
        for name in ("sm", "sms")
    )
    lines = problems(f"{SERVERS}gateways:\n{gateways}networks: {{fn1: {{kind: smsc}}}}\n")
    assert [line.partition(": gateways.a-gateway-for-sms")[2] for line in lines] == [
        ": in SMPP it is known by its first 15 characters, and so is a-gateway-for-sm; rename one",
        ".number: a-gateway-for-sm has the number 2345 at fn1 already; give each gateway its own",
    ]


MAIL = "gateways: {g1: {kind: mail, domain: mail.a.lit, server: s1, network: fn1, aliases: {%s}}}\n"


@pytest.mark.parametrize(
    ("aliases", "network", "problem"),
    [
        (
            "x(y)@c.lit: r@a.lit",
            "mailhost",
            "aliases.x(y)@c.lit: 'x(y)@c.lit' is not a mail address; write it like friar@",
        ),
        (
            "X@c.lit: r@a.lit, x@c.lit: s@a.lit",
            "mailhost",
            "aliases.x@c.lit: this is the same address as X@c.lit; keep",
        ),
        (
            "",
            "mailhost, mailboxes: {fc1: f@c.lit, fc2: F@c.lit}",
            "fc2: fc1 has the address f@c.lit already; give each",
        ),
        ("", "mailhost, mailboxes: {fc1: f+x@c.lit}", "fc1: 'f+x@c.lit' has a tag ('+' and what follows)"),
        (
            "",
            "mailhost, mailboxes: {fc1: f@a.lit}",
            "fc1: g1 accepts mail for a.lit; give the mailbox another domain",
        ),
        (
            "x@c.lit: r@a.lit",
            "mailhost, mailboxes: {fc1: f@c.lit}",
            "fc1: g1 accepts mail for c.lit; give the mailbox",
        ),
        (
            "",
            "mailhost, external: {host: x, port: 25, user: me}",
            "external.user: the password would be sent in the clear",
        ),
        (
            "",
            "mailhost, external: {host: x, port: 25, password: me}",
            "external.password: a password without a user",
        ),
        (
            "",
            "mailhost, external: {host: a_b, port: 25, starttls: true}",
            "external.host: a certificate cannot name 'a_b'",
        ),
    ],
)
def test_mail_that_cannot_be(problems: Problems, aliases: str, network: str, problem: str) -> None:
    [line] = problems(f"{SERVERS}{MAIL % aliases}networks:\n  fn1: {{kind: {network}}}\n")
    assert problem in line


@pytest.mark.parametrize("name", ["admin", "logs", "lock", "containers", "sockets"])
def test_a_node_is_not_called_as_a_file_of_the_lab(problems: Problems, name: str) -> None:
    [line] = problems(f"{SERVERS}networks: {{{name}: {{kind: smsc}}}}\n")
    assert f"networks.{name}: '{name}' is reserved in every lab" in line


def test_a_network_is_not_called_as_a_domain(problems: Problems) -> None:
    [line] = problems("name: x\nservers: {s1: {domain: fn1}}\nnetworks: {fn1: {kind: smsc}}\n")
    assert line == "lab.yaml:3:12: networks.fn1: s1 serves the domain fn1; give the network another name"


def test_a_contact_has_a_name_that_xml_can_carry(problems: Problems) -> None:
    contact = 'r@a.lit: {contacts: [{jid: j@b.lit, name: "a\\0", groups: ["\\e"]}]}'
    lines = problems(f"{SERVERS}accounts: {{{contact}, j@b.lit: }}\n")
    assert [line.partition("contacts[0].")[2] for line in lines] == [
        "name: U+0000 cannot be sent in XML; delete it",
        "groups[0]: U+001B cannot be sent in XML; delete it",
    ]


def test_half_a_character_is_refused_where_it_stands(problems: Problems) -> None:
    [line] = problems(SERVERS + 'accounts:\n  r@a.lit: {password: "\\ud83d"}\n')
    half = "an escape from \\uD800 to \\uDFFF is half a character; write the character itself"
    assert f"lab.yaml:4:23: accounts.r@a.lit.password: {half}" == line


def test_a_lab_has_a_largest_number_of_nodes(
    problems: Problems, load_text: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """300 in place of 2,000 and of 10,000: more than one block of addresses has."""
    monkeypatch.setattr(scale, "MAX_LAB_NODES", 300)
    monkeypatch.setattr(references, "MAX_TOPOLOGY_NODES", 300)

    def lab(nodes: int) -> str:
        return "name: x\ndefaults: {}\nservers:\n" + "".join(
            f"  s{number}: {{domain: d{number}.lit, nodes: {min(16, nodes - 16 * number)}}}\n"
            for number in range(-(-nodes // 16))
        )

    plan = resolve(load_text(lab(300)), Path("lab.yaml"), Path("/x"), modules=())
    assert len(set(plan.listeners)) == 3 * 300
    with pytest.raises(ValueError, match="a lab has at most 300 nodes"):
        with_nodes(plan, "s18", 13)
    [line] = problems(lab(301))
    assert line == "lab.yaml:3:1: servers: this has 301 nodes, including gateways and networks; at most 300 fit in"


@pytest.mark.parametrize("ports", [(5222, 5213), (65_535, 65_535), (2772, 2755)])
def test_on_one_host_no_two_listen_on_one_port(load_text: Load, ports: tuple[int, int]) -> None:
    text = SERVERS.replace("a.lit", f"a.lit, nodes: 3, c2s_port: {ports[0]}").replace(
        "b.lit", f"b.lit, nodes: 3, c2s_port: {ports[1]}"
    )
    topology = load_text(text + GATEWAY + "networks: {fn1: {kind: smsc}}\n")
    for attempt in range(10):
        plan = resolve(topology, Path("x"), Path("/x"), modules=(), attempt=attempt, single_host=True)
        assert len({port for _, port in plan.listeners}) == len(plan.listeners)
        assert all(1024 <= port <= 65_535 for _, port in plan.listeners)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("c2s_port", "'5222'", "'5222' is text; write 5222 without quotes"),
        ("anonymous", "'true'", "'true' is text; write true without quotes"),
        ("c2s_port", "many", "'many' is not a whole number; write one such as 5"),
        ("anonymous", "yes", "'yes' is not a boolean; write true or false"),
    ],
)
def test_a_value_in_quotes(problems: Problems, key: str, value: Any, problem: str) -> None:
    [line] = problems(f"name: x\nservers: {{s1: {{domain: a.lit, {key}: {value}}}}}\n")
    assert line.endswith(f"servers.s1.{key}: {problem}")
