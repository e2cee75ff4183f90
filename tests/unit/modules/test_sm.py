"""Stream management (XEP-0198), over whole streams: how it begins, what is acknowledged, and what never was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet.defer import Deferred

from cluster.modules import load
from cluster.store.limits import Limit
from cluster.store.memory import MemoryOffline, memory_store
from cluster.store.port import OfflineMessage
from cluster.streams.outbox import MAX_UNSENT_BYTES
from cluster.xmpp import element as xml
from cluster.xmpp.errors import StreamCondition
from cluster.xmpp.namespaces import CLIENT, DELAY, SM, STANZA_ERRORS, STREAMS
from tests.client import child
from tests.network import MONTAGUE, Network, watched_log
from tests.phone import managed, phone, resume
from tests.unit.modules.managed_streams import CHAMBER, JULIET, ROMEO, R, chat, ended_with, failed

# --- sections 2 and 3


def test_it_is_offered_behind_the_login(network: Network) -> None:
    client = phone(network, ROMEO)
    assert b'<sm xmlns="urn:xmpp:sm:3"/>' in client.output


def test_without_the_module_there_is_none() -> None:
    network = Network(loaded=load(("roster",)))
    client = managed(network, ROMEO)
    assert b"urn:xmpp:sm:3" not in client.output.partition(b"<stream:error>")[0]
    assert ended_with(client) == StreamCondition.UNSUPPORTED_STANZA_TYPE


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("", {}),
        ("resume='false'", {}),
        ("resume='true'", {"resume": "true", "max": "300"}),
        ("resume='1' max='60'", {"resume": "true", "max": "60"}),
        ("resume='true' max='9999999999999'", {"resume": "true", "max": "300"}),
        ("resume='true' max='x'", {"resume": "true", "max": "300"}),
    ],
)
def test_enable(network: Network, asked: str, answered: dict[str, str]) -> None:
    client = managed(network, ROMEO, enable=asked)
    attributes = dict(client.last("enabled").items())
    assert bool(attributes.pop("id", "")) == bool(answered)
    assert attributes == answered


def test_enable_comes_behind_the_resource_binding(network: Network) -> None:
    client = phone(network, ROMEO)
    network.say(client, f"<enable xmlns='{SM}'/>")
    assert failed(client.last("failed")) == "unexpected-request"
    bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
    network.say(client, bind + f"<enable xmlns='{SM}'/>")  # both in one read: the answers keep the order
    assert [xml.split(element.tag)[1] for element in client.got] == ["failed", "iq", "enabled"]


def test_not_before_the_login(network: Network) -> None:
    network.account(ROMEO)
    connection = network.connect(MONTAGUE)
    header = f"<stream:stream to='{MONTAGUE}' version='1.0' xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>"
    for early in (f"<enable xmlns='{SM}'/>", f"<resume xmlns='{SM}' previd='x' h='0'/>"):
        network.say(connection, header + early)
        header = ""
        assert connection.output.endswith(
            f'<failed xmlns="{SM}"><unexpected-request xmlns="{STANZA_ERRORS}"/></failed>'.encode()
        )
    assert not connection.is_closed


def test_a_second_enable_ends_the_stream(network: Network) -> None:
    client = managed(network, ROMEO)
    network.say(client, f"<enable xmlns='{SM}'/>")
    assert ended_with(client) == StreamCondition.POLICY_VIOLATION


# --- section 4


def test_the_server_counts_what_it_handled(network: Network) -> None:
    client = managed(network, ROMEO)
    network.say(client, R)
    assert client.last("a").get("h") == "0"  # what came before <enable/> does not count
    network.say(client, chat(JULIET, "1") + "<presence/>" + "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
    network.say(client, "<message to='@'/>" + chat("nobody@nowhere.lit", "2") + R)
    assert client.last("a").get("h") == "5"


def test_nonzas_do_not_count(network: Network) -> None:
    client = managed(network, ROMEO)
    network.say(client, R * 3 + "<active xmlns='urn:xmpp:csi:0'/>" + R)
    assert client.last("a").get("h") == "0"


def test_before_it_is_enabled_nobody_is_asked(network: Network) -> None:
    client = phone(network, ROMEO)
    network.say(client, "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>" + R)
    assert failed(client.last("failed")) == "unexpected-request"


class SlowOffline(MemoryOffline):
    """Keeps nothing before it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gate: Deferred[None] = Deferred()

    async def push(
        self, localpart: str, message: OfflineMessage, limit: Limit, total_bytes: int = 1 << 30, *, first: bool = False
    ) -> bool:
        await self.gate
        return await super().push(localpart, message, limit, total_bytes, first=first)


@pytest.fixture
def slow() -> Iterator[tuple[Network, SlowOffline]]:
    """A network where montague.lit's offline store takes its time."""
    store = memory_store()
    offline = SlowOffline()
    slow_store = type(store)(**{**vars(store), "offline": offline})
    with watched_log() as failures:
        yield Network(stores={MONTAGUE: slow_store}), offline
    assert not failures


def test_what_is_not_safe_is_not_acknowledged(slow: tuple[Network, SlowOffline]) -> None:
    network, offline = slow
    network.account(JULIET)
    client = managed(network, ROMEO)
    network.say(client, "<presence/>" + chat("juliet@montague.lit", "kept") + "<presence/>" + R)
    assert client.last("a").get("h") == "1"
    offline.gate.callback(None)
    network.settle()
    assert client.last("a").get("h") == "3"  # unasked, since the first answer was too low


def test_the_count_is_final_before_a_stream_is_resumed(slow: tuple[Network, SlowOffline]) -> None:
    network, offline = slow
    network.account(JULIET)
    client = managed(network, ROMEO)
    id = client.sm_id
    network.say(client, chat("juliet@montague.lit", "kept"))
    client.drop()
    again = resume(network, ROMEO, id, 0)
    assert again.got == []
    offline.gate.callback(None)
    network.settle()
    assert again.got[0].get("h") == "1"


def test_the_server_asks_for_acknowledgement(network: Network) -> None:
    juliet, romeo = managed(network, JULIET), network.online(ROMEO)
    juliet.got.clear()
    network.say(romeo, chat(JULIET, "1") + chat(JULIET, "2"))
    assert [xml.split(element.tag)[1] for element in juliet.got] == ["message", "message", "r"]
    network.say(romeo, chat(JULIET, "3"))
    assert xml.split(juliet.got[-1].tag)[1] == "message"  # one question at a time
    network.say(juliet, f"<a xmlns='{SM}' h='2'/>")
    juliet.last("r")
    juliet.got.clear()
    network.say(juliet, f"<a xmlns='{SM}' h='3'/>")
    assert juliet.got == []


def test_too_many_acknowledged(network: Network) -> None:
    client = managed(network, ROMEO)
    network.say(client, f"<a xmlns='{SM}' h='1'/>")
    assert ended_with(client) == StreamCondition.UNDEFINED_CONDITION
    error = client.last("error", STREAMS)
    assert child(error, "handled-count-too-high", SM).attrib == {"h": "1", "send-count": "0"}


@pytest.mark.parametrize("h", ["", "h=''", "h='-1'", "h='many'", "h='4294967296'"])
def test_an_ack_without_a_count(network: Network, h: str) -> None:
    client = managed(network, ROMEO)
    network.say(client, f"<a xmlns='{SM}' {h}/>")
    assert ended_with(client) == StreamCondition.BAD_FORMAT


def test_a_client_that_never_acknowledges_is_not_served_for_ever(network: Network) -> None:
    network.account(JULIET)
    juliet, romeo = managed(network, JULIET), network.online(ROMEO)
    body = "x" * 200_000
    count = MAX_UNSENT_BYTES // len(body) + 1
    for _ in range(count):
        network.say(romeo, chat("juliet@montague.lit", body))
    assert ended_with(juliet) == StreamCondition.POLICY_VIOLATION
    again = network.client(JULIET)
    network.say(again, "<presence/>")
    assert [len(line) > len(body) for line in again.take() if line.startswith("message")] == [True] * count


# --- what nobody acknowledged (section 4)


def test_unacknowledged_messages_of_a_stream_that_ended_wait_offline(network: Network) -> None:
    juliet, romeo = managed(network, JULIET, enable=""), network.online(ROMEO)
    network.say(romeo, chat(JULIET, "acknowledged") + chat(JULIET, "lost 1") + chat("juliet@montague.lit", "lost 2"))
    network.say(juliet, f"<a xmlns='{SM}' h='1'/>")
    network.advance(60)
    juliet.drop()
    network.advance(60)
    again = network.client(JULIET)
    network.say(again, "<presence/>")
    messages = [stanza for stanza in again.stanzas if stanza.tag.endswith("message")]
    assert [message.findtext(f"{{{CLIENT}}}body") for message in messages] == ["lost 1", "lost 2"]
    # XEP-0198 section 4: the time when it first came, not when it was stored
    assert [child(message, "delay", DELAY).get("stamp") for message in messages] == ["2023-11-14T22:13:20.125Z"] * 2


def test_or_go_to_another_resource(network: Network) -> None:
    balcony, romeo = managed(network, JULIET, enable=""), network.online(ROMEO)
    network.say(romeo, chat(JULIET, "lost"))
    chamber = network.online(CHAMBER)
    balcony.drop()
    network.settle()
    assert "message/chat romeo@montague.lit/pda: lost" in chamber.take()


def test_or_come_back(network: Network) -> None:
    network.friends("romeo@montague.lit", "juliet@montague.lit")
    juliet, romeo = managed(network, JULIET, enable=""), network.online(ROMEO)
    network.say(romeo, chat(JULIET, "lost", "normal") + f"<iq type='get' id='q' to='{JULIET}'><query xmlns='x'/></iq>")
    juliet.drop()
    network.settle()
    assert romeo.take()[1:] == [  # RFC 6121 sections 8.5.3.2.1 and 8.5.3.2.3
        "message/error juliet@montague.lit/balcony: cancel service-unavailable",
        "iq/error juliet@montague.lit/balcony q: cancel service-unavailable",
    ]


def test_what_was_acknowledged_is_not_kept(network: Network) -> None:
    juliet, romeo = managed(network, JULIET, enable=""), network.online(ROMEO)
    network.say(romeo, chat(JULIET, "got it"))
    network.say(juliet, f"<a xmlns='{SM}' h='1'/></stream:stream>")
    network.forget()
    again = network.client(JULIET)
    network.say(again, "<presence/>")
    assert not [line for line in again.take() if line.startswith("message")]
