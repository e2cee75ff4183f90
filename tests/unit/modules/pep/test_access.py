"""The access models of the nodes of an account (XEP-0060 section 4.5)."""

from __future__ import annotations

from cluster.pubsub.errors import PUBSUB
from tests.client import Client
from tests.network import Network
from tests.pubsub import Asked, Wanting, events, form, publication
from tests.unit.modules.pep.people import JULIET, NURSE, ROMEO, TUNE


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
