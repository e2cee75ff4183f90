"""Whatever `validate` passes can run: every part of it is built and started, as far as that needs no network."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from twisted.internet.testing import MemoryReactorClock

from cluster import modules
from cluster.kinds.mailhost import MailHost
from cluster.kinds.sms import SmsGateway
from cluster.lab.folder import LabFolder
from cluster.lab.foreign import ForeignNode
from cluster.lab.node import Node
from cluster.lab.provision import redis
from cluster.lab.provision.announcement import announcement
from cluster.lab.provision.certificates import certify
from cluster.lab.runtime.monitor import Monitor
from cluster.protocols.mime.address import for_the_wire, normal
from cluster.protocols.smpp.address import address_of, is_phone_number
from cluster.protocols.smpp.constants import CommandId
from cluster.protocols.smpp.pdu import Bind, Pdu, Sm, encode
from cluster.router.chain import Chain
from cluster.router.settings import FaultSettings, merged
from cluster.server.credentials import ITERATIONS
from cluster.topology.load import load
from cluster.topology.plan import Plan
from cluster.topology.problem import Problem, TopologyError
from cluster.topology.resolve import resolve
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.streams.sasl import HASHES, make_keys

MODULES = modules.names()
NOW_UTC = datetime(2026, 1, 1, tzinfo=UTC)


def whole() -> dict[str, Any]:
    """A topology with all there is in it."""
    return {
        "name": "whole",
        "defaults": {"tls": "optional"},
        "servers": {
            "s1": {"domain": "montague.lit", "nodes": 2, "c2s_port": 5222, "http_port": 5281, "direct_tls_port": 5223},
            "s2": {"domain": "capulet.lit"},
            "s3": {"domain": "shakespeare.lit", "tls": "off"},
        },
        "accounts": {
            "romeo@montague.lit": {
                "password": "wherefore",
                "contacts": [{"jid": "juliet@capulet.lit", "name": "Juliet", "groups": ["Verona"]}],
            },
            "juliet@capulet.lit": None,
        },
        "gateways": {
            "g1": {"kind": "sms", "domain": "sms.montague.lit", "server": "s1", "network": "fn1", "number": "2345"},
            "g2": {
                "kind": "mail", "domain": "mail.capulet.lit", "server": "s2", "network": "fn2",
                "aliases": {"nurse@verona.example": "juliet@capulet.lit"}, "mail_for": ["montague.lit"],
            },
            "g3": {"kind": "sms", "domain": "sms.capulet.lit", "server": "s2", "network": "fn3"},
            "g4": {"kind": "mail", "domain": "post.capulet.lit", "server": "s2", "network": "fn4"},
        },
        "networks": {
            "fn1": {"kind": "smsc", "phones": {"fc1": "+393331234567", "fc3": "+393331234568"}},
            "fn2": {"kind": "mailhost", "mailboxes": {"fc2": "friar@abbey.example", "fc4": "monk@abbey.example"}},
            "fn3": {"kind": "smsc", "external": {"host": "10.0.0.1", "port": 2775, "user": "g3", "password": "secret"}},
            "fn4": {"kind": "mailhost", "external": {"host": "mx.example", "port": 25, "starttls": False}},
        },
        "components": {"dict.capulet.lit": {"server": "s2"}},
        "mesh": False,
        "links": [{"between": ["s1", "s2"], "delay": "40ms"}, {"from": "s2", "to": "s3"}],
    }  # fmt: skip


TEXTS = st.text(st.characters(), max_size=20)
"""Anything at all, half characters too."""
ODD = st.sampled_from([
    "", " ", "\0", "\x1f", "\ud83d", "🔑", "é" * 16, "x" * 16, "x" * 1_023, "x" * 1_024, "\xad", "א1", "a b",
    "a'b", "a+b", "a..b", ".", "*", "[x]", "{x}", "admin", "redis", "xn--a", "\u200d", "٣٣٣", "ﬀ", "\ufffe",
])  # fmt: skip
WORDS = TEXTS | ODD
NAMES = st.sampled_from(
    ["a", "s1-2", "admin", "lock", "logs", "containers", "sockets", "plan", "ca", "montague", "x" * 63]
)
PORTS = st.sampled_from([1, 80, 2525, 2775, 5222, 5223, 5224, 5281, 5347, 65_535]) | st.integers(0, 65_536)
LONG = st.sampled_from(["a" * 63, "ü" * 50, "a.b", "a" * 64, "ทดสอบ" * 6]).flatmap(
    lambda label: st.integers(1, 8).map(lambda number: ".".join([label] * number))
)
DOMAINS = (
    st.sampled_from(["[::1]", "127.0.0.1", "ünicode.lit", "a_b", "a b", "admin", "fn1", "capulet.lit", "x"])
    | LONG
    | WORDS
)
LOCALPARTS = WORDS | st.sampled_from(["x(y)", "a,b", "a;b", "postmaster", "#", "x" * 254])
NUMBERS = (
    st.sampled_from(["2345", "+393331234567", "+3933312345678901234567", "+39", "23", "0", "39333"])
    | st.from_regex(r"\+?[0-9]{1,23}", fullmatch=True)
    | WORDS
)
HUGE = st.sampled_from([0, 1, 10**17, 10**18 - 1, -1])
TIMES = st.sampled_from(["0ms", "9" * 400 + "m", "10080m", "1ms", "99999999999999m", "0.0000000001ms"])

Change = tuple[tuple[str | int, ...], Any]


def at(*path: str | int) -> Callable[[st.SearchStrategy[Any]], st.SearchStrategy[Change]]:
    return lambda values: values.map(lambda value: (path, value))


def key(*path: str) -> Callable[[st.SearchStrategy[Any]], st.SearchStrategy[Change]]:
    """The value there gets another key."""
    return lambda names: names.map(lambda name: ((*path, "→"), name))


ROMEO, FN3, FN4 = ("accounts", "romeo@montague.lit"), ("networks", "fn3", "external"), ("networks", "fn4", "external")
CHANGES: list[st.SearchStrategy[Change]] = [
    at(*ROMEO, "password")(WORDS),
    at(*ROMEO, "contacts", 0, "name")(WORDS),
    at(*ROMEO, "contacts", 0, "groups")(st.lists(WORDS, max_size=2)),
    key("accounts", "romeo@montague.lit")(LOCALPARTS.map(lambda local: f"{local}@montague.lit")),
    at("servers", "s1", "domain")(DOMAINS),
    at("servers", "s3", "domain")(DOMAINS),
    key("servers", "s3")(NAMES),
    at("servers", "s1", "nodes")(st.integers(0, 17)),
    *(at("servers", "s1", port)(PORTS) for port in ("c2s_port", "http_port", "direct_tls_port")),
    at("defaults", "c2s_port")(PORTS),
    at("servers", "s1", "modules")(st.lists(st.sampled_from(MODULES))),
    *(at("defaults", limit)(HUGE) for limit in ("offline_messages", "roster_bytes", "registrations_per_minute")),
    at("gateways", "g1", "domain")(WORDS.map(lambda label: f"{label}.montague.lit")),
    at("gateways", "g1", "number")(NUMBERS),
    at("gateways", "g1", "secret")(WORDS),
    key("gateways", "g1")(NAMES),
    at("gateways", "g2", "secret")(WORDS),
    at("gateways", "g2", "aliases")(
        st.dictionaries(LOCALPARTS.map(lambda local: f"{local}@verona.example"), st.just("juliet@capulet.lit"))
    ),
    at("gateways", "g3", "network")(st.just("fn1")),
    at("networks", "fn1", "phones", "fc1")(NUMBERS),
    key("networks", "fn1", "phones", "fc1")(NAMES),
    at("networks", "fn2", "mailboxes", "fc2")(
        LOCALPARTS.map(lambda local: f"{local}@abbey.example") | DOMAINS.map(lambda domain: f"friar@{domain}")
    ),
    key("networks", "fn2")(NAMES),
    *(at(*FN3, part)(WORDS) for part in ("user", "password", "host")),
    at(*FN3, "starttls")(st.booleans()),
    *(at(*FN4, part)(WORDS) for part in ("user", "password", "host")),
    at(*FN4, "starttls")(st.booleans()),
    key("components", "dict.capulet.lit")(WORDS.map(lambda label: f"{label}.capulet.lit")),
    at("components", "dict.capulet.lit", "secret")(WORDS),
    at("links", 0, "delay")(TIMES),
    at("links", 0, "rate")(st.sampled_from(["0.0000001B/s", "1B/s", "9" * 320 + "MB/s", "64kB/s"])),
    at("links", 0, "down")(TIMES.map(lambda time: f"..{time}")),
    at("trace", "journal_bytes")(HUGE),
    at("trace", "sample_every")(HUGE),
    at("router", "max_backlog")(HUGE),
    at("mesh")(st.booleans()),
]


def changed(changes: list[Change]) -> dict[str, Any]:
    topology = whole()
    for (*path, last), value in changes:
        place: Any = topology
        for step in path[:-1] if last == "→" else path:
            place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
        if last != "→":
            place[last] = value
        elif path[-1] in place:
            place[value] = place.pop(path[-1])
    return topology


class Reactor(MemoryReactorClock):
    def __init__(self) -> None:
        super().__init__()

    def getThreadPool(self) -> None:
        return None


def start(folder: LabFolder, plan: Plan) -> None:
    """All that `up` writes, and each of its processes, as far as they listen."""
    folder.create()
    folder.save_plan(plan)
    assert folder.plan() == plan
    certify(folder, plan, NOW_UTC)
    redis.configure(folder, plan)
    assert len(folder.secrets()) == 1 + len({node.speaks_for for node in (*plan.servers, *plan.lower_half)})
    for words in announcement(plan, 1.7e9):
        " ".join(words).encode()
    assert len(set(plan.listeners)) == len(plan.listeners)
    assert all(0 < port <= 65_535 for _, port in plan.listeners)
    monitor = Monitor(Reactor(), folder, "s1")
    for server in plan.servers:
        Node(Reactor(), folder, plan, folder.secrets()[server.domain], server.name, lambda: None, monitor)
        for account in server.accounts:
            assert make_keys(HASHES[0], account.password, b"salt of the tests", ITERATIONS)
            for contact in account.contacts:
                item = Element("item", {"jid": str(Jid.parse(contact.jid)), "name": contact.name})
                assert xml.parse(xml.serialize(item)).get("name") == contact.name
    for node in plan.lower_half:
        ForeignNode(Reactor(), folder, node)


def speak(plan: Plan) -> None:
    """What the gateways send first, and what is addressed to phones and mailboxes."""
    for gateway in plan.gateways:
        network = plan.network(gateway.network)
        if isinstance(gateway, SmsGateway):
            user, password = gateway.login(network)
            assert encode(Pdu(CommandId.BIND_TRANSCEIVER, 1, Bind(user, password)))
            for number in (gateway.number, *network.people.values()):
                assert encode(Pdu(CommandId.SUBMIT_SM, 1, Sm(destination_addr=address_of(number).digits)))
    for network in plan.networks:
        for address in network.people.values():
            assert for_the_wire(normal(address)) if isinstance(network, MailHost) else is_phone_number(address)
    for link in plan.links:
        faults = msgspec.json.decode(msgspec.json.encode(merged({}, link.faults, 1.7e9)))
        assert Chain(FaultSettings("0", faults), f"{link.from_} {link.to}")


@settings(
    max_examples=150,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(changes=st.lists(st.one_of(CHANGES), max_size=3), single_host=st.booleans(), attempt=st.integers(0, 9))
def test_what_is_valid_can_run(changes: list[Change], single_host: bool, attempt: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "lab.yaml")
        file.write_text(yaml.safe_dump(changed(changes), allow_unicode=False), encoding="utf-8", errors="strict")
        refused: tuple[Problem, ...] = ()
        try:
            topology = load(file, MODULES)
        except TopologyError as error:
            refused = error.errors
        event("refused" if refused else "passed")
        assert [str(problem) for problem in refused if not (problem.line and "; " in problem.message)] == []
        if refused:
            return
        plan = resolve(
            topology, file, Path(place, "lab"), modules=modules.defaults(), attempt=attempt, single_host=single_host
        )
        start(LabFolder(Path(place, "lab")), plan)
        speak(plan)
