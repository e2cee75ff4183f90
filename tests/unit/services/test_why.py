"""What `xmpplab why` says of stanzas to rooms and to publish-subscribe nodes: reasons, and how many copies arrived."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cluster.pubsub.errors import PUBSUB
from cluster.trace.hop import Hop
from cluster.trace.why import Explanation, explain
from cluster.xmpp.extensions.muc import MUC, OWNER
from tests.client import Client
from tests.network import MONTAGUE, Network
from tests.pubsub import Wanting, publication
from tests.unit.services.pubsub.stage import PUBSUB_DOMAIN, Stage
from tests.unit.services.rooms.play import BENVOLIO, JULIET, ROMEO, SERVICE, VERONA, Play


def explained(network: Network, client: Client, what: str) -> Explanation:
    """The client says this; what became of it."""
    journals = [server.journal for server in network.servers.values()]
    for journal in journals:
        journal.clear()
    network.say(client, what)
    network.advance(0.1)
    hops = [hop for journal in journals for hop in journal]
    first = next(hop for hop in hops if hop.from_ == str(client.jid))
    return explain(_of(hops, first.trace_id), {})


def _of(hops: list[Hop], trace_id: str) -> list[Hop]:
    return sorted((hop for hop in hops if hop.trace_id == trace_id), key=lambda hop: hop.at_utc_ns)


def text(to: str = VERONA, type: str = "groupchat") -> str:
    return f"<message to='{to}' type='{type}'><body>hi</body></message>"


def enter(nick: str = "juliet", room: str = VERONA, inner: str = "") -> str:
    return f"<presence to='{room}/{nick}'><x xmlns='{MUC}'>{inner}</x></presence>"


# --- rooms


def nothing(play: Play, romeo: Client, juliet: Client) -> None:
    pass


def inside(play: Play, romeo: Client, juliet: Client) -> None:
    play.enter(juliet, "juliet")


def configured(**config: str) -> Callable[[Play, Client, Client], None]:
    def configure(play: Play, romeo: Client, juliet: Client) -> None:
        play.configure(romeo, **config)

    return configure


def moderated(play: Play, romeo: Client, juliet: Client) -> None:
    play.configure(romeo, moderatedroom="1")
    inside(play, romeo, juliet)


def banned(play: Play, romeo: Client, juliet: Client) -> None:
    play.admin(romeo, f"affiliation='outcast' jid='{juliet.jid.bare}'")


def full(play: Play, romeo: Client, juliet: Client) -> None:
    play.configure(romeo, maxusers="1")


def locked(play: Play, romeo: Client, juliet: Client) -> None:
    play.enter(romeo, "romeo", f"mantua@{SERVICE}")


@pytest.mark.parametrize(
    ("before", "said", "reason"),
    [
        (nothing, text(), "not-in-room"),
        (nothing, text(f"{VERONA}/romeo", "chat"), "not-in-room"),
        (nothing, text(f"padua@{SERVICE}"), "no-room"),
        (locked, enter(room=f"mantua@{SERVICE}"), "no-room"),
        (inside, text(f"{VERONA}/tybalt", "chat"), "no-occupant"),
        (moderated, text(), "no-voice"),
        (inside, f"<message to='{VERONA}' type='groupchat'><subject>x</subject></message>", "room-forbids"),
        (banned, enter(), "banned"),
        (configured(membersonly="1"), enter(), "members-only"),
        (configured(passwordprotectedroom="1", roomsecret="x"), enter(), "room-password"),
        (configured(passwordprotectedroom="1", roomsecret="x"), enter(inner="<password>y</password>"), "room-password"),
        (nothing, enter("romeo"), "nick-taken"),
        (nothing, enter("ROMEO"), "nick-taken"),
        (full, enter(), "room-full"),
        (inside, f"<iq to='{VERONA}' type='get' id='1'><query xmlns='{OWNER}'/></iq>", "refused"),
    ],
)  # fmt: skip
def test_what_a_room_refuses_has_its_reason(
    before: Callable[[Play, Client, Client], None], said: str, reason: str
) -> None:
    play = Play()
    romeo, juliet = play.online(ROMEO), play.online(JULIET)
    play.create(romeo, "romeo", persistentroom="1")
    before(play, romeo, juliet)
    answer = explained(play.network, juliet, said)
    assert (answer.outcome, answer.reason) == ("bounced", reason)
    assert answer.rule
    assert answer.remedy


def test_a_service_that_is_full_of_rooms() -> None:
    play = Play(max_rooms=1)
    play.enter(play.online(ROMEO), "romeo")
    answer = explained(play.network, play.online(JULIET), enter(room=f"padua@{SERVICE}"))
    assert (answer.outcome, answer.reason) == ("bounced", "too-many-rooms")


def test_what_is_said_has_arrived_when_all_copies_have() -> None:
    play = Play()
    romeo, benvolio, juliet = play.online(ROMEO), play.online(BENVOLIO), play.online(JULIET)
    play.create(romeo, "romeo", persistentroom="1")
    for client in (benvolio, juliet):
        play.enter(client, client.jid.localpart)
    answer = explained(play.network, romeo, text())
    assert (answer.outcome, answer.reason, answer.where) == ("delivered", "", "capulet.lit")
    assert answer.what.startswith("3 of 3 copies arrived, the last after ")
    play.network.links.is_linked = lambda from_, to: (from_, to) != (MONTAGUE, "capulet.lit")
    answer = explained(play.network, romeo, text())
    assert (answer.outcome, answer.reason) == ("delivered", "no-link")
    assert answer.what.startswith("2 of 3 copies arrived, the last after ")
    assert f"the one for {JULIET}" in answer.what


def test_a_copy_that_is_under_way_is_waited_for() -> None:
    play = Play(acknowledge_after_s=0.0)
    romeo, juliet = play.online(ROMEO), play.online(JULIET)
    play.create(romeo, "romeo", persistentroom="1")
    play.enter(juliet, "juliet")
    hops = play.network.servers[MONTAGUE].journal
    hops.clear()
    romeo.send(text())
    play.network.settle()
    first = next(hop for hop in hops if hop.from_ == ROMEO)
    answer = explain(_of(hops, first.trace_id), {})  # without the hops of the other domain
    assert (answer.outcome, answer.reason) == ("waits", "on-its-way")
    assert answer.what.startswith("1 of 2 copies arrived")


def test_what_newcomers_get_of_the_history_is_no_copy_of_what_was_followed() -> None:
    play = Play()
    romeo = play.online(ROMEO)
    play.create(romeo, "romeo", persistentroom="1")
    said = explained(play.network, romeo, text())
    play.enter(play.online(BENVOLIO), "benvolio")
    assert not any(
        hop.trace_id == said.trace_id and hop.to == BENVOLIO for hop in play.network.servers[MONTAGUE].journal
    )


def test_a_room_that_another_node_takes_over_is_waited_for() -> None:
    play = Play()
    play.network.add_node("s1-2")
    romeo, benvolio = play.online(ROMEO), play.network.online(BENVOLIO, at="s1-2")
    play.create(romeo, "romeo", persistentroom="1")
    play.enter(benvolio, "benvolio")
    play.network.crash(MONTAGUE)
    held = play.network.servers["s1-2"].nodes
    held.inherit = lambda node: None  # it takes its time
    play.network.advance(3.5)
    answer = explained(play.network, benvolio, text())
    assert (answer.outcome, answer.reason) == ("waits", "service-moves")
    assert "which was at montague.lit" in answer.what


# --- publish-subscribe


def pubsub(inner: str, to: str = PUBSUB_DOMAIN, ns: str = PUBSUB) -> str:
    return f"<iq to='{to}' type='set' id='1'><pubsub xmlns='{ns}'>{inner}</pubsub></iq>"


SUBSCRIBE = "<subscribe node='news' jid='juliet@capulet.lit'/>"


@pytest.mark.parametrize(
    ("config", "said", "reason"),
    [
        ({}, pubsub("<subscribe node='olds' jid='juliet@capulet.lit'/>"), "no-node"),
        ({}, pubsub(publication("olds", "a")), "no-node"),
        ({}, pubsub(publication("news", "a")), "no-access"),
        ({"access_model": "whitelist"}, pubsub(SUBSCRIBE), "no-access"),
        ({}, pubsub("<delete node='news'/>", ns=f"{PUBSUB}#owner"), "no-access"),
        ({"publish_model": "open"}, pubsub(publication("news", "a", access_model="whitelist")), "precondition-not-met"),
        ({}, pubsub("<subscribe node='news' jid='romeo@montague.lit'/>"), "refused"),
    ],
)
def test_what_a_node_refuses_has_its_reason(config: dict[str, str], said: str, reason: str) -> None:
    stage = Stage()
    stage.ask.create(stage.romeo, "news", **config)
    answer = explained(stage.network, stage.juliet, said)
    assert (answer.outcome, answer.reason) == ("bounced", reason)
    assert answer.remedy


def test_a_publication_has_arrived_when_all_are_notified() -> None:
    stage = Stage()
    stage.ask.create(stage.romeo, "news")
    for client in (stage.juliet, stage.benvolio):
        stage.ask.subscribe(client, "news")
    answer = explained(stage.network, stage.romeo, pubsub(publication("news", "a")))
    assert answer.outcome == "delivered"
    assert answer.what.startswith("2 of 2 copies arrived")


def test_a_contact_whose_client_does_not_ask_for_it_is_named() -> None:
    network = Network()
    network.friends("romeo@montague.lit", "juliet@capulet.lit")
    romeo = network.online(ROMEO)
    wanting = Wanting(network, JULIET, "http://jabber.org/protocol/tune")
    wanting.come()
    network.advance(1)
    answer = explained(
        network, romeo, f"<iq type='set' id='1'><pubsub xmlns='{PUBSUB}'>{publication('mood', 'a')}</pubsub></iq>"
    )
    noted = [each for each in answer.decisions if each.reason == "not-asked-for"]
    assert len(noted) == 2  # Juliet's client, and Romeo's own
    assert all("no mood+notify" in each.what and "NODE+notify" in each.remedy for each in noted)
