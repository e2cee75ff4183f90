"""Offline messages (XEP-0160): what waits, for how long, and in which order it comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost

from cluster import modules
from cluster.modules import sm
from cluster.server.sessions.session import Session
from cluster.store.limits import Limit, Limits
from cluster.store.memory import MemoryOffline, memory_store
from cluster.store.port import OfflineMessage
from cluster.xmpp.namespaces import DELAY, HINTS
from tests.client import Client, child
from tests.network import CAPULET, Network, watched_log
from tests.phone import managed

JULIET = "juliet@capulet.lit"
SENDERS = ["romeo@montague.lit/pda", "nurse@capulet.lit/house"]


def message(text: object, to: str = JULIET, type: str = "chat") -> str:
    return f"<message to='{to}' type='{type}'><body>{text}</body></message>"


def messages(client: Client) -> list[str]:
    """The texts of the messages that it got."""
    return [line.partition(": ")[2] for line in client.take() if line.startswith("message")]


def become_available(network: Network, jid: str) -> Client:
    client = network.client(jid)
    network.say(client, "<presence/>")
    return client


@pytest.mark.parametrize("sender", SENDERS)
def test_messages_wait_with_the_time_of_their_arrival(network: Network, sender: str) -> None:
    network.account(JULIET)
    romeo = network.client(sender)
    network.say(romeo, message("one"))
    network.advance(3661.5)
    network.say(romeo, message("two", type="normal"))
    network.advance(86_400)
    juliet = network.client(f"{JULIET}/balcony")
    network.say(juliet, "<presence/>")
    delays = [child(stanza, "delay", DELAY) for stanza in juliet.stanzas[1:]]
    # XEP-0203 section 4, XEP-0082: UTC, milliseconds
    assert [delay.get("stamp") for delay in delays] == ["2023-11-14T22:13:20.125Z", "2023-11-14T23:14:21.625Z"]
    assert {delay.get("from") for delay in delays} == {CAPULET}
    assert juliet.take()[1:] == [f"message/chat {sender}: one", f"message/normal {sender}: two"]
    assert romeo.take() == []


def test_each_is_delivered_once(network: Network) -> None:
    network.account(JULIET)
    network.say(network.client(SENDERS[0]), message("once"))
    balcony = become_available(network, f"{JULIET}/balcony")
    assert messages(balcony) == ["once"]
    network.say(balcony, "<presence><show>away</show></presence>")
    chamber = become_available(network, f"{JULIET}/chamber")
    assert messages(balcony) + messages(chamber) == []


def test_a_negative_priority_gets_none(network: Network) -> None:
    network.account(JULIET)  # XEP-0160 section 3, RFC 6121 section 8.5.2.1.1
    network.say(network.client(SENDERS[0]), message("hi"))
    juliet = network.client(f"{JULIET}/balcony")
    network.say(juliet, "<presence><priority>-1</priority></presence>")
    assert messages(juliet) == []
    network.say(juliet, "<presence><priority>0</priority></presence>")
    assert messages(juliet) == ["hi"]


@pytest.mark.parametrize("sender", SENDERS)
def test_chat_states_and_the_like_do_not_wait(network: Network, sender: str) -> None:
    network.account(JULIET)  # XEP-0160 section 3
    romeo = network.client(sender)
    composing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
    for besides in (
        "",
        "<thread>t</thread>",
        f"<no-store xmlns='{HINTS}'/>",
        "<origin-id xmlns='urn:xmpp:sid:0' id='o'/>",
    ):
        network.say(romeo, f"<message to='{JULIET}' type='chat'>{composing}{besides}</message>")
    network.say(romeo, message("hi", type="headline") + message("hi", type="error"))
    assert romeo.take() == []
    assert messages(become_available(network, f"{JULIET}/balcony")) == []


ENCRYPTED = "<encrypted xmlns='eu.siacs.conversations.axolotl'><payload>AAAA</payload></encrypted>"
BODILESS = [
    ENCRYPTED,
    "<received xmlns='urn:xmpp:receipts' id='1'/>",
    "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>",
    "<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>",
    "<x xmlns='jabber:x:oob'><url>https://montague.lit/x</url></x>",
    "<active xmlns='http://jabber.org/protocol/chatstates'/><received xmlns='urn:xmpp:receipts' id='1'/>",
    "",
]


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("type", ["chat", "normal"])
def test_what_has_no_body_waits_too(network: Network, sender: str, type: str) -> None:
    network.account(JULIET)  # XEP-0160 section 3, RFC 6121 section 8.5.2.2.1
    romeo = network.client(sender)
    network.say(romeo, "".join(f"<message to='{JULIET}' type='{type}'>{each}</message>" for each in BODILESS))
    assert romeo.take() == []
    assert len(messages(become_available(network, f"{JULIET}/balcony"))) == len(BODILESS)


def test_what_has_no_body_survives_the_end_of_a_session(network: Network) -> None:
    """XEP-0198 section 5: where the client does not come back in time, it goes where it would have gone without it."""
    juliet, romeo = managed(network, f"{JULIET}/balcony"), network.client(SENDERS[0])
    juliet.drop()
    kept = "".join(f"<message to='{JULIET}/balcony' type='chat'>{each}</message>" for each in BODILESS)
    may_not_be = f"<message to='{JULIET}/balcony' type='chat' id='x'>{ENCRYPTED}<no-store xmlns='{HINTS}'/></message>"
    network.say(romeo, kept + may_not_be)
    assert romeo.take() == []
    network.advance(sm.RESUME_TIMEOUT_S + 1)
    [refused] = romeo.stanzas
    assert (refused.get("type"), refused.get("id")) == ("error", "x")
    assert len(messages(become_available(network, f"{JULIET}/balcony"))) == len(BODILESS)


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("type", ["chat", "normal"])
def test_what_may_not_be_stored_comes_back(network: Network, sender: str, type: str) -> None:
    network.account(JULIET)  # XEP-0334 section 4.2
    romeo = network.client(sender)
    for hint in ("no-store", "no-permanent-store"):
        content = f"<body>{hint}</body><{hint} xmlns='{HINTS}'/>"
        network.say(romeo, f"<message to='{JULIET}' type='{type}'>{content}</message>")
    assert romeo.take() == [f"message/error {JULIET}: cancel service-unavailable"]
    assert messages(become_available(network, f"{JULIET}/balcony")) == ["no-permanent-store"]


@pytest.mark.parametrize("limit", [0, 3])
@pytest.mark.parametrize("sender", SENDERS)
def test_beyond_the_limit_they_come_back(sender: str, limit: int) -> None:
    network = Network(limits=Limits(offline=Limit(limit, 100_000)))
    network.account(JULIET)  # XEP-0160 section 2
    romeo = network.client(sender)
    network.say(romeo, "".join(message(number) for number in range(5)))
    assert romeo.take() == [f"message/error {JULIET}: cancel service-unavailable"] * (5 - limit)
    assert messages(become_available(network, f"{JULIET}/balcony")) == ["0", "1", "2"][:limit]


@pytest.mark.parametrize("sender", SENDERS)
def test_beyond_the_limit_in_bytes_they_come_back(sender: str) -> None:
    network = Network(limits=Limits(offline=Limit(1_000, 250_000)))
    network.account(JULIET)
    romeo = network.client(sender)
    network.say(romeo, "".join(message(letter * 100_000) for letter in "abc") + message("short"))
    # XEP-0160 section 2: what does not fit comes back; what fits after it is kept
    assert romeo.take() == [f"message/error {JULIET}: cancel service-unavailable"]
    assert [text[:5] for text in messages(become_available(network, f"{JULIET}/balcony"))] == [
        "aaaaa",
        "bbbbb",
        "short",
    ]


def test_more_than_a_page_comes_in_order(network: Network) -> None:
    network.account(JULIET)
    romeo = network.client(SENDERS[0])
    network.say(romeo, "".join(message(number) for number in range(250)))
    assert messages(become_available(network, f"{JULIET}/balcony")) == [str(number) for number in range(250)]


def test_without_the_module_they_come_back() -> None:
    loaded = modules.load(tuple(name for name in modules.names() if name != "offline"))
    network = Network(loaded=loaded)
    network.account(JULIET)
    romeo = network.client(SENDERS[0])
    network.say(romeo, message("hi"))
    assert romeo.take() == [f"message/error {JULIET}: cancel service-unavailable"]


class SlowOffline(MemoryOffline):
    """Answers when a test says so, as a store on a network does; what it answers is how things stood when asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Deferred[None]] = []

    async def page(self, localpart: str) -> list[OfflineMessage]:
        found = await super().page(localpart)
        if not found:
            return found
        self.asked.append(Deferred())
        await self.asked[-1]
        return found

    def answer(self, network: Network) -> None:
        while self.asked:
            asked, self.asked = self.asked, []
            for question in asked:
                question.callback(None)
            network.settle()


@pytest.fixture
def slow() -> SlowOffline:
    return SlowOffline()


@pytest.fixture
def slow_network(slow: SlowOffline) -> Network:
    """Two messages wait for Juliet, and capulet.lit takes its time to look for them."""
    store = memory_store()
    network = Network(stores={CAPULET: replace(store, offline=slow)})
    network.account(JULIET)
    network.say(network.client("romeo@montague.lit/pda"), message("old 1") + message("old 2"))
    return network


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("to", [JULIET, f"{JULIET}/balcony"])
def test_newer_messages_stay_behind_the_older_ones(
    slow_network: Network, slow: SlowOffline, sender: str, to: str
) -> None:
    juliet = become_available(slow_network, f"{JULIET}/balcony")
    slow_network.say(slow_network.client(sender.replace("/", "/new-")), message("new 1", to) + message("new 2", to))
    assert messages(juliet) == []
    slow.answer(slow_network)
    assert messages(juliet) == ["old 1", "old 2", "new 1", "new 2"]


class AwayOffline(MemoryOffline):
    """Cannot be reached while a test says so, as a store whose Redis restarts."""

    is_away = False

    async def page(self, localpart: str) -> list[OfflineMessage]:
        if self.is_away:
            raise ConnectionLost
        return await super().page(localpart)


@pytest.mark.parametrize("to", [JULIET, f"{JULIET}/balcony"])
def test_while_the_storage_is_away_they_wait_and_newer_ones_after_them(to: str) -> None:
    offline = AwayOffline()
    network = Network(stores={CAPULET: replace(memory_store(), offline=offline)})
    network.account(JULIET)
    romeo = network.client(SENDERS[0])
    network.say(romeo, message("old 1") + message("old 2"))
    offline.is_away = True
    with watched_log() as failures:
        juliet = become_available(network, f"{JULIET}/balcony")
        network.say(romeo, message("new", to))
        network.advance(10)
        assert messages(juliet) == []
        offline.is_away = False
        network.advance(2)
    assert messages(juliet) == ["old 1", "old 2", "new"]
    assert failures == []


def test_who_leaves_while_the_storage_is_away_gets_them_later() -> None:
    offline = AwayOffline()
    network = Network(stores={CAPULET: replace(memory_store(), offline=offline)})
    network.account(JULIET)
    network.say(network.client(SENDERS[0]), message("old"))
    offline.is_away = True
    become_available(network, f"{JULIET}/balcony").close()
    network.settle()
    offline.is_away = False
    network.advance(2)
    assert messages(become_available(network, f"{JULIET}/balcony")) == ["old"]


def test_a_connection_that_dies_meanwhile_loses_none(slow_network: Network, slow: SlowOffline) -> None:
    juliet = become_available(slow_network, f"{JULIET}/balcony")
    slow_network.say(slow_network.client("nurse@capulet.lit/x"), message("new"))
    juliet.drop()
    slow_network.settle()
    slow.answer(slow_network)
    juliet = become_available(slow_network, f"{JULIET}/balcony")
    slow.answer(slow_network)
    assert messages(juliet) == ["old 1", "old 2", "new"]


def test_a_resource_that_leaves_meanwhile_leaves_them_to_the_next(slow_network: Network, slow: SlowOffline) -> None:
    balcony = become_available(slow_network, f"{JULIET}/balcony")
    chamber = become_available(slow_network, f"{JULIET}/chamber")
    slow_network.say(balcony, "<presence type='unavailable'/>")
    slow.answer(slow_network)
    assert (messages(balcony), messages(chamber)) == ([], ["old 1", "old 2"])


def test_they_are_forgotten_when_they_are_on_their_way(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that dies between the two delivers them twice, and loses none."""
    happened: list[str] = []

    def noting(do: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments: happened.append(do.__name__) or do(*arguments)

    network.account(JULIET)
    network.say(network.client(SENDERS[0]), message("old"))
    monkeypatch.setattr(Session, "send", noting(Session.send))
    monkeypatch.setattr(MemoryOffline, "drop", noting(MemoryOffline.drop))
    become_available(network, f"{JULIET}/balcony")
    assert happened[-2:] == ["send", "drop"]


def test_a_connection_that_dies_unread_keeps_the_order_and_the_stamps(network: Network) -> None:
    network.account(JULIET)
    romeo = network.client("romeo@montague.lit/pda")
    network.say(romeo, message("old 1") + message("old 2"))
    network.advance(60)
    juliet = network.client(f"{JULIET}/balcony")
    juliet.reading = False
    network.say(romeo, message("x" * 100_000, to=f"{JULIET}/balcony"))  # fills her transport
    network.say(juliet, "<presence/>")
    network.say(romeo, message("new"))
    juliet.drop()
    network.settle()
    network.advance(60)
    juliet = become_available(network, f"{JULIET}/balcony")
    stamps = [child(stanza, "delay", DELAY).get("stamp") for stanza in juliet.stanzas[1:]]
    assert messages(juliet) == ["old 1", "old 2", "new"]
    assert stamps == ["2023-11-14T22:13:20.125Z", "2023-11-14T22:13:20.125Z", "2023-11-14T22:14:20.125Z"]
