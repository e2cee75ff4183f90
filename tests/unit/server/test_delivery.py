"""Delivery to local accounts (RFC 6121 section 8.5): each case as a play with real streams, at home and from abroad."""

from __future__ import annotations

import pytest

from cluster.server.im.delivery import MESSAGE_RULES, Action, Situation
from cluster.trace.hop import Event
from tests.client import Client
from tests.network import CAPULET, MONTAGUE, Network

TYPES = ("normal", "chat", "groupchat", "headline", "error")
BARE, FULL = "juliet@capulet.lit", "juliet@capulet.lit/balcony"
GONE = "juliet@capulet.lit/garden"
SENDERS = {"at home": "nurse@capulet.lit/house", "abroad": "romeo@montague.lit/pda"}

RFC: dict[Situation, dict[str, Action]] = {
    # section 8.5.1: error for a message to nobody; 8.3.1 of RFC 6120: never an error for an error
    Situation.NO_ACCOUNT: dict.fromkeys(TYPES[:3], Action.BOUNCE) | dict.fromkeys(TYPES[3:], Action.IGNORE),
    # section 8.5.2.2.1
    Situation.BARE_NOBODY: {
        "normal": Action.STORE, "chat": Action.STORE, "groupchat": Action.BOUNCE,
        "headline": Action.IGNORE, "error": Action.IGNORE,
    },
    # section 8.5.2.1.1
    Situation.BARE_SOMEBODY: {
        "normal": Action.BEST, "chat": Action.BEST, "groupchat": Action.BOUNCE,
        "headline": Action.ALL, "error": Action.IGNORE,
    },
    # section 8.5.3.2.1: normal, groupchat and headline are bounced or ignored, chat is treated as to the bare JID
    Situation.FULL_NOBODY: {
        "normal": Action.BOUNCE, "chat": Action.STORE, "groupchat": Action.BOUNCE,
        "headline": Action.IGNORE, "error": Action.IGNORE,
    },
    Situation.FULL_SOMEBODY: {
        "normal": Action.BOUNCE, "chat": Action.BEST, "groupchat": Action.BOUNCE,
        "headline": Action.IGNORE, "error": Action.IGNORE,
    },
}  # fmt: skip
CELLS = [(situation, type) for situation in Situation for type in TYPES]


def message(to: str, type: str | None = "chat", text: str = "hi") -> str:
    attribute = f" type='{type}'" if type else ""
    return f"<message to='{to}'{attribute}><body>{text}</body></message>"


@pytest.fixture(params=list(SENDERS))
def sender(request: pytest.FixtureRequest, network: Network) -> Client:
    """Who writes to Juliet: somebody of her domain, and somebody of another."""
    return network.client(SENDERS[request.param])


def test_the_table_is_the_rfcs() -> None:
    assert MESSAGE_RULES == RFC


def _in_situation(network: Network, situation: Situation) -> tuple[str, list[Client]]:
    """The address to write to, and Juliet's resources: two of the highest priority, one lower, one negative."""
    if situation is Situation.NO_ACCOUNT:
        return "nobody@capulet.lit", []
    resources = []
    network.account(BARE)
    if situation in (Situation.BARE_SOMEBODY, Situation.FULL_SOMEBODY):
        for name, priority in (("balcony", 5), ("chamber", 5), ("hall", 1), ("crypt", -1)):
            resources.append(network.online(f"{BARE}/{name}", priority=priority))
    return (BARE if situation in (Situation.BARE_NOBODY, Situation.BARE_SOMEBODY) else GONE), resources


@pytest.mark.parametrize(("situation", "type"), CELLS)
def test_each_cell(network: Network, sender: Client, situation: Situation, type: str) -> None:
    action = RFC[situation][type]
    to, resources = _in_situation(network, situation)
    network.say(sender, message(to, type))
    hi = [f"message/{type} {sender.jid}: hi"]
    reached = {Action.BEST: [hi, hi, [], []], Action.ALL: [hi, hi, hi, []]}.get(action, [[]] * 4)
    assert [resource.take() for resource in resources] == reached[: len(resources)]
    bounced = [f"message/error {to}: cancel service-unavailable"] if action is Action.BOUNCE else []
    assert sender.take() == bounced
    stored = [hop.event for hop in network.servers[CAPULET].journal].count(Event.STORED)
    assert stored == (action is Action.STORE)
    late = network.client(f"{BARE}/late")
    network.say(late, "<presence><priority>9</priority></presence>")
    assert [line for line in late.take() if "message" in line] == (hi if action is Action.STORE else [])


@pytest.mark.parametrize("type", [None, "invitation"])
def test_no_type_and_an_unknown_type_count_as_normal(network: Network, sender: Client, type: str | None) -> None:
    juliet = network.online(FULL)  # RFC 6121 section 5.2.2
    network.say(sender, message(BARE, type) + message(GONE, type))
    kind = f"message/{type}" if type else "message"
    assert juliet.take() == [f"{kind} {sender.jid}: hi"]
    assert sender.take() == [f"message/error {GONE}: cancel service-unavailable"]


@pytest.mark.parametrize("type", TYPES)
def test_a_full_jid_reaches_its_resource_whatever_its_priority(network: Network, sender: Client, type: str) -> None:
    # RFC 6121 section 8.5.3.1: also a connected resource that is not available
    connected = network.client(FULL)
    crypt = network.online(f"{BARE}/crypt", priority=-1)
    other = network.online(f"{BARE}/chamber", priority=7)
    network.say(sender, message(FULL, type, "1") + message(f"{BARE}/crypt", type, "2"))
    assert connected.take() == [f"message/{type} {sender.jid}: 1"]
    assert crypt.take() == [f"message/{type} {sender.jid}: 2"]
    assert other.take() == []
    assert sender.take() == []


def test_only_negative_priorities_are_as_nobody(network: Network, sender: Client) -> None:
    crypt = network.online(f"{BARE}/crypt", priority=-1)  # RFC 6121 section 8.5.2.1.1
    network.say(sender, message(BARE) + message(BARE, "headline") + message(GONE))
    assert crypt.take() == []
    juliet = network.client(FULL)
    network.say(juliet, "<presence/>")
    assert juliet.take()[-2:] == [f"message/chat {sender.jid}: hi"] * 2


def test_a_connected_resource_without_presence_gets_nothing_for_the_bare_jid(network: Network, sender: Client) -> None:
    juliet = network.client(FULL)
    network.say(sender, message(BARE))
    assert juliet.take() == []


def test_a_changed_priority_counts_from_then_on(network: Network, sender: Client) -> None:
    balcony, chamber = network.online(FULL, priority=2), network.online(f"{BARE}/chamber", priority=1)
    network.say(chamber, "<presence><priority>3</priority></presence>")
    for resource in (balcony, chamber):
        resource.take()
    network.say(sender, message(BARE))
    assert (balcony.take(), chamber.take()) == ([], [f"message/chat {sender.jid}: hi"])


def test_order_is_kept_between_two(network: Network, sender: Client) -> None:
    juliet = network.online(FULL)  # RFC 6120 section 10.1
    network.say(sender, "".join(message(FULL if n % 3 else BARE, "chat", str(n)) for n in range(50)))
    assert juliet.take() == [f"message/chat {sender.jid}: {n}" for n in range(50)]


def test_a_message_without_to_is_for_the_senders_own_account(network: Network) -> None:
    pda, phone = network.client("romeo@montague.lit/pda"), network.online("romeo@montague.lit/phone")
    network.say(pda, "<message type='chat'><body>note to self</body></message>")  # RFC 6120 section 10.3.1
    assert phone.take() == ["message/chat romeo@montague.lit/pda: note to self"]
    network.say(pda, message("romeo@montague.lit"))
    assert phone.take() == ["message/chat romeo@montague.lit/pda: hi"]


@pytest.mark.parametrize("domain", [MONTAGUE, CAPULET, "capulet.lit/console"])
def test_a_message_to_a_domain_comes_back(network: Network, domain: str) -> None:
    romeo = network.client("romeo@montague.lit/pda")  # RFC 6120 section 10.5.1
    network.say(romeo, message(domain) + message(domain, "error"))
    assert romeo.take() == [f"message/error {domain}: cancel service-unavailable"]


@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
def test_a_domain_that_nobody_serves(network: Network, kind: str) -> None:
    romeo = network.client("romeo@montague.lit/pda")  # RFC 6120 section 10.4
    content = "<ping xmlns='urn:xmpp:ping'/>" if kind == "iq" else ""
    type = " type='get'" if kind == "iq" else ""
    network.say(romeo, f"<{kind} id='1' to='macbeth@inverness.lit'{type}>{content}</{kind}>")
    [said] = romeo.take()
    assert said.startswith(f"{kind}/error macbeth@inverness.lit")
    assert said.endswith("cancel remote-server-not-found")
