"""Message Archive Management (XEP-0313): what is kept, with ids (XEP-0359) and preferences (XEP-0441)."""

from __future__ import annotations

import pytest

from cluster.xmpp import element as xml
from cluster.xmpp.extensions.rsm import RSM
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, DELAY, DELIVERY, FORWARD, MAM, STANZA_ID
from cluster.xmpp.stanza import Stanza
from tests.client import child
from tests.network import MONTAGUE, Network
from tests.unit.modules.archives import (
    JULIET,
    MERCUTIO,
    ROMEO,
    ask,
    bodies,
    chat,
    message_of,
    prefs,
    query,
    with_contacts,
)


@pytest.fixture
def friends(network: Network) -> Network:
    return with_contacts(network)


# --- section 3: what an archive is


def test_both_sides_of_a_conversation_are_kept_in_order(friends: Network) -> None:
    romeo, juliet = friends.online(ROMEO), friends.online(JULIET)
    friends.say(romeo, chat(JULIET, "1"))
    friends.advance(1)
    friends.say(juliet, chat(ROMEO, "2"))
    friends.say(romeo, chat(MERCUTIO, "3"))
    results, fin = query(friends, romeo, attributes=" queryid='f27'")
    assert [message_of(result).findtext(f"{{{CLIENT}}}body") for result in results] == ["1", "2", "3"]
    assert [message_of(result).get("from") for result in results] == [ROMEO, JULIET, ROMEO]
    assert [message_of(result).get("to") for result in results] == [JULIET, ROMEO, MERCUTIO]
    assert {result.get("queryid") for result in results} == {"f27"}
    stamps = [child(child(result, "forwarded", FORWARD), "delay", DELAY).get("stamp") for result in results]
    assert stamps == ["2023-11-14T22:13:20.125Z", "2023-11-14T22:13:21.125Z", "2023-11-14T22:13:21.125Z"]
    assert fin.get("complete") == "true"
    assert bodies(friends, juliet) == ["1", "2"]
    assert bodies(friends, friends.online(MERCUTIO)) == ["3"]


def test_an_empty_archive(friends: Network) -> None:
    results, fin = query(friends, friends.online(ROMEO))
    assert results == []
    assert fin.get("complete") == "true"
    assert [(each.tag, each.text) for each in child(fin, "set", RSM)] == [(f"{{{RSM}}}count", "0")]


@pytest.mark.parametrize("sender", [JULIET, MERCUTIO], ids=["another domain", "this domain"])
def test_a_message_bears_its_id_in_the_archive(friends: Network, sender: str) -> None:  # section 3.4
    romeo, other = friends.online(ROMEO), friends.online(sender)
    friends.say(other, chat(ROMEO, "hi"))
    stanza_id = child(romeo.stanzas[0], "stanza-id", STANZA_ID)
    assert stanza_id.get("by") == "romeo@montague.lit"
    [result], _ = query(friends, romeo)
    assert result.get("id") == stanza_id.get("id")


def test_what_one_sends_does_not_tell_its_id(friends: Network) -> None:  # section 3.4
    romeo, mercutio, juliet = friends.online(ROMEO), friends.online(MERCUTIO), friends.online(JULIET)
    friends.say(romeo, chat(MERCUTIO, "hi") + chat(JULIET, "hi"))
    for receiver in (mercutio, juliet):
        stanza_id = child(receiver.stanzas[0], "stanza-id", STANZA_ID)
        assert stanza_id.get("by") == str(receiver.jid.bare)
        [result], _ = query(friends, receiver)
        assert result.get("id") == stanza_id.get("id")
    results, _ = query(friends, romeo)
    kept = [child(message_of(result), "stanza-id", STANZA_ID) for result in results]
    assert [(each.get("by"), each.get("id")) for each in kept] == [
        ("romeo@montague.lit", result.get("id")) for result in results
    ]


FORGED = {
    by: f"<stanza-id xmlns='{STANZA_ID}' by='{by}' id='forged'/>"
    for by in ("romeo@montague.lit", "mercutio@montague.lit", "montague.lit")
} | {"a mark": f"<delivery xmlns='{DELIVERY}' id='forged'/>"}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_nobody_gives_ids_in_our_name(friends: Network, forged: str) -> None:  # XEP-0359 section 3
    romeo, mercutio = friends.online(ROMEO), friends.online(MERCUTIO)
    stranger = friends.online("tybalt@montague.lit/x")
    friends.say(mercutio, chat(ROMEO, "hi", forged))
    friends.say(stranger, chat(ROMEO, "hi", forged))
    friends.say(mercutio, chat(JULIET, "hi", forged))
    for stanza in romeo.stanzas:
        assert b"forged" not in xml.serialize(stanza)
    assert all(b"forged" not in stanza.raw for stanza in friends.abroad.stanzas)
    results, _ = query(friends, mercutio)
    assert all(b"forged" not in xml.serialize(result) for result in results)


def test_the_id_of_another_domain_stays(friends: Network) -> None:
    romeo, mercutio = friends.online(ROMEO), friends.online(MERCUTIO)
    theirs = f"<stanza-id xmlns='{STANZA_ID}' by='room@rooms.lit' id='theirs'/>"
    friends.say(mercutio, chat(ROMEO, "hi", theirs))
    ids = {each.get("by"): each.get("id") for each in romeo.stanzas[0].findall(f"{{{STANZA_ID}}}stanza-id")}
    assert ids["room@rooms.lit"] == "theirs"
    [result], _ = query(friends, romeo)
    assert result.get("id") == ids["romeo@montague.lit"]


# --- section 5.1: what is kept


@pytest.mark.parametrize(
    ("kind", "body", "more", "is_kept"),
    [
        ("chat", "hi", "", True),
        ("normal", "hi", "", True),
        ("chat", "", "<composing xmlns='http://jabber.org/protocol/chatstates'/>", False),
        ("normal", "", "<subject>hi</subject>", False),
        ("headline", "hi", "", False),
        ("groupchat", "hi", "", False),
        ("error", "hi", "<error type='cancel'/>", False),
        # XEP-0334 section 4
        ("chat", "hi", "<no-store xmlns='urn:xmpp:hints'/>", False),
        ("chat", "hi", "<no-permanent-store xmlns='urn:xmpp:hints'/>", False),
        ("chat", "", "<store xmlns='urn:xmpp:hints'/>", True),
        ("error", "", "<store xmlns='urn:xmpp:hints'/>", False),
    ],
)
def test_which_messages_are_kept(friends: Network, kind: str, body: str, more: str, is_kept: bool) -> None:
    romeo, juliet = friends.online(ROMEO), friends.online(JULIET)
    friends.say(romeo, chat(JULIET, body, more, kind))
    for client in (romeo, juliet):
        results, _ = query(friends, client)
        assert len(results) == is_kept


def test_an_id_of_the_archive_is_only_on_what_the_archive_has(friends: Network) -> None:  # section 3.5
    romeo, juliet, mercutio = friends.online(ROMEO), friends.online(JULIET), friends.online(MERCUTIO)
    for sender in (juliet, mercutio):
        for kind, more in (
            ("chat", "<composing xmlns='http://jabber.org/protocol/chatstates'/>"), ("groupchat", "<body>hi</body>"),
            ("chat", "<body>hi</body><no-store xmlns='urn:xmpp:hints'/>"), ("headline", "<body>hi</body>"),
            ("error", "<body>hi</body><error type='cancel'/>"), ("chat", "<body>hi</body>"),
        ):  # fmt: skip
            friends.say(sender, chat(ROMEO, "", more, kind))
    came = [*romeo.stanzas]
    ask(friends, romeo, "set", prefs("never"))
    friends.say(juliet, chat(ROMEO, "never kept"))
    came += romeo.stanzas
    shown = [each.get("id") for stanza in came for each in stanza.findall(f"{{{STANZA_ID}}}stanza-id")]
    results, _ = query(friends, romeo)
    assert [result.get("id") for result in results] == shown
    assert len(shown) == 2
    assert len(came) == 13


def test_by_default_strangers_are_kept_too(network: Network) -> None:
    romeo, juliet = network.online(ROMEO), network.online(JULIET)
    network.say(romeo, chat(JULIET, "hi"))
    assert bodies(network, romeo) == bodies(network, juliet) == ["hi"]


def test_a_mere_request_does_not_make_a_contact(network: Network) -> None:
    romeo, juliet = network.online(ROMEO), network.online(JULIET)
    ask(network, romeo, "set", prefs("roster"))
    network.say(juliet, "<presence to='romeo@montague.lit' type='subscribe'/>")
    network.say(juliet, chat(ROMEO, "hi"))
    assert bodies(network, romeo) == []


def test_many_resources_and_one_copy(friends: Network) -> None:
    romeo, home = friends.online(ROMEO), friends.online("romeo@montague.lit/home")
    juliet = friends.online(JULIET)
    friends.say(juliet, chat("romeo@montague.lit", "to both"))
    assert bodies(friends, romeo) == bodies(friends, home) == ["to both"]


def test_what_one_sends_to_oneself_is_kept_once(friends: Network) -> None:
    romeo = friends.online(ROMEO)
    friends.online("romeo@montague.lit/home")
    friends.say(romeo, chat("romeo@montague.lit/home", "note") + "<message type='chat'><body>to me</body></message>")
    assert bodies(friends, romeo) == ["note", "to me"]


def test_what_waits_offline_is_kept_too(friends: Network) -> None:
    juliet = friends.online(JULIET)
    friends.say(juliet, chat("romeo@montague.lit", "wake up"))
    romeo = friends.client(ROMEO)
    assert bodies(friends, romeo) == ["wake up"]
    romeo.stanzas.clear()
    friends.say(romeo, "<presence/>")
    waited = next(stanza for stanza in romeo.stanzas if stanza.tag.endswith("message"))
    [result], _ = query(friends, romeo)
    assert result.get("id") == child(waited, "stanza-id", STANZA_ID).get("id")


@pytest.mark.parametrize("to", ["romeo@montague.lit/gone", "nobody@montague.lit"])
def test_what_was_refused_is_not_kept_where_it_was(friends: Network, to: str) -> None:
    romeo, mercutio = friends.online(ROMEO), friends.online(MERCUTIO)
    friends.say(mercutio, chat(to, "hi", kind="normal"))
    assert mercutio.stanzas[0].get("type") == "error"
    assert bodies(friends, romeo) == []


def test_what_comes_again_over_a_link_is_kept_once(friends: Network) -> None:
    romeo = friends.online(ROMEO)
    raw = f'<message from="{JULIET}" to="{ROMEO}" type="chat"><body>hi</body></message>'.encode()
    stanza = Stanza("message", Jid.parse(ROMEO), Jid.parse(JULIET), None, "chat", (f"{CLIENT} body",), raw)
    server = friends.servers[MONTAGUE]
    restarted = Network(stores={MONTAGUE: server.store}).servers[MONTAGUE]  # or another process of the domain
    for domain in (server.domain, server.domain, restarted.domain):
        domain.routing.from_link(stanza, "capulet.lit:1-0:0")
    friends.settle()
    results, _ = query(friends, romeo)
    [id] = [result.get("id") for result in results]
    assert id
    assert "1-0" not in id  # section 3: nobody can guess it


def test_a_message_that_went_to_another_resource_is_kept_once(friends: Network) -> None:
    romeo, mercutio = friends.online(ROMEO), friends.online(MERCUTIO)
    romeo.reading = False
    friends.say(mercutio, chat(ROMEO, "x" * 100_000))
    friends.say(mercutio, chat(ROMEO, "unsent"))
    home = friends.online("romeo@montague.lit/home")
    romeo.drop()
    friends.settle()
    assert [line for line in home.take() if line.startswith("message")] == [f"message/chat {MERCUTIO}: unsent"]
    results, _ = query(friends, home)
    assert len(results) == 2


# --- section 6


def test_who_has_an_archive_says_so(friends: Network) -> None:
    romeo = friends.online(ROMEO)

    def features(to: str) -> set[str | None]:
        reply = ask(friends, romeo, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", to)
        return {each.get("var") for each in reply.iter("{http://jabber.org/protocol/disco#info}feature")}

    assert {MAM, f"{MAM}#extended", f"{MAM}#groupchat-field", STANZA_ID} <= features("romeo@montague.lit")
    assert MAM not in features(MONTAGUE)
    assert STANZA_ID in features(MONTAGUE)


def test_a_removed_account_leaves_nothing(friends: Network) -> None:
    romeo, juliet = friends.online(ROMEO), friends.online(JULIET)
    friends.say(juliet, chat(ROMEO, "hi"))
    assert bodies(friends, romeo) == ["hi"]
    friends.servers[MONTAGUE].domain.context.remove_account("romeo", lambda: None)
    friends.settle()
    assert bodies(friends, friends.online(ROMEO)) == []
    assert bodies(friends, juliet) == ["hi"]
