"""The subscription handshake as its two sides see it (RFC 6121 section 3), in one domain and across two."""

from __future__ import annotations

import pytest

from cluster.server.im.roster import MAX_REQUEST_BYTES, MAX_REQUESTS
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import make
from tests.client import Client
from tests.network import Network
from tests.told import roster

ROMEO = "romeo@montague.lit"
ROSTER = "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>"


@pytest.fixture(params=["juliet@capulet.lit", "benvolio@montague.lit"], ids=["abroad", "at home"])
def contact(request: pytest.FixtureRequest) -> str:
    """Somebody of another domain, and somebody of the same."""
    return str(request.param)


def subscription(type: str, to: str) -> str:
    return f"<presence to='{to}' type='{type}'/>"


def shown_roster(network: Network, client: Client) -> str:
    client.take()
    network.say(client, ROSTER)
    [result] = client.stanzas
    client.take()
    return roster(result[0])


def test_the_handshake(network: Network, contact: str) -> None:
    romeo, other = network.online(f"{ROMEO}/pda"), network.online(f"{contact}/x")
    network.say(romeo, subscription("subscribe", contact))
    assert romeo.take() == [f"push {contact} none ask"]  # section 3.1.2
    assert other.take() == [f"presence/subscribe {ROMEO}"]  # section 3.1.3: no push for a stranger
    network.say(other, subscription("subscribed", ROMEO))
    assert other.take() == [f"push {ROMEO} from"]  # section 3.1.5
    assert romeo.take() == [  # section 3.1.6
        f"presence/subscribed {contact}",
        f"push {contact} to",
        f"presence {contact}/x",
    ]
    network.say(other, subscription("subscribe", ROMEO))
    network.say(romeo, subscription("subscribed", contact))
    assert other.take() == [f"push {ROMEO} from ask", f"presence/subscribed {ROMEO}", f"push {ROMEO} both",
                            f"presence {ROMEO}/pda"]  # fmt: skip
    romeo.take()
    assert shown_roster(network, romeo) == f"{contact} both"


def test_a_contact_that_had_approved_it_before(network: Network, contact: str) -> None:
    romeo, other = network.online(f"{ROMEO}/pda"), network.online(f"{contact}/x")
    network.say(other, subscription("subscribed", ROMEO))  # section 3.4
    assert other.take() == [f"push {ROMEO} none approved"]
    network.say(romeo, subscription("subscribe", contact))
    assert romeo.take() == [
        f"push {contact} none ask",  # section 3.1.2
        f"presence/subscribed {contact}",
        f"push {contact} to",
        f"presence {contact}/x",
    ]
    assert other.take() == [f"push {ROMEO} from"]


def test_a_refusal(network: Network, contact: str) -> None:
    romeo, other = network.online(f"{ROMEO}/pda"), network.online(f"{contact}/x")
    network.say(romeo, subscription("subscribe", contact))
    network.forget()
    network.say(other, subscription("unsubscribed", ROMEO))  # section 3.2.1
    assert other.take() == []
    assert romeo.take() == [f"presence/unsubscribed {contact}", f"push {contact} none"]
    assert network.item(contact, ROMEO) is None


def test_a_cancelled_subscription(network: Network, contact: str) -> None:
    network.friends(ROMEO, contact)
    romeo, other = network.online(f"{ROMEO}/pda"), network.online(f"{contact}/x")
    network.say(other, subscription("unsubscribed", ROMEO))  # section 3.2
    assert other.take() == [f"push {ROMEO} to"]
    assert romeo.take() == [
        f"presence/unavailable {contact}/x",
        f"presence/unsubscribed {contact}",
        f"push {contact} from",
    ]
    network.say(other, "<presence><show>away</show></presence>")
    assert romeo.take() == []


def test_an_ended_subscription(network: Network, contact: str) -> None:
    network.friends(ROMEO, contact)
    romeo, other = network.online(f"{ROMEO}/pda"), network.online(f"{contact}/x")
    network.say(romeo, subscription("unsubscribe", contact))  # section 3.3
    assert sorted(romeo.take()) == [f"presence/unavailable {contact}/x", f"push {contact} from"]
    assert other.take() == [f"presence/unsubscribe {ROMEO}", f"push {ROMEO} to"]


def test_a_request_waits_for_an_answer_through_every_login(network: Network, contact: str) -> None:
    network.account(contact)  # section 3.1.3
    romeo = network.online(f"{ROMEO}/pda")
    network.say(romeo, f"<presence to='{contact}' type='subscribe'><status>It is I</status></presence>")
    for resource in ("x", "y"):
        other = network.client(f"{contact}/{resource}")
        assert shown_roster(network, other) == ""  # section 2.1.2.2: a mere request is not in the roster
        network.say(other, "<presence/>")
        assert other.take() == [f"presence {contact}/{resource}", f"presence/subscribe {ROMEO}: It is I"]
        other.close()
        network.settle()
    other = network.online(f"{contact}/x")
    network.say(other, subscription("subscribed", ROMEO))
    assert romeo.take()[-1] == f"presence {contact}/x"
    other.close()
    network.settle()
    other = network.client(f"{contact}/z")
    network.say(other, "<presence/>")
    assert other.take() == [f"presence {contact}/z"]


def test_requests_that_wait_have_a_bound(network: Network, contact: str) -> None:
    network.account(contact)
    status = "<status>" + "x" * 20_000 + "</status>"
    strangers = [network.online(f"stranger{number}@montague.lit/x") for number in range(MAX_REQUESTS + 1)]
    for stranger in strangers:
        network.say(stranger, f"<presence to='{contact}' type='subscribe'>{status}</presence>")
    # RFC 6120 section 13.12
    told = [[line for line in stranger.take() if "error" in line] for stranger in strangers]
    assert told == [[]] * MAX_REQUESTS + [[f"presence/error {contact}: wait resource-constraint"]]
    other = network.client(f"{contact}/x")
    network.say(other, "<presence/>")
    kept = len(other.output)
    assert sorted(other.take()[1:]) == sorted(
        f"presence/subscribe stranger{number}@montague.lit" for number in range(MAX_REQUESTS)
    )
    assert kept < MAX_REQUESTS * MAX_REQUEST_BYTES
    network.say(other, subscription("subscribed", "stranger0@montague.lit"))  # there is room again
    other.take()
    network.say(strangers[-1], f"<presence to='{contact}' type='subscribe'/>")
    assert other.take() == [f"presence/subscribe {strangers[-1].jid.bare}"]


def test_a_request_that_was_stored_before_there_was_a_bound_stops_no_login(network: Network) -> None:
    for number in range(160):
        stranger = Jid.parse(f"stranger{number}@capulet.lit")
        status = Element("{jabber:client}status")
        status.text = "x" * 250_000
        asked = make("presence", from_=stranger, to=Jid.parse(ROMEO), type="subscribe", payload=[status])
        network.contact(ROMEO, str(stranger), pending_in=asked, listed=False)
    romeo = network.online(f"{ROMEO}/pda")
    network.say(romeo, subscription("subscribe", "juliet@capulet.lit"))  # none of them is a contact
    assert romeo.take() == ["push juliet@capulet.lit none ask"]


def test_approval_and_refusal_reach_an_account_that_is_away(network: Network, contact: str) -> None:
    romeo, other = network.online(f"{ROMEO}/pda"), network.online(f"{contact}/x")
    network.say(romeo, subscription("subscribe", contact))
    romeo.drop()
    network.say(other, subscription("subscribed", ROMEO))
    romeo = network.client(f"{ROMEO}/pda")
    assert shown_roster(network, romeo) == f"{contact} to"
    network.say(romeo, "<presence/>")
    assert romeo.take() == [f"presence {ROMEO}/pda", f"presence {contact}/x"]


def test_every_interested_resource_is_pushed_and_no_other(network: Network, contact: str) -> None:
    pda, phone = network.online(f"{ROMEO}/pda"), network.online(f"{ROMEO}/phone")
    unavailable = network.client(f"{ROMEO}/desk")
    network.say(unavailable, ROSTER)
    mute = network.online(f"{ROMEO}/mute", roster=False)
    network.forget()
    network.say(pda, subscription("subscribe", contact))
    push = [f"push {contact} none ask"]  # section 2.1.6
    assert (pda.take(), phone.take(), unavailable.take(), mute.take()) == (push, push, push, [])


def test_a_request_that_cannot_be_carried_comes_back(network: Network) -> None:
    romeo = network.online(f"{ROMEO}/pda")
    network.say(romeo, subscription("subscribe", "macbeth@inverness.lit"))
    assert romeo.take()[1] == "presence/error macbeth@inverness.lit: cancel remote-server-not-found"


def test_a_request_to_nobody_is_ignored(network: Network) -> None:
    romeo = network.online(f"{ROMEO}/pda")  # section 8.5.1
    for nobody in ("nobody@capulet.lit", "nobody@montague.lit"):
        network.say(romeo, "".join(subscription(type, nobody) for type in ("subscribe", "unsubscribe")))
        assert romeo.take() == [f"push {nobody} none ask", f"push {nobody} none"]


def test_removing_a_contact_ends_both_subscriptions(network: Network, contact: str) -> None:
    network.friends(ROMEO, contact)  # section 2.5.2
    romeo, other = network.online(f"{ROMEO}/pda"), network.online(f"{contact}/x")
    network.say(
        romeo,
        "<iq type='set' id='1'><query xmlns='jabber:iq:roster'>"
        f"<item jid='{contact}' subscription='remove'/></query></iq>",
    )
    assert other.take() == [
        f"presence/unavailable {ROMEO}/pda",
        f"presence/unsubscribed {ROMEO}",
        f"push {ROMEO} from",
        f"presence/unsubscribe {ROMEO}",
        f"push {ROMEO} none",
    ]
    assert sorted(romeo.take()) == ["iq/result 1", f"presence/unavailable {contact}/x", f"push {contact} remove"]
    assert network.item(ROMEO, contact) is None


def test_removing_a_contact_that_asks_refuses_it(network: Network, contact: str) -> None:
    # Appendix A knows no way from a pending request to nothing but `unsubscribed`: else the contact waits for ever
    romeo, other = network.online(f"{ROMEO}/pda"), network.online(f"{contact}/x")
    network.say(romeo, subscription("subscribe", contact))
    network.say(other, subscription("subscribe", ROMEO))
    network.forget()
    network.say(
        romeo,
        "<iq type='set' id='1'><query xmlns='jabber:iq:roster'>"
        f"<item jid='{contact}' subscription='remove'/></query></iq>",
    )
    assert other.take() == [
        f"presence/unsubscribed {ROMEO}",
        f"push {ROMEO} none",
        f"presence/unsubscribe {ROMEO}",
        f"push {ROMEO} none",
    ]
    item = network.item(contact, ROMEO)
    assert item is not None
    assert (item.pending_in, item.pending_out) == (None, False)


def test_the_full_jid_of_a_contact_counts_as_its_bare_one(network: Network, contact: str) -> None:
    romeo, other = network.online(f"{ROMEO}/pda"), network.online(f"{contact}/x")
    network.say(romeo, subscription("subscribe", f"{contact}/x"))
    assert romeo.take() == [f"push {contact} none ask"]
    assert other.stanzas[0].get("to") == contact
