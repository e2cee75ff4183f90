from __future__ import annotations

import re

import pytest
from pydantic import TypeAdapter

from cluster import kinds
from cluster.topology.model import Account, Contact
from cluster.topology.problem import TopologyError
from cluster.topology.servers import AnyServer, ServerSettings
from cluster.xmpp.jid import Jid, JidError

from .conftest import Load, Problems

SETTINGS = (
    "tls, registration, registrations_per_minute, strict, anonymous, admin, offline_messages, offline_bytes, "
    "offline_total_bytes, roster_bytes, archive_bytes, private_bytes, pubsub_bytes, modules, c2s_port, "
    "direct_tls_port, s2s_port, s2s_direct_tls_port, http_port"
)
SERVER_KEYS = f"kind, domain, {', '.join(kinds.services())}, {SETTINGS}, nodes, isolate"

_server = TypeAdapter(AnyServer).validate_python

TOP_KEYS = (
    "name, servers, defaults, accounts, gateways, networks, components, trace, router, links, processes, mesh, "
    "population, resolver"
)


def test_the_smallest_file_gets_every_default(load_text: Load) -> None:
    topology = load_text("name: tiny\nservers: {s1: {domain: montague.lit}}\n")
    assert topology.servers == {"s1": _server({"domain": "montague.lit"})}
    assert topology.defaults == ServerSettings(tls="required", registration="closed", modules=None, c2s_port=5222)
    assert topology.accounts == {}
    assert topology.trace.sample_every == 1000
    assert topology.router.max_backlog == 100_000


def test_every_key_is_read(load_text: Load) -> None:
    topology = load_text("""
        name: all-2
        defaults: {tls: optional, c2s_port: 6222}
        servers:
          s1: {domain: Montague.LIT, tls: off, registration: open, modules: [ping], c2s_port: 5223}
        accounts:
          Romeo@montague.lit:
            password: wherefore
            contacts: [juliet@montague.lit, {jid: nurse@Montague.lit, name: Nurse, groups: [House]}]
          juliet@montague.lit:
          nurse@montague.lit: {contacts: }
        trace: {sample_every: 0}
        router: {max_backlog: 1}
    """)
    assert topology.name == "all-2"
    assert topology.defaults == ServerSettings(tls="optional", c2s_port=6222)
    assert topology.servers == {
        "s1": _server(
            {"domain": "montague.lit", "tls": "off", "registration": "open", "modules": ["ping"], "c2s_port": 5223}
        )
    }
    assert topology.accounts == {
        "romeo@montague.lit": Account(
            password="wherefore",
            contacts=[
                Contact(jid="juliet@montague.lit"),
                Contact(jid="nurse@montague.lit", name="Nurse", groups=["House"]),
            ],
        ),
        "juliet@montague.lit": Account(password="secret"),
        "nurse@montague.lit": Account(),
    }
    assert topology.trace.sample_every == 0
    assert topology.router.max_backlog == 1


def test_sections_may_be_empty(load_text: Load) -> None:
    topology = load_text("name: x\nservers: {s1: {domain: a.lit, modules: }}\ndefaults:\naccounts:\ntrace:\nrouter:\n")
    assert topology.defaults == ServerSettings()
    assert topology.accounts == {}
    assert topology.servers["s1"].modules is None


def test_all_problems_come_at_once_in_the_order_of_the_file(problems: Problems) -> None:
    assert problems("""
        name: My Lab
        server: {}
        servers:
          router: {tls: false, tsl: off}
          s2: {domain: capulet.lit, modules: [pong, ping, ping]}
          s3: {domain: Capulet.lit, c2s_port: "5222"}
        accounts:
          romeo@capulet.lit: {contacts: [julia@capulet.lit], pasword: x}
          Romeo@capulet.lit:
          juliet@capulet.li:
            contacts: [romeo@capulet.lit, romeo@capulet.lit, juliet@capulet.li]
          romeo@capulet.lit: {}
        defaults: {modules: [disko]}
        linx: {}
    """) == [
        "lab.yaml:1:7: name: 'My Lab' is not a valid name; allowed: lowercase letters, digits and '-', a letter first, "
        "at most 63",
        "lab.yaml:2:1: server: unknown key; did you mean 'servers'? allowed: " + TOP_KEYS,
        "lab.yaml:4:3: servers.router: 'router' is reserved in every lab; give the server another name",
        f"lab.yaml:4:3: servers.router.domain: the key 'domain' is missing; allowed: {SERVER_KEYS}",
        "lab.yaml:4:17: servers.router.tls: false is not known; allowed: required, optional, off",
        f"lab.yaml:4:24: servers.router.tsl: unknown key; did you mean 'tls'? allowed: {SERVER_KEYS}",
        "lab.yaml:5:39: servers.s2.modules[0]: no module 'pong'; did you mean 'ping'? allowed: disco, ping, version",
        "lab.yaml:5:51: servers.s2.modules[2]: the module 'ping' is listed twice; delete one of the two",
        "lab.yaml:6:16: servers.s3.domain: s2 serves capulet.lit already; give each server its own domain",
        "lab.yaml:6:39: servers.s3.c2s_port: '5222' is text; write 5222 without quotes",
        "lab.yaml:8:34: accounts.romeo@capulet.lit.contacts[0]: no account 'julia@capulet.lit' in this file; "
        "did you mean 'juliet@capulet.li'? allowed: juliet@capulet.li",
        "lab.yaml:8:54: accounts.romeo@capulet.lit.pasword: unknown key; did you mean 'password'? "
        "allowed: password, contacts",
        "lab.yaml:9:3: accounts.Romeo@capulet.lit: this is the same account as romeo@capulet.lit (RFC 7622); "
        "keep one of the two",
        "lab.yaml:10:3: accounts.juliet@capulet.li: no server serves 'capulet.li'; did you mean 'capulet.lit'? "
        "allowed: capulet.lit",
        "lab.yaml:11:35: accounts.juliet@capulet.li.contacts[1]: romeo@capulet.lit is listed twice; "
        "delete one of the two",
        "lab.yaml:11:54: accounts.juliet@capulet.li.contacts[2]: an account cannot be its own contact; "
        "delete this entry",
        "lab.yaml:12:3: accounts.romeo@capulet.lit: this key is in line 8 already; keep one of the two",
        "lab.yaml:13:22: defaults.modules[0]: no module 'disko'; did you mean 'disco'? allowed: disco, ping, version",
        "lab.yaml:14:1: linx: unknown key; did you mean 'links'? allowed: " + TOP_KEYS,
    ]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("trace: {sample_every: -1}", "23: trace.sample_every: -1 is wrong; it should be greater than or equal to 0"),
        ("trace: {sample_every: 1.5}", "23: trace.sample_every: 1.5 is not a whole number; write one such as 5"),
        ("trace: {sample_every: true}", "23: trace.sample_every: true is not a whole number; write one such as 5"),
        ("router: 3", "9: router: 3 where keys and values are expected; allowed: max_backlog, seed"),
        (
            "defaults: []",
            f"11: defaults: a list where keys and values are expected; allowed: {SETTINGS}",
        ),
        (
            "defaults: {domain: a.lit}",
            f"12: defaults.domain: unknown key; allowed: {SETTINGS}",
        ),
        ("defaults: {registration: yes}", "26: defaults.registration: 'yes' is not known; allowed: open, closed"),
        (
            "defaults: {c2s_port: 65536}",
            "22: defaults.c2s_port: 65536 is wrong; it should be less than or equal to 65535",
        ),
        ("defaults: {modules: ping}", "21: defaults.modules: 'ping' where a list is expected; write [first, second]"),
        ("accounts: [romeo@a.lit]", "11: accounts: a list where keys and values are expected"),
        (
            "accounts: {r@a.lit: {password: 1}}",
            "32: accounts.r@a.lit.password: 1 is not text; put it in quotes if it is meant so",
        ),
        (
            "accounts: {r@a.lit: {password: ''}}",
            "32: accounts.r@a.lit.password: '' is wrong; it should have at least 1 character",
        ),
        (
            "accounts: {r@a.lit: {password: {}}}",
            "32: accounts.r@a.lit.password: keys and values where text is expected",
        ),
        (
            "accounts: {r@a.lit: {contacts: [1]}}",
            "33: accounts.r@a.lit.contacts[0]: 1 where keys and values are expected; allowed: jid, name, groups",
        ),
        (
            "accounts: {r@a.lit: {contacts: [{name: x}]}}",
            "33: accounts.r@a.lit.contacts[0].jid: the key 'jid' is missing; allowed: jid, name, groups",
        ),
        (
            "accounts: {r@a.lit: {contacts: [a.lit]}}",
            "33: accounts.r@a.lit.contacts[0].jid: 'a.lit' is not an account; "
            "write localpart@domain, such as romeo@montague.lit",
        ),
        (
            "accounts: {r@a.lit/pda: }",
            "12: accounts.r@a.lit/pda: 'r@a.lit/pda' is not an account; write localpart@domain, such as "
            "romeo@montague.lit",
        ),
        (
            "accounts: {servers: {tsl: }}",
            "12: accounts.servers: 'servers' is not an account; write localpart@domain, such as romeo@montague.lit",
        ),
        (
            "accounts: {a@a.lit: {contacts: [{jid: b@a.lit, groups: ['']}]}, b@a.lit: }",
            "57: accounts.a@a.lit.contacts[0].groups[0]: must not be empty; write at least 1",
        ),
    ],
)
def test_a_wrong_value_says_what_is_allowed(problems: Problems, key: str, expected: str) -> None:
    assert f"lab.yaml:3:{expected}" in problems(f"name: x\nservers: {{s1: {{domain: a.lit}}}}\n{key}\n")


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ("{}", "10: servers: must not be empty; write at least 1"),
        ("", "9: servers: nothing where keys and values are expected"),
        ("{s1: }", f"14: servers.s1: nothing where keys and values are expected; allowed: {SERVER_KEYS}, host"),
        (
            "{S1: {domain: a.lit}}",
            "11: servers.S1: 'S1' is not a valid name; allowed: lowercase letters, digits and '-', a letter first, "
            "at most 63",
        ),
        (
            "{s1: {domain: r@a.lit}}",
            "24: servers.s1.domain: 'r@a.lit' is not a domain; write only the part after the '@', such as montague.lit",
        ),
    ],
)
def test_a_wrong_server_says_what_is_allowed(problems: Problems, servers: str, expected: str) -> None:
    assert problems(f"name: x\nservers: {servers}\n") == [f"lab.yaml:2:{expected}"]


@pytest.mark.parametrize("content", ["[a, b]", "text", "3"])
def test_a_file_that_is_no_mapping_is_told_the_keys(problems: Problems, content: str) -> None:
    (line,) = problems(content)
    assert line.startswith("lab.yaml:1:1: ")
    assert line.endswith(f" where keys and values are expected; allowed: {TOP_KEYS}")


def test_accounts_are_not_blamed_for_servers_that_are_not_there(problems: Problems) -> None:
    lines = problems("name: x\nserver: {s1: {domain: a.lit}}\naccounts: {r@a.lit: }\n")
    assert [line.split(": ")[1] for line in lines] == ["servers", "server"]


def test_an_address_that_cannot_be_prepared_gets_the_words_of_the_jid(problems: Problems) -> None:
    [line] = problems("name: x\nservers: {s1: {domain: a.lit}}\naccounts: {'r r@a.lit': }\n")
    with pytest.raises(JidError) as reason:
        Jid.parse("r r@a.lit")
    what = f"'r r@a.lit' is not an account: {reason.value}; write one such as romeo@montague.lit"
    assert line == f"lab.yaml:3:12: accounts.r r@a.lit: {what}"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("{domain: a.lit, c2s_port: 5223}", "servers.s1: c2s_port and direct_tls_port are both 5223"),
        ("{domain: a.lit, c2s_port: 5223, tls: off}", ""),
        ("{domain: a.lit, http_port: 5222}", "servers.s1: c2s_port and http_port are both 5222"),
        (
            "{domain: a.lit, direct_tls_port: 80, http_port: 80}",
            "servers.s1: direct_tls_port and http_port are both 80",
        ),
        ("{domain: a.lit, admin: romeo@a.lit}", ""),
        ("{domain: a.lit, admin: tybalt@a.lit}", "servers.s1.admin: no account 'tybalt@a.lit' in this file"),
        (
            "{domain: a.lit, anonymous: maybe}",
            "servers.s1.anonymous: 'maybe' is not a boolean; write true or false",
        ),
    ],
)
def test_settings_that_cannot_be_together(load_text: Load, settings: str, expected: str) -> None:
    text = f"name: x\nservers: {{s1: {settings}}}\naccounts: {{romeo@a.lit: }}\n"
    if not expected:
        assert load_text(text)
        return
    with pytest.raises(TopologyError, match=re.escape(expected)):
        load_text(text)


def test_a_long_value_is_cut_off(problems: Problems) -> None:
    (line,) = problems("x" * 5000)
    assert len(line) < 500
