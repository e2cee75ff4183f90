"""RFC 6121 section 3: presence subscriptions, between two domains and in one."""

from __future__ import annotations

import pytest

from tests.conformance.rules import im
from tests.conformance.site import PASSWORD, Client, Site, befriend, new_name, presences, pushes, subscribe
from tests.conformance.wire import CLIENT, Element, Wire

APPROVAL = "{urn:xmpp:features:pre-approval}sub"
remote = pytest.mark.parametrize("remote", [False, True])


def pair(site: Site, remote: bool) -> tuple[Client, Client]:
    """Two online clients, of one domain or two."""
    return site.online(), site.online(site.there if remote else site.here)


def state(item: Element | None) -> tuple[str | None, str | None]:
    """Subscription and ask."""
    return (None, None) if item is None else (item.get("subscription"), item.get("ask"))


@im("3.1.1", "MUST", "A roster set and a subscription request are processed in either order.")
@pytest.mark.parametrize("set_first", [True, False])
def test_order_of_set_and_request(site: Site, set_first: bool) -> None:
    user, contact = pair(site, True)
    item = f"<item jid='{contact.bare}' name='Friend'/>"
    if set_first:
        user.set_item(item)
    user.subscription("subscribe", contact.bare)
    if not set_first:
        user.set_item(item)
    contact.presence_of("subscribe", user.bare)
    got = user.roster()[contact.bare]
    assert (got.get("name"), *state(got)) == ("Friend", "none", "subscribe")


@im("3.1.2", "MUST", "A request is stamped with the user's bare JID, and delivered or routed.")
@im("3.1.2", "SHOULD", "A request to a full JID is treated as one to the bare JID.")
@im("3.1.3", "SHOULD", "An inbound request to a full JID is treated as one to the bare JID.")
@im("8.5.3.2.2", "MUST", "A subscribe to a full JID that is gone is handled as section 3.1.3 says.")
@im("8.5.3.1", "MUST", "A subscribe to a full JID follows section 3.")
@remote
@pytest.mark.parametrize("suffix", ["", "/balcony", "{own}"])
def test_request(site: Site, remote: bool, suffix: str) -> None:
    user, contact = pair(site, remote)
    user.subscription("subscribe", contact.bare + suffix.format(own=f"/{contact.resource}"))
    request = contact.presence_of("subscribe", user.bare)
    assert request.get("to") == contact.bare


@im("3.1.2", "MUST", "After the request the contact is pushed to all interested resources: none, ask='subscribe'.")
@im("2.1.2.2", "SHOULD", "A pending request out is told by ask='subscribe'.")
@remote
def test_push_of_a_request(site: Site, remote: bool) -> None:
    user, contact = pair(site, remote)
    second = site.online(name=user.name)
    user.subscription("subscribe", contact.bare)
    for resource in (user, second):
        seen = pushes(resource.until(lambda s: bool(pushes([s]))))
        assert [(each.get("jid"), *state(each)) for each in seen] == [(contact.bare, "none", "subscribe")]


@im("3.1.2", "MUST", "A request that cannot be delivered is answered with an error.")
def test_request_to_nowhere(site: Site) -> None:
    user = site.online()
    user.subscription("subscribe", "somebody@nowhere.invalid")
    assert user.until(lambda s: s.get("type") == "error")[-1].get("from") == "somebody@nowhere.invalid"


@im("3.1.3", "MUST NOT", "A request is not approved on the contact's behalf; it waits for the contact.")
@im("3.1.3", "MUST", "It is sent to all available resources of the contact.")
@im("3.1.3", "MUST NOT", "Until it is approved the user is not in the contact's roster.")
@remote
def test_request_is_delivered(site: Site, remote: bool) -> None:
    user, contact = pair(site, remote)
    second = site.online(contact.domain, name=contact.name)
    user.subscription("subscribe", contact.bare)
    contact.presence_of("subscribe", user.bare)
    second.presence_of("subscribe", user.bare)
    assert ("subscribed" in {type for _, type in presences(contact.mark(user))}) is False
    assert user.bare not in contact.roster()


@im("3.1.3", "MUST", "Where the user is subscribed already, the contact's server answers with subscribed.")
@remote
def test_request_of_a_subscriber(site: Site, remote: bool) -> None:
    user, contact = pair(site, remote)
    subscribe(user, contact)
    user.mark(contact)
    user.subscription("subscribe", contact.bare)
    assert "subscribe" not in {type for _, type in presences(user.mark(contact))}
    assert state(user.roster()[contact.bare]) == ("to", None)


@im(
    "3.1.3",
    "MUST",
    "A request for a contact without available resource is kept whole, and delivered at the next login.",
)
@im("3.1.3", "MUST", "It is delivered at each login until the contact answers.")
@im("3.1.3", "MUST NOT", "Of several requests of one user no more than one is delivered.")
@remote
def test_request_while_offline(site: Site, remote: bool) -> None:
    user, domain = site.online(), site.there if remote else site.here
    name = site.account(domain)
    address = f"{name}@{domain.name}"
    for _ in range(3):
        user.send(
            f"<presence type='subscribe' to='{address}'><status>please</status><x xmlns='urn:example:x'/></presence>"
        )
    user.sync(address)
    for _ in range(2):
        contact = site.client(domain, name=name)
        contact.send("<presence/>")
        contact.presence_of(None, contact.jid)
        user.sync(address)
        seen = [s for s in contact.sync() + user.mark(contact) if s.get("type") == "subscribe"]
        if not seen:  # it came ahead of the echo
            contact.send("<presence type='unavailable'/><presence/>")
            seen = [contact.presence_of("subscribe", user.bare)]
        assert len(seen) == 1
        assert seen[0].findtext(f"{CLIENT}status") == "please"
        assert seen[0].find("{urn:example:x}x") is not None
        contact.close()
    answering = site.client(domain, name=name)
    answering.send("<presence/>")
    answering.subscription("unsubscribed", user.bare)
    user.until(lambda s: s.get("type") == "unsubscribed")
    last = site.client(domain, name=name)
    last.send("<presence/>")
    assert "subscribe" not in {type for _, type in presences(user.mark(last) + last.sync())}


@im("3.1.2", "SHOULD", "A request that nobody answers is sent again.")
@remote
def test_request_that_got_lost(site: Site, remote: bool) -> None:
    user, domain, name = site.online(), site.there if remote else site.here, new_name()
    user.subscription("subscribe", f"{name}@{domain.name}")
    user.sync(domain.name)
    with Wire(domain.address) as wire:
        wire.open(domain.name)
        wire.register(name, PASSWORD)
    contact = site.online(domain, name=name)
    again = site.online(name=user.name)
    assert again.jid != user.jid
    contact.presence_of("subscribe", user.bare)


@im("3.1.5", "MUST", "An approval is stamped with the contact's bare JID, and delivered or routed.")
@im("3.1.5", "MUST", "Then the contact's interested resources get a push: from.")
@im("3.1.5", "MUST", "Then the user gets current presence of each of the contact's available resources.")
@im("3.1.6", "MUST", "The approval is delivered to all interested resources of the user, ahead of the push.")
@im("3.1.6", "MUST", "The contact's presence is delivered to all available resources of the user.")
@im("3.1.6", "MUST", "The user's interested resources get a push: to.")
@remote
def test_approval(site: Site, remote: bool) -> None:
    user, contact = pair(site, remote)
    both = (contact, site.online(contact.domain, name=contact.name))
    user.subscription("subscribe", contact.bare)
    contact.presence_of("subscribe", user.bare)
    user.until(lambda s: bool(pushes([s])))
    contact.subscription("subscribed", user.bare)
    seen = contact.mark(user)
    order = [s.get("type") for s in seen if s.get("type") == "subscribed" or pushes([s])]
    assert order == ["subscribed", "set"]
    assert [state(each) for each in pushes(seen)] == [("to", None)]
    assert (contact.bare, "subscribed") in presences(seen)
    assert {sender for sender, type in presences(seen) if type is None} == {each.jid for each in both}
    for each in both:
        assert state(pushes(each.until(lambda s: bool(pushes([s]))))[-1]) == ("from", None)


@im("3.1.6", "MUST", "An approval that was not asked for is ignored.")
@im("3.2.3", "MUST", "A cancellation of what is not subscribed is ignored.")
@im("3.3.3", "MUST", "An unsubscribe of who is not subscribed is ignored.")
@remote
@pytest.mark.parametrize("type", ["subscribed", "unsubscribed", "unsubscribe"])
def test_what_nobody_asked_for(site: Site, remote: bool, type: str) -> None:
    user, contact = pair(site, remote)
    contact.subscription(type, user.bare)
    seen = contact.mark(user)
    assert presences(seen) == []
    assert pushes(seen) == []
    assert user.roster() == {}


@im("3.2.2", "MUST", "Before a cancellation the user gets unavailable from all online resources of the contact.")
@im("3.2.2", "MUST", "Then the cancellation, stamped with the contact's bare JID.")
@im("3.2.2", "MUST", "The contact's interested resources get a push.")
@im("3.2.3", "MUST", "It is delivered to the user's interested resources, ahead of the push.")
@im("3.2.3", "MUST", "The unavailable presence is delivered too.")
@remote
def test_cancellation(site: Site, remote: bool) -> None:
    user, contact = pair(site, remote)
    subscribe(user, contact)
    contact.mark(user)
    contact.sync()
    contact.subscription("unsubscribed", user.bare)
    seen = contact.mark(user)
    assert set(presences(seen, contact.bare)) == {(contact.jid, "unavailable"), (contact.bare, "unsubscribed")}
    assert [s.get("type") for s in seen if s.get("type") == "unsubscribed" or pushes([s])] == ["unsubscribed", "set"]
    assert [state(each) for each in pushes(seen)] == [("none", None)]
    assert [state(each) for each in pushes(contact.sync())] == [("none", None)]


@im("3.2.2", "MUST", "The unavailable presence is sent while the user is still subscribed: ahead of unsubscribed.")
@remote
def test_order_of_a_cancellation(site: Site, remote: bool) -> None:
    user, contact = pair(site, remote)
    subscribe(user, contact)
    contact.mark(user)
    contact.subscription("unsubscribed", user.bare)
    assert [type for _, type in presences(contact.mark(user), contact.bare)] == ["unavailable", "unsubscribed"]


@im("3.2.2", "SHOULD NOT", "A cancellation for who is not subscribed is not routed.")
@im("3.2.2", "MUST NOT", "No unavailable presence goes with it.")
@remote
def test_cancellation_for_a_stranger(site: Site, remote: bool) -> None:
    user, contact = pair(site, remote)
    contact.subscription("unsubscribed", user.bare)
    assert presences(contact.mark(user)) == []


@im("3.3.2", "MUST", "An unsubscribe is stamped with the bare JID, and delivered or routed.")
@im("3.3.2", "MUST", "The user's interested resources get a push.")
@im("3.3.3", "MUST", "It is delivered to the contact's interested resources, ahead of the push.")
@im("3.3.3", "MUST", "The contact's interested resources get a push.")
@remote
def test_unsubscribe(site: Site, remote: bool) -> None:
    user, contact = pair(site, remote)
    subscribe(user, contact)
    contact.mark(user)
    user.mark(contact)
    user.subscription("unsubscribe", contact.bare)
    seen = user.mark(contact)
    assert presences(seen) == [(user.bare, "unsubscribe")]
    assert [s.get("type") for s in seen if s.get("type") == "unsubscribe" or pushes([s])] == ["unsubscribe", "set"]
    assert [state(each) for each in pushes(seen)] == [("none", None)]
    assert [state(each) for each in pushes(contact.mark(user))] == [("none", None)]


@im("3.3.3", "defined", "The contact's server then sends unavailable presence of its available resources to the user.")
@remote
def test_presence_behind_an_unsubscribe(site: Site, remote: bool) -> None:
    user, contact = pair(site, remote)
    subscribe(user, contact)
    contact.mark(user)
    user.subscription("unsubscribe", contact.bare)
    user.mark(contact)
    assert (contact.jid, "unavailable") in presences(contact.mark(user))


@im("3.3.3", "MUST", "An unsubscribe takes back a request that was not answered.")
@remote
def test_request_that_is_taken_back(site: Site, remote: bool) -> None:
    user, domain = site.online(), site.there if remote else site.here
    name = site.account(domain)
    address = f"{name}@{domain.name}"
    user.subscription("subscribe", address)
    user.subscription("unsubscribe", address)
    user.sync(address)
    contact = site.client(domain, name=name)
    contact.send("<presence/>")
    contact.presence_of(None, contact.jid)
    assert presences(user.mark(contact), user.bare) == []


@im("3.4", "MUST", "A server that supports pre-approval advertises it.")
@im("3.4.2", "MUST", "A pre-approval is noted in the roster and pushed.")
@im("3.4.2", "MUST NOT", "It is not routed to the contact.")
@im("3.4.2", "MUST NOT", "The request of who was approved is not delivered.")
@im("3.4.2", "MUST", "It is answered with subscribed at once.")
@im("3.1.2", "MUST", "After the request the contact is pushed to all interested resources: none, ask='subscribe'.")
@im("3.2.2", "MUST", "unsubscribed takes a pre-approval back.")
@im("4.3.2", "MUST NOT", "An unauthorized probe does not cancel a pre-approval.")
@remote
@pytest.mark.parametrize("take_back", [False, True])
def test_pre_approval(site: Site, remote: bool, take_back: bool) -> None:
    wire, _ = site.authenticated()
    if wire.features.find(APPROVAL) is None:
        site.lacks("pre-approval is optional, and not on offer here")
    user, contact = pair(site, remote)
    contact.subscription("subscribed", user.bare)
    assert [each.get("jid") for each in pushes(contact.sync())] == [user.bare]
    user.send(f"<presence type='probe' to='{contact.bare}'/>")
    assert "subscribed" not in {type for _, type in presences(contact.mark(user))}
    user.mark(contact)
    if take_back:
        contact.subscription("unsubscribed", user.bare)
        contact.sync()
    user.subscription("subscribe", contact.bare)
    asked = "subscribe" in {type for _, type in presences(user.mark(contact))}
    assert asked is take_back
    if not take_back:
        user.presence_of("subscribed", contact.bare)
        assert state(contact.roster()[user.bare]) == ("from", None)
        assert state(user.roster()[contact.bare]) == ("to", None)


@im("2.1.2.1", "SHOULD", "A pre-approval is told by approved='true'.")
@im("3.4.2", "MUST", "The 'approved' flag is set to true.")
def test_approved(site: Site) -> None:
    wire, _ = site.authenticated()
    if wire.features.find(APPROVAL) is None:
        site.lacks("pre-approval is optional, and not on offer here")
    user, contact = pair(site, True)
    contact.subscription("subscribed", user.bare)
    assert [each.get("approved") for each in pushes(contact.sync())] == ["true"]


@im("3.4.2", "MUST", "subscribed to who is subscribed already is ignored.")
@remote
def test_second_approval(site: Site, remote: bool) -> None:
    user, contact = pair(site, remote)
    befriend(user, contact)
    user.sync()
    contact.sync()
    contact.subscription("subscribed", user.bare)
    assert presences(contact.mark(user)) == []
    assert pushes(contact.sync()) == []


@im("8.5.1", "MUST", "Subscription stanzas for no such user are ignored.")
@remote
@pytest.mark.parametrize("type", ["subscribed", "unsubscribe", "unsubscribed"])
def test_subscription_to_nobody(site: Site, remote: bool, type: str) -> None:
    user = site.online()
    nobody = f"{new_name()}@{(site.there if remote else site.here).name}"
    user.subscription(type, nobody)
    assert presences(user.sync(nobody)) == []
