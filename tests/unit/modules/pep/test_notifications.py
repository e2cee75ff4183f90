"""Who is told of what an account publishes, and who gets the last item when (XEP-0163 section 4.3)."""

from __future__ import annotations

import pytest

from cluster.pubsub.errors import OWNER
from cluster.pubsub.events import ADDRESS
from tests.client import Client, child
from tests.network import CAPULET, Network
from tests.pubsub import Asked, Wanting, events
from tests.unit.modules.pep.people import JULIET, MOOD, NURSE, ROMEO, TUNE

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
    accounts.get = lambda localpart: (read.append(localpart), get(localpart))[1]
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
