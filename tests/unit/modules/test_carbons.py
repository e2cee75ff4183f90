"""Message Carbons (XEP-0280)."""

from __future__ import annotations

import pytest

from cluster.modules import carbons
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, FORWARD, STANZA_ID
from cluster.xmpp.stanza import Stanza
from tests.client import Client, child
from tests.network import MONTAGUE, Network

PDA, HOME = "romeo@montague.lit/pda", "romeo@montague.lit/home"
JULIET = "juliet@capulet.lit/balcony"
ENABLE = f"<iq type='set' id='e'><enable xmlns='{carbons.NS}'/></iq>"
DISABLE = f"<iq type='set' id='d'><disable xmlns='{carbons.NS}'/></iq>"
CHAT = "<message to='{to}' type='chat'><body>hi</body></message>"


def copying(network: Network, jid: str, *, priority: int = 0) -> Client:
    """An available client that gets carbons."""
    client = network.online(jid, priority=priority)
    network.say(client, ENABLE)
    assert client.take() == ["iq/result e"]
    return client


def copies(client: Client) -> list[tuple[str, Element]]:
    """What it got: `sent` or `received`, and the message in it; else `plain`."""
    stanzas, client.stanzas = client.stanzas, []
    return [_unwrap(client, stanza) for stanza in stanzas]


def _unwrap(client: Client, stanza: Element) -> tuple[str, Element]:
    if not stanza.tag.endswith("message"):
        return stanza.tag, stanza
    for direction in ("sent", "received"):
        wrapper = stanza.find(f"{{{carbons.NS}}}{direction}")
        if wrapper is not None:
            assert stanza.get("from") == str(client.jid.bare)  # sections 7 and 8
            assert stanza.get("to") == str(client.jid)
            message = child(child(wrapper, "forwarded", FORWARD), "message")
            assert message.get("type") == stanza.get("type")
            return direction, message
    return "plain", stanza


def directions(client: Client) -> list[str]:
    return [direction for direction, _ in copies(client)]


# --- sections 3 to 5


def test_it_is_discovered(network: Network) -> None:
    client = network.online(PDA)
    query = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
    network.say(client, f"<iq type='get' id='i' to='{MONTAGUE}'>{query}</iq>")
    features = {
        feature.get("var") for feature in client.stanzas[0].iter("{http://jabber.org/protocol/disco#info}feature")
    }
    assert carbons.NS in features


def test_it_can_be_switched_as_often_as_one_likes(network: Network) -> None:  # section 10.1
    home, juliet = network.online(HOME), network.online(JULIET)
    pda = network.online(PDA)
    for switch, expected in ((ENABLE * 2, ["received"]), (DISABLE * 2, []), (ENABLE, ["received"])):
        network.say(home, switch)
        assert all(line.startswith("iq/result") for line in home.take())
        network.say(juliet, CHAT.format(to=PDA))
        assert directions(home) == expected
    assert directions(pda) == ["plain"] * 3


def test_only_for_ones_own_account(network: Network) -> None:
    client = network.online(PDA)
    network.account(JULIET)
    network.say(client, ENABLE.replace("id='e'", "id='e' to='juliet@capulet.lit'"))
    assert client.take() == ["iq/error juliet@capulet.lit e: auth forbidden"]


# --- sections 7 and 8


def test_a_received_message_is_copied_to_the_others(network: Network) -> None:
    pda, home, third = copying(network, PDA), copying(network, HOME), network.online("romeo@montague.lit/third")
    juliet = network.online(JULIET)
    network.say(juliet, CHAT.format(to=PDA))
    assert directions(pda) == ["plain"]
    [(direction, message)] = copies(home)
    assert (direction, message.get("from"), message.get("to")) == ("received", JULIET, PDA)
    assert message.findtext(f"{{{CLIENT}}}body") == "hi"
    assert directions(third) == []  # it did not ask for carbons


def test_who_got_it_by_the_rules_gets_no_copy(network: Network) -> None:
    pda, home = copying(network, PDA), copying(network, HOME)
    away = copying(network, "romeo@montague.lit/away", priority=-1)
    juliet = network.online(JULIET)
    network.say(juliet, CHAT.format(to="romeo@montague.lit"))
    assert [directions(client) for client in (pda, home, away)] == [["plain"], ["plain"], ["received"]]


def test_a_sent_message_is_copied_to_the_others(network: Network) -> None:
    pda, home, third = network.online(PDA), copying(network, HOME), copying(network, "romeo@montague.lit/third")
    juliet = network.online(JULIET)
    network.say(pda, CHAT.format(to=JULIET))
    for client in (home, third):
        [(direction, message)] = copies(client)
        assert (direction, message.get("from"), message.get("to")) == ("sent", PDA, JULIET)
    assert directions(pda) == []
    assert directions(juliet) == ["plain"]


def test_within_a_domain_each_account_has_its_own_copies(network: Network) -> None:
    pda, home = copying(network, PDA), copying(network, HOME)
    square, street = "mercutio@montague.lit/square", "mercutio@montague.lit/street"
    receiver, other = copying(network, square), copying(network, street)
    network.say(pda, CHAT.format(to=square))
    assert [directions(client) for client in (pda, home, receiver, other)] == [[], ["sent"], ["plain"], ["received"]]


def test_what_one_sends_to_oneself_is_copied_once(network: Network) -> None:
    pda, home, third = copying(network, PDA), copying(network, HOME), copying(network, "romeo@montague.lit/third")
    network.say(pda, CHAT.format(to=HOME))
    assert [directions(client) for client in (pda, home, third)] == [[], ["plain"], ["received"]]


def test_a_message_for_later_is_copied_to_who_is_there_but_not_willing(network: Network) -> None:
    away, silent = copying(network, PDA, priority=-1), network.client(HOME)
    network.say(silent, ENABLE)
    silent.stanzas.clear()
    juliet = network.online(JULIET)
    network.say(juliet, CHAT.format(to="romeo@montague.lit"))
    assert directions(away) == ["received"]
    assert directions(silent) == []
    network.say(silent, "<presence/>")
    assert "plain" in directions(silent)  # from the offline store, and only from there


def test_a_copy_of_what_bounced_is_not_made(network: Network) -> None:
    home = copying(network, HOME)
    juliet = network.online(JULIET)
    network.say(juliet, CHAT.format(to="romeo@montague.lit/gone").replace("chat", "normal"))
    assert directions(home) == []
    assert juliet.take() == ["message/error romeo@montague.lit/gone: cancel service-unavailable"]


def test_the_copy_of_a_sent_message_bears_the_id_of_the_archive(network: Network) -> None:  # XEP-0313 section 3.4
    network.friends("romeo@montague.lit", "juliet@capulet.lit")
    pda, home, juliet = network.online(PDA), copying(network, HOME), network.online(JULIET)
    network.say(pda, CHAT.format(to=JULIET))
    [(_, message)] = copies(home)
    assert child(message, "stanza-id", STANZA_ID).get("by") == "romeo@montague.lit"
    [(_, received)] = copies(juliet)
    assert child(received, "stanza-id", STANZA_ID).get("by") == "juliet@capulet.lit"


# --- section 6.1

RECEIPT = "<received xmlns='urn:xmpp:receipts' id='1'/>"
MUC = "http://jabber.org/protocol/muc#user"


@pytest.mark.parametrize(
    ("kind", "content", "is_copied"),
    [
        ("chat", "<body>hi</body>", True),
        ("chat", "", True),
        ("normal", "<body>hi</body>", True),
        ("", "<body>hi</body>", True),
        ("odd", "<body>hi</body>", True),  # RFC 6121 section 5.2.2: as normal
        ("normal", "<subject>hi</subject>", False),
        ("normal", RECEIPT, True),
        ("normal", "<active xmlns='http://jabber.org/protocol/chatstates'/>", True),
        ("normal", "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", True),
        ("normal", "<x xmlns='jabber:x:conference' jid='room@rooms.lit'/>", True),
        ("headline", "<body>hi</body>", False),
        ("groupchat", "<body>hi</body>", False),
        ("chat", f"<body>hi</body><x xmlns='{MUC}'/>", True),
        # section 9
        ("chat", f"<body>hi</body><private xmlns='{carbons.NS}'/>", False),
        ("chat", "<body>hi</body><no-copy xmlns='urn:xmpp:hints'/>", False),
    ],
)
def test_which_messages_are_copied(network: Network, kind: str, content: str, is_copied: bool) -> None:
    pda, home = network.online(PDA), copying(network, HOME)
    written = f" type='{kind}'" if kind else ""
    network.say(pda, f"<message to='someone@elsinore.lit/x'{written}>{content}</message>")
    assert directions(home) == (["sent"] if is_copied else [])


def arrive(network: Network, raw: str) -> None:
    """This comes for romeo/pda from elsinore.lit."""
    tree = xml.parse(raw.encode())
    payloads = tuple(" ".join(xml.split(each.tag)) for each in tree)
    from_, to = Jid.parse(tree.get("from", "")), Jid.parse(PDA)
    network.abroad.send(Stanza("message", to, from_, None, tree.get("type"), payloads, raw.encode()))
    network.settle()


@pytest.mark.parametrize(
    ("from_", "kind", "content", "is_copied"),
    [
        ("a@elsinore.lit/x", "chat", "<body>hi</body>", True),
        ("room@elsinore.lit/nick", "chat", f"<body>psst</body><x xmlns='{MUC}'/>", False),  # a private message
        ("room@elsinore.lit", "normal", f"<x xmlns='{MUC}'><invite from='a@elsinore.lit'/></x>", True),
        ("room@elsinore.lit", "normal", f"<x xmlns='{MUC}'><status code='104'/></x>", False),
        ("room@elsinore.lit/nick", "groupchat", "<body>hi</body>", False),
        ("a@elsinore.lit", "error", "<body>hi</body><error type='cancel'/>", True),
        ("a@elsinore.lit", "error", "<error type='cancel'/>", False),
    ],
)
def test_which_received_messages_are_copied(
    network: Network, from_: str, kind: str, content: str, is_copied: bool
) -> None:
    pda, home = network.online(PDA), copying(network, HOME)
    arrive(network, f'<message from="{from_}" to="{PDA}" type="{kind}">{content}</message>')
    assert directions(home) == (["received"] if is_copied else [])
    assert directions(pda) == ["plain"]


def test_an_error_that_answers_a_copy_goes_nowhere(network: Network) -> None:  # section 10.3
    pda, home = network.online(PDA), copying(network, HOME)
    juliet = network.online(JULIET)
    network.say(juliet, CHAT.format(to=PDA))
    network.forget()
    network.say(home, "<message to='romeo@montague.lit' type='error'><error type='cancel'/></message>")
    assert [client.take() for client in (pda, home, juliet)] == [[], [], []]
