"""Personal eventing (XEP-0163): who is told of what an account publishes, and when."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from twisted.internet.task import Clock

from cluster.host.disco import ITEMS
from cluster.pubsub import audience, interests
from cluster.pubsub.errors import OWNER, PUBSUB
from cluster.pubsub.events import ADDRESS
from cluster.server import questions
from cluster.server.questions import ANSWER_TIMEOUT_S, Questions
from cluster.store.limits import Limit, Limits
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions.caps import CAPS, INFO, Capabilities
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, make
from tests.client import Client, child
from tests.network import CAPULET, Network, at_once, watched_log
from tests.phone import Phone, managed, resume
from tests.pubsub import Asked, Wanting, events, form, publication
from tests.unit.server.test_anonymous import Guest

TUNE, MOOD = "http://jabber.org/protocol/tune", "http://jabber.org/protocol/mood"
JULIET, ROMEO, NURSE = "juliet@capulet.lit", "romeo@montague.lit", "nurse@capulet.lit"


@pytest.fixture
def network() -> Iterator[Network]:
    """Juliet and Romeo see each other, and so do Juliet and the nurse, of her own domain."""
    network = Network()
    network.friends(JULIET, ROMEO)
    network.friends(JULIET, NURSE)
    with watched_log() as failures:
        yield network
    assert not failures


@pytest.fixture
def juliet(network: Network) -> Client:
    return network.online(f"{JULIET}/balcony")


@pytest.fixture
def ask(network: Network) -> Asked:
    return Asked(network)


# --- who is told (sections 4.1 to 4.3)


def test_contacts_of_both_domains_and_ones_own_resources_are_told_if_they_want_to(
    network: Network, ask: Asked, juliet: Client
) -> None:
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    nurse = Wanting(network, f"{NURSE}/chamber", TUNE, MOOD, software="other").come()
    own = Wanting(network, f"{JULIET}/chamber", MOOD, software="third").come()
    network.forget()
    ask.publish(juliet, TUNE, "1")
    ask.publish(juliet, MOOD, "2", "<mood xmlns='http://jabber.org/protocol/mood'><happy/></mood>")
    assert romeo.told() == [f"{TUNE}: +1 p"]
    assert nurse.told() == [f"{TUNE}: +1 p", f"{MOOD}: +2 mood"]
    assert own.told() == [f"{MOOD}: +2 mood"]
    assert events(juliet) == []


def test_a_notification_is_from_the_account_to_the_resource(network: Network, ask: Asked, juliet: Client) -> None:
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    ask.publish(juliet, TUNE, "1")
    network.advance(0.1)
    message = romeo.client.stanzas[-1]
    assert (message.get("from"), message.get("to"), message.get("type")) == (JULIET, f"{ROMEO}/orchard", "headline")
    [address] = child(message, "addresses", ADDRESS)
    assert address.attrib == {"type": "replyto", "jid": f"{JULIET}/balcony"}  # section 4.3.1


def test_who_does_not_see_the_presence_never_learns_the_resource(network: Network, ask: Asked, juliet: Client) -> None:
    tybalt = Wanting(network, "tybalt@capulet.lit/x", TUNE).come(to=JULIET)
    ask.publish(juliet, TUNE, "1", access_model="open")
    network.advance(0.1)
    assert f"{JULIET}/balcony".encode() not in tybalt.client.output
    assert tybalt.told() == [f"{TUNE}: +1 p"]


def test_nothing_is_sent_to_who_sent_no_capabilities(network: Network, ask: Asked, juliet: Client) -> None:
    romeo = network.online(f"{ROMEO}/orchard")
    ask.publish(juliet, TUNE, "1")
    network.advance(0.1)
    assert events(romeo) == []


def test_who_is_gone_is_told_no_more(network: Network, ask: Asked, juliet: Client) -> None:
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    romeo.leave()
    ask.publish(juliet, TUNE, "1")
    assert romeo.told() == []


def test_a_blocked_contact_is_not_told(network: Network, ask: Asked, juliet: Client) -> None:
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    network.say(juliet, f"<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='{ROMEO}'/></block></iq>")
    ask.publish(juliet, TUNE, "1")
    assert romeo.told() == []


def test_what_is_retracted_and_deleted_is_told_too(network: Network, ask: Asked, juliet: Client) -> None:
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    ask.publish(juliet, TUNE, "1")
    ask.done(juliet, f"<retract node='{TUNE}'><item id='1'/></retract>")
    ask.done(juliet, f"<delete node='{TUNE}'/>", ns=OWNER)
    assert romeo.told() == [f"{TUNE}: +1 p", f"{TUNE}: -1", f"{TUNE} delete"]


def test_a_new_item_of_a_node_with_one_takes_the_place_of_the_old_one_without_a_word(
    network: Network, ask: Asked, juliet: Client
) -> None:
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    ask.publish(juliet, TUNE, "1")
    ask.publish(juliet, TUNE, "2")
    assert romeo.told() == [f"{TUNE}: +1 p", f"{TUNE}: +2 p"]
    assert ask.items(juliet, TUNE) == ["2"]


# --- the last item (section 4.3.4)


def test_who_comes_gets_the_last_item_once_its_capabilities_are_known_and_not_before(
    network: Network, ask: Asked, juliet: Client
) -> None:
    ask.publish(juliet, TUNE, "1")
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come(answering=False)
    assert romeo.told() == []
    romeo.answer()
    assert romeo.told() == [f"{TUNE}: +1 p (late)"]
    romeo.come()
    network.say(romeo.client, f"<presence><show>away</show>{romeo.caps()}</presence>")
    assert romeo.told() == []  # it was available already
    romeo.leave()
    romeo.come()
    assert romeo.told() == [f"{TUNE}: +1 p (late)"]


def test_the_owner_need_not_be_there(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1")
    network.say(juliet, "</stream:stream>")
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    assert romeo.told() == [f"{TUNE}: +1 p (late)"]
    network.online(f"{JULIET}/balcony")  # she asks for the presence of her contacts
    assert romeo.told() == []


def test_ones_own_resource_gets_the_last_item(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1", access_model="whitelist")
    own = Wanting(network, f"{JULIET}/chamber", TUNE).come()
    assert own.told() == [f"{TUNE}: +1 p (late)"]


def test_who_wants_more_gets_what_is_new_to_it(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1")
    ask.publish(juliet, MOOD, "2")
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    assert romeo.told() == [f"{TUNE}: +1 p (late)"]
    romeo.want(TUNE, MOOD)
    romeo.come()
    assert romeo.told() == [f"{MOOD}: +2 p (late)"]


def test_who_is_subscribed_from_now_on_gets_the_last_item(network: Network, ask: Asked, juliet: Client) -> None:
    paris = Wanting(network, "paris@montague.lit/x", TUNE)
    ask.publish(juliet, TUNE, "1")
    network.say(juliet, "<presence type='subscribe' to='paris@montague.lit'/>")
    paris.come()
    network.say(paris.client, f"<presence type='subscribed' to='{JULIET}'/>")
    network.advance(0.1)
    while paris.answer():
        pass
    assert paris.told() == []  # Juliet sees him now, but he does not see her
    network.say(paris.client, f"<presence type='subscribe' to='{JULIET}'/>")
    network.advance(0.1)
    network.say(juliet, "<presence type='subscribed' to='paris@montague.lit'/>")
    assert paris.told() == [f"{TUNE}: +1 p (late)"]


@pytest.mark.parametrize("when", ["never", "on_sub"])
def test_the_last_item_is_not_sent_where_the_node_says_so(
    network: Network, ask: Asked, juliet: Client, when: str
) -> None:
    ask.publish(juliet, TUNE, "1", send_last_published_item=when)
    assert Wanting(network, f"{ROMEO}/orchard", TUNE).come().told() == []


def test_who_may_read_from_now_on_gets_the_last_item(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1", access_model="whitelist")
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    own = Wanting(network, f"{JULIET}/chamber", TUNE).come()
    assert (romeo.told(), own.told()) == ([], [f"{TUNE}: +1 p (late)"])
    ask.configure(juliet, TUNE, access_model="presence")
    assert (romeo.told(), own.told()) == ([f"{TUNE}: +1 p (late)"], [])


def test_nothing_is_read_of_an_offline_account_that_has_no_nodes(network: Network, ask: Asked) -> None:
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    accounts = network.servers[CAPULET].store.accounts
    read: list[str] = []
    get = accounts.get
    accounts.get = lambda localpart: (read.append(localpart), get(localpart))[1]  # type: ignore[method-assign]
    for show in ("away", "dnd"):
        network.say(romeo.client, f"<presence><show>{show}</show>{romeo.caps()}</presence>")
        network.advance(0.1)
    romeo.leave()
    assert read == []
    juliet = network.online(f"{JULIET}/balcony")
    ask.publish(juliet, TUNE, "1")
    network.say(juliet, "</stream:stream>")
    romeo.come()
    assert romeo.told() == [f"{TUNE}: +1 p (late)"]


# --- capabilities (XEP-0115, XEP-0390)


def test_one_client_of_each_hash_is_asked(network: Network, juliet: Client) -> None:
    first = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    second = Wanting(network, f"{NURSE}/chamber", TUNE).come()
    again = Wanting(network, f"{ROMEO}/garden", TUNE).come()
    assert first.asked == [f"http://test#{first.ver}"] * 2  # by Juliet's server, and by Romeo's own
    assert (second.asked, again.asked) == ([], [])


def test_those_who_come_meanwhile_wait_for_the_same_answer(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1")
    first = Wanting(network, f"{NURSE}/one", TUNE).come(answering=False)
    second = Wanting(network, f"{NURSE}/two", TUNE).come(answering=False)
    assert second.answer() == 0
    first.answer()
    assert first.told() == second.told() == [f"{TUNE}: +1 p (late)"]


def test_a_hash_that_is_not_that_of_the_answer_says_nothing_of_others(
    network: Network, ask: Asked, juliet: Client
) -> None:
    ask.publish(juliet, TUNE, "1")
    ask.publish(juliet, MOOD, "2")
    liar = Wanting(network, f"{NURSE}/chamber", MOOD)
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE)
    liar.ver = romeo.ver
    liar.come()
    assert liar.told() == [f"{MOOD}: +2 p (late)"]
    romeo.come()
    assert romeo.asked != []
    assert romeo.told() == [f"{TUNE}: +1 p (late)"]


def test_who_does_not_answer_keeps_nobody_waiting_for_ever(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1")
    silent = Wanting(network, f"{NURSE}/one", TUNE).come(answering=False)
    second = Wanting(network, f"{NURSE}/two", TUNE).come(answering=False)
    network.advance(ANSWER_TIMEOUT_S)
    assert second.answer() > 0
    assert second.told() == [f"{TUNE}: +1 p (late)"]
    silent.answer()  # too late
    assert silent.told() == []


def test_who_answered_too_late_is_asked_again_when_it_sends_presence_again(
    network: Network, ask: Asked, juliet: Client
) -> None:
    ask.publish(juliet, TUNE, "1")
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come(answering=False)
    romeo.come(answering=False)
    network.advance(ANSWER_TIMEOUT_S)
    assert romeo.answer() == 2  # of both its contact and its own account, and no more for its second presence
    assert romeo.told() == []
    romeo.come()
    assert romeo.told() == [f"{TUNE}: +1 p (late)"]
    romeo.come()
    assert len(romeo.asked) == 4


def test_of_many_who_are_gone_each_is_asked_without_an_end() -> None:
    clock, learned, numbers = Clock(), list[str](), itertools.count()
    juliet = Jid.parse(JULIET)

    def route(question: Stanza) -> None:
        assert question.to is not None
        if question.to.resourcepart.startswith("gone"):
            questions.answered(question.error(StanzaError(Condition.SERVICE_UNAVAILABLE)))

    questions = Questions(route, lambda: str(next(numbers)), clock)
    known = interests.Interests(questions.ask)
    said = Capabilities("node#hash", "sha-1", "hash")
    for name in ("silent", *(f"gone{number}" for number in range(2_000)), "last"):
        known.learn(juliet, Jid.parse(f"{NURSE}/{name}"), said, lambda wanted, name=name: learned.append(name))
    clock.advance(ANSWER_TIMEOUT_S)
    for _ in range(2_001):
        clock.advance(0)
    query = Element(f"{{{INFO}}}query")
    last = Jid.parse(f"{NURSE}/last")
    questions.answered(make("iq", from_=last, to=juliet, id="2001", type="result", payload=[query]))
    clock.advance(0)
    assert learned == ["last"]


def test_an_answer_of_somebody_else_does_not_count(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1")
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come(answering=False)
    asked = [each for each in romeo.client.stanzas if each.find(f"{{{INFO}}}query") is not None]
    [question] = [each for each in asked if each.get("from") == JULIET]
    mercutio = network.client("mercutio@montague.lit/x")
    forged = f"<query xmlns='{INFO}'><feature var='{MOOD}+notify'/></query>"
    network.say(mercutio, f"<iq type='result' id='{question.get('id')}' to='{JULIET}'>{forged}</iq>")
    network.advance(0.1)
    romeo.answer()
    assert romeo.told() == [f"{TUNE}: +1 p (late)"]


def test_capabilities_of_old_clients_count_for_each_alone(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1")
    for place in ("one", "two"):
        old = Wanting(network, f"{NURSE}/{place}", TUNE)
        old.caps = lambda: "<c xmlns='http://jabber.org/protocol/caps' node='http://old' ver='1.0'/>"  # type: ignore[method-assign]
        old.come()
        assert set(old.asked) == {""}
        assert old.told() == [f"{TUNE}: +1 p (late)"]


def test_capabilities_of_the_second_kind(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1")
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE, software="BombusMod")
    # printf 'http://jabber.org/protocol/disco#info\x1fhttp://jabber.org/protocol/tune+notify\x1f\x1c'\
    # 'client\x1fpc\x1f\x1fBombusMod\x1f\x1e\x1c\x1c' | openssl dgst -binary -sha256 | openssl base64
    hash = "ZDhkolNBS/jChCTTRXHq9xReYpVlfpZL4DDv1Fh/uWo="
    romeo.caps = lambda: (  # type: ignore[method-assign]
        f"<c xmlns='urn:xmpp:caps'><hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>{hash}</hash></c>"
    )
    romeo.come()
    assert set(romeo.asked) == {f"urn:xmpp:caps#sha-256.{hash}"}
    assert romeo.told() == [f"{TUNE}: +1 p (late)"]


def test_what_is_remembered_of_hashes_is_bounded(
    network: Network, juliet: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interests, "MAX_CACHED", 1)
    first = Wanting(network, f"{NURSE}/one", TUNE).come()
    Wanting(network, f"{NURSE}/two", MOOD).come()
    first.leave()
    first.come()
    assert len(first.asked) == 2


@pytest.mark.parametrize("whose", [interests, questions])
def test_a_client_that_keeps_on_changing_its_capabilities_is_in_nobodys_way(
    network: Network, ask: Asked, juliet: Client, monkeypatch: pytest.MonkeyPatch, whose: object
) -> None:
    monkeypatch.setattr(whose, "MAX_WAITING" if whose is interests else "MAX_ASKED", 3)
    tybalt = network.online("tybalt@capulet.lit/x")
    for number in range(5):
        caps = f"<c xmlns='{CAPS}' hash='sha-1' node='n' ver='{number}'/>"
        network.say(tybalt, f"<presence to='{JULIET}'>{caps}</presence>")
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    ask.publish(juliet, TUNE, "1")
    assert romeo.told() == [f"{TUNE}: +1 p"]
    network.advance(ANSWER_TIMEOUT_S)
    ask.publish(juliet, TUNE, "2")
    assert romeo.told() == [f"{TUNE}: +2 p"]


def test_who_waits_for_an_answer_to_one_hash_is_bounded(
    network: Network, ask: Asked, juliet: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interests, "MAX_WAITING", 2)
    clients = [Wanting(network, f"servant{number}@capulet.lit/x", TUNE) for number in range(4)]
    for client in clients:
        client.come(to=JULIET, answering=False)
    assert [client.answer() for client in clients] == [1, 0, 0, 0]
    ask.publish(juliet, TUNE, "1", access_model="open")
    assert [client.told() for client in clients] == [[f"{TUNE}: +1 p"], [], [], [f"{TUNE}: +1 p"]]


def test_strangers_take_no_room_from_those_who_see_the_presence(
    network: Network, ask: Asked, juliet: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience, "MAX_STRANGERS", 1)
    ask.publish(juliet, TUNE, "1", access_model="open")
    one = Wanting(network, "tybalt@capulet.lit/1", TUNE).come(to=JULIET)
    two = Wanting(network, "tybalt@capulet.lit/2", TUNE).come(to=JULIET)
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    assert [each.told() for each in (one, two, romeo)] == [[f"{TUNE}: +1 p (late)"], [], [f"{TUNE}: +1 p (late)"]]
    one.leave()
    two.leave()
    two.come(to=JULIET)
    assert two.told() == [f"{TUNE}: +1 p (late)"]


def test_the_listeners_of_an_account_are_bounded(
    network: Network, ask: Asked, juliet: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience, "MAX_OF_ACCOUNT", 2)  # Juliet's own resource is one of them
    first = Wanting(network, f"{NURSE}/one", TUNE).come()
    second = Wanting(network, f"{NURSE}/two", TUNE).come()
    ask.publish(juliet, TUNE, "1")
    assert (first.told(), second.told()) == ([f"{TUNE}: +1 p"], [])


# --- access models (XEP-0060 section 4.5)


def test_strangers_have_nothing_of_a_node_for_those_who_see_the_presence(
    network: Network, ask: Asked, juliet: Client
) -> None:
    ask.publish(juliet, TUNE, "1")
    tybalt = Wanting(network, "tybalt@capulet.lit/x", TUNE).come(to=JULIET)
    assert tybalt.told() == []
    required = "auth not-authorized presence-subscription-required"
    assert ask.refused(tybalt.client, f"<items node='{TUNE}'/>", type="get", to=JULIET) == required
    request = f"<subscribe node='{TUNE}' jid='tybalt@capulet.lit'/>"
    assert ask.refused(tybalt.client, request, to=JULIET) == required
    assert ask.refused(tybalt.client, publication(TUNE), to=JULIET) == "auth forbidden"
    romeo = network.online(f"{ROMEO}/orchard")
    assert ask.items(romeo, TUNE, to=JULIET) == ["1"]


def test_strangers_cannot_tell_an_account_from_none(network: Network, ask: Asked, juliet: Client) -> None:
    tybalt = network.online("tybalt@capulet.lit/x")
    for request, type in (("<items node='x'/>", "get"), ("<subscriptions/>", "get"), (publication("x"), "set")):
        answers = {ask.refused(tybalt, request, type=type, to=to) for to in (JULIET, "nobody@capulet.lit")}
        assert answers == {"cancel service-unavailable"}


def test_an_open_node_is_for_everybody(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1", access_model="open")
    stranger = Wanting(network, "mercutio@montague.lit/x", TUNE)
    assert ask.items(stranger.client, TUNE, to=JULIET) == ["1"]
    stranger.come(to=JULIET)  # XEP-0060 section 9.1.3
    assert stranger.told() == [f"{TUNE}: +1 p (late)"]
    network.say(stranger.client, f"<presence to='{JULIET}' type='unavailable'/>")
    ask.publish(juliet, TUNE, "2")
    assert stranger.told() == []


def test_a_node_for_a_group_of_the_roster(network: Network, ask: Asked, juliet: Client) -> None:
    item = f"<item jid='{ROMEO}'><group>Friends</group></item>"
    network.say(juliet, f"<iq type='set' id='r'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
    ask.publish(juliet, TUNE, "1", access_model="roster", roster_groups_allowed="Friends|Family")
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    nurse = Wanting(network, f"{NURSE}/chamber", TUNE).come()
    assert (romeo.told(), nurse.told()) == ([f"{TUNE}: +1 p (late)"], [])
    error = "auth not-authorized not-in-roster-group"
    assert ask.refused(nurse.client, f"<items node='{TUNE}'/>", type="get", to=JULIET) == error
    network.say(
        juliet, f"<iq type='set' id='r'><query xmlns='jabber:iq:roster'>{item.replace('Friends', 'x')}</query></iq>"
    )
    ask.publish(juliet, TUNE, "2")
    assert romeo.told() == []
    network.say(juliet, f"<iq type='set' id='r'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
    assert romeo.told() == [f"{TUNE}: +2 p (late)"]
    both = item.replace("</item>", "<group>Family</group></item>")
    network.say(juliet, f"<iq type='set' id='r'><query xmlns='jabber:iq:roster'>{both}</query></iq>")
    assert romeo.told() == []


def test_a_node_for_its_owner_and_those_on_its_list(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1", access_model="whitelist")
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    assert (
        ask.refused(romeo.client, f"<items node='{TUNE}'/>", type="get", to=JULIET) == "cancel not-allowed closed-node"
    )
    ask.affiliate(juliet, TUNE, ROMEO, "member")
    ask.publish(juliet, TUNE, "2")
    assert romeo.told() == [f"{TUNE}: +2 p"]
    assert ask.items(romeo.client, TUNE, to=JULIET) == ["2"]


def test_an_owner_approves_who_subscribes_to_its_account(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1", access_model="authorize")
    tybalt = network.online("tybalt@capulet.lit/x")
    assert ask.subscribe(tybalt, TUNE, to=JULIET) == "pending"
    [question] = [each for each in juliet.stanzas if each.find("{jabber:x:data}x") is not None]
    assert (question.get("from"), question.get("to")) == (JULIET, JULIET)
    shown = form(f"{PUBSUB}#subscribe_authorization", node=TUNE, subscriber_jid="tybalt@capulet.lit", allow="1")
    network.say(juliet, f"<message to='{JULIET}' id='{question.get('id')}'>{shown}</message>")
    assert events(tybalt) == [f"{TUNE} tybalt@capulet.lit subscribed", f"{TUNE}: +1 p (late)"]


# --- explicit subscriptions (section 4.3.2)


def test_who_subscribes_by_itself_is_told_without_capabilities(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1", access_model="open")
    mercutio = network.online("mercutio@montague.lit/x")
    assert ask.subscribe(mercutio, TUNE, to=JULIET) == "subscribed"
    ask.publish(juliet, TUNE, "2")
    network.advance(0.1)
    assert events(mercutio) == [f"{TUNE}: +1 p (late)", f"{TUNE}: +2 p"]


def test_who_is_told_by_its_presence_is_not_told_twice(network: Network, ask: Asked, juliet: Client) -> None:
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    ask.done(juliet, f"<create node='{TUNE}'/>")
    ask.subscribe(romeo.client, TUNE, to=JULIET)
    ask.subscribe(romeo.client, TUNE, f"{ROMEO}/orchard", to=JULIET)
    ask.publish(juliet, TUNE, "1")
    assert romeo.told() == [f"{TUNE}: +1 p"]


def test_who_loses_access_loses_its_subscription(network: Network, ask: Asked, juliet: Client) -> None:
    ask.done(juliet, f"<create node='{TUNE}'/>")
    romeo = network.online(f"{ROMEO}/orchard")
    ask.subscribe(romeo, TUNE, to=JULIET)
    network.say(juliet, f"<presence type='unsubscribed' to='{ROMEO}'/>")
    ask.publish(juliet, TUNE, "1")
    network.advance(0.1)
    assert events(romeo) == [f"{TUNE} {ROMEO} none"]
    assert len(ask.done(juliet, f"<subscriptions node='{TUNE}'/>", type="get", ns=OWNER)[0]) == 0


# --- the account and its nodes


def disco(network: Network, client: Client, namespace: str, node: str = "") -> Element | str:
    """What is said of Juliet's account, or of a node of it."""
    named = f" node='{node}'" if node else ""
    client.stanzas.clear()
    network.say(client, f"<iq type='get' id='d' to='{JULIET}'><query xmlns='{namespace}'{named}/></iq>")
    network.advance(0.1)
    [reply] = [each for each in client.stanzas if each.get("id") == "d"]
    return reply[0] if reply.get("type") == "result" else "error"


def test_an_account_says_that_it_is_a_service(network: Network, ask: Asked, juliet: Client) -> None:
    for client in (juliet, network.online(f"{ROMEO}/orchard")):
        query = disco(network, client, INFO)
        assert isinstance(query, Element)
        identities = [(each.get("category"), each.get("type")) for each in query.findall(f"{{{INFO}}}identity")]
        assert ("pubsub", "pep") in identities
        features = {each.get("var") for each in query.findall(f"{{{INFO}}}feature")}
        wanted = ("auto-create", "auto-subscribe", "filtered-notifications", "publish-options", "pubsub-on-a-jid")
        assert {f"{PUBSUB}#{name}" for name in wanted} <= features


def test_each_finds_the_nodes_that_are_for_it(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1")
    ask.publish(juliet, "open", "2", access_model="open")
    ask.publish(juliet, "mine", "3", access_model="whitelist")
    found = {}
    for jid in (f"{JULIET}/chamber", f"{ROMEO}/orchard", "tybalt@capulet.lit/x"):
        client = network.online(jid)
        items = disco(network, client, ITEMS)
        assert isinstance(items, Element)
        found[jid] = [each.get("node") for each in items if each.get("node")]
        for node in ("open", TUNE, "mine"):
            described, listed = disco(network, client, INFO, node), disco(network, client, ITEMS, node)
            if node in found[jid]:
                assert isinstance(described, Element)
                assert isinstance(listed, Element)
                assert described.get("node") == listed.get("node") == node
                assert described[0].get("type") == "leaf"
                assert len(listed) == 1
            else:
                assert described == "error"
                assert listed == "error" or len(listed) == 0
    assert found == {
        f"{JULIET}/chamber": [TUNE, "open", "mine"],
        f"{ROMEO}/orchard": [TUNE, "open"],
        "tybalt@capulet.lit/x": ["open"],
    }


def test_only_the_account_creates_nodes(network: Network, ask: Asked, juliet: Client) -> None:
    romeo = network.online(f"{ROMEO}/orchard")
    assert ask.refused(romeo, "<create node='x'/>", to=JULIET) == "auth forbidden"
    assert ask.refused(romeo, publication("x"), to=JULIET) == "cancel item-not-found"


def test_the_bytes_of_an_account_are_bounded() -> None:
    network = Network(limits=Limits(pubsub=Limit(2, 10_000)))
    ask, juliet = Asked(network), network.online(f"{JULIET}/balcony")
    ask.publish(juliet, "one", "1", f"<p xmlns='p'>{'x' * 9_000}</p>")
    refused = ask.refused(juliet, publication("two", "2", f"<p xmlns='p'>{'x' * 9_000}</p>"))
    assert refused == "wait resource-constraint max-items-exceeded"
    assert ask.refused(juliet, publication("three", "3")) == "wait resource-constraint max-nodes-exceeded"


def test_nodes_go_with_their_account(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1")
    network.say(juliet, "<iq type='set' id='x'><query xmlns='jabber:iq:register'><remove/></query></iq>")
    network.settle()
    again = network.online(f"{JULIET}/balcony")
    assert ask.refused(again, f"<items node='{TUNE}'/>", type="get") == "cancel item-not-found"
    assert at_once(network.servers[CAPULET].store.pubsub.load("juliet")) == {}


def test_after_a_crash_everybody_is_told_again(network: Network) -> None:
    juliet = managed(network, f"{JULIET}/balcony")
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()

    def publish(by: Phone, id: str) -> None:
        network.say(by, f"<iq type='set' id='{id}'><pubsub xmlns='{PUBSUB}'>{publication(TUNE, id)}</pubsub></iq>")
        network.advance(0.1)
        while romeo.answer():
            pass

    publish(juliet, "1")
    assert romeo.told() == [f"{TUNE}: +1 p"]
    network.kill(CAPULET)
    network.start(CAPULET)
    again = resume(network, f"{JULIET}/balcony", juliet.sm_id, juliet.handled)
    publish(again, "2")
    assert romeo.told() == [f"{TUNE}: +2 p (late)"]
    publish(again, "3")
    assert romeo.told() == [f"{TUNE}: +3 p"]


def test_an_account_at_another_node_is_told_and_tells(network: Network, ask: Asked) -> None:
    network.add_node("s2-2", CAPULET)
    juliet = network.online(f"{JULIET}/balcony", at="s2-2")
    nurse = Wanting(network, f"{NURSE}/chamber", TUNE).come()
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    for client in (nurse, romeo):
        client.told()
    ask.publish(juliet, TUNE, "1")
    assert (nurse.told(), romeo.told()) == ([f"{TUNE}: +1 p"], [f"{TUNE}: +1 p"])
    network.say(juliet, "</stream:stream>")
    nurse.leave()
    nurse.come()
    assert nurse.told() == [f"{TUNE}: +1 p (late)"]


def test_an_anonymous_account_has_no_nodes() -> None:
    network = Network(anonymous=True)
    guest = Guest(network)
    asked = guest.say(f"<iq type='get' id='1'><pubsub xmlns='{PUBSUB}'><items node='x'/></pubsub></iq>")
    assert "service-unavailable" in asked
