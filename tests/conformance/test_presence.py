"""RFC 6121 section 4: presence, its probes and directed presence."""

from __future__ import annotations

import pytest

from tests.conformance.rules import im
from tests.conformance.site import Client, Site, befriend, presences, subscribe
from tests.conformance.wire import CLIENT, Element, error_of

remote = pytest.mark.parametrize("remote", [False, True])


def friends(site: Site, remote: bool) -> tuple[Client, Client]:
    """Two online clients that see each other; nothing is on its way."""
    user, contact = site.online(), site.online(site.there if remote else site.here)
    befriend(user, contact)
    user.sync()
    contact.sync()
    return user, contact


def sequel(client: Client, sender: Client) -> list[tuple[str | None, str | None]]:
    """The presences that a client got from another one's account by now."""
    return presences(sender.mark(client), sender.bare)


@im("4.2.2", "MUST", "Initial presence goes from the full JID to all subscribers.")
@im("4.2.3", "MUST", "It is delivered to all available resources of the contact.")
@remote
def test_initial_presence(site: Site, remote: bool) -> None:
    user, contact = friends(site, remote)
    second = site.online(contact.domain, name=contact.name)
    user.mark(second)
    newcomer = site.client(name=user.name)
    newcomer.send("<presence id='first'><show>away</show></presence>")
    for resource in (contact, second):
        seen = resource.presence_of(None, newcomer.jid)
        assert (seen.get("id"), seen.findtext(f"{CLIENT}show")) == ("first", "away")


@im("4.2.2", "MUST", "Initial presence is broadcast to all the user's available resources, also to itself.")
def test_own_resources_see_initial_presence(site: Site) -> None:
    first = site.online()
    second = site.client(name=first.name)
    second.send("<presence/>")
    second.presence_of(None, second.jid)
    first.presence_of(None, second.jid)


@im("4.2.2", "MUST", "The user's contacts are probed: their presence comes after initial presence.")
@im("4.3.1", "SHOULD", "A probe is sent when a presence session starts.")
@im("4.3.2", "MUST", "A probe is answered with the full last presence of each available resource.")
@im("4.3.2.1", "SHOULD", "The answers keep the 'id' of the contact's presence.")
@remote
def test_probes(site: Site, remote: bool) -> None:
    user, contact = friends(site, remote)
    second = site.online(contact.domain, name=contact.name)
    contact.send("<presence id='mine'><show>dnd</show><status>busy</status><x xmlns='urn:example:x'/></presence>")
    contact.mark(user)
    newcomer = site.client(name=user.name)
    newcomer.send("<presence/>")
    seen: dict[str | None, Element] = {}
    while not {contact.jid, second.jid} <= seen.keys():
        stanza = newcomer.read()
        seen[stanza.get("from")] = stanza
    full = seen[contact.jid]
    assert (full.get("id"), full.findtext(f"{CLIENT}show"), full.findtext(f"{CLIENT}status")) == ("mine", "dnd", "busy")
    assert full.find("{urn:example:x}x") is not None


@im("4.3", "MUST NOT", "A probe that a client sends is no reason for an error.")
@im("4.3", "SHOULD", "It is routed, or processed, and answered.")
@remote
def test_probe_of_a_client(site: Site, remote: bool) -> None:
    user, contact = friends(site, remote)
    user.send(f"<presence type='probe' to='{contact.bare}'/>")
    assert user.presence_of(None, contact.jid).get("type") is None
    assert user.sync() == []


@im("4.3.2", "SHOULD", "A probe by who is not subscribed, or of nobody, gets unsubscribed.")
@im("4.3.2", "MUST", "It comes from the bare JID, so that no presence leaks.")
@im("8.5.1", "MUST", "A probe of no such user is ignored or gets unsubscribed.")
@remote
@pytest.mark.parametrize("exists", [True, False])
def test_probe_by_a_stranger(site: Site, remote: bool, exists: bool) -> None:
    stranger = site.online()
    domain = site.there if remote else site.here
    asked = site.online(domain).bare if exists else f"nobody@{domain.name}"
    stranger.send(f"<presence type='probe' to='{asked}'/>")
    # unsubscribed is for the stranger's bare JID, and is not delivered to who has no subscription (section 3.2.3)
    assert set(presences(stranger.sync(asked))) <= {(asked, "unsubscribed")}


@im("4.3.2", "MUST NOT", "A probe of a full JID tells of no other resource.")
@im("4.3.2", "MUST", "A probe of a full JID that is available is answered, where the subscription allows it.")
@remote
def test_probe_of_a_full_jid(site: Site, remote: bool) -> None:
    user, contact = friends(site, remote)
    second = site.online(contact.domain, name=contact.name)
    second.mark(user)
    user.send(f"<presence type='probe' to='{contact.jid}'/>")
    user.presence_of(None, contact.jid)
    assert presences(second.mark(user), contact.bare) == []


@im("4.3.2", "SHOULD", "The answer to a probe of a full JID tells only that it is available.")
def test_probe_of_a_full_jid_is_answered_tersely(site: Site) -> None:
    user, contact = friends(site, True)
    contact.send("<presence><status>busy</status></presence>")
    contact.mark(user)
    user.send(f"<presence type='probe' to='{contact.jid}'/>")
    assert len(user.presence_of(None, contact.jid).findall(f"{CLIENT}status")) == 0


@im("4.3.2", "SHOULD", "Where no resource is available the answer is unavailable, from the bare JID.")
@remote
def test_probe_of_who_is_away(site: Site, remote: bool) -> None:
    user, contact = friends(site, remote)
    contact.send("<presence type='unavailable'/>")
    user.presence_of("unavailable", contact.jid)
    user.send(f"<presence type='probe' to='{contact.bare}'/>")
    user.presence_of("unavailable", contact.bare)


@im("4.3.2.1", "SHOULD", "That answer mirrors the 'id' of the probe.")
@remote
def test_id_of_the_answer(site: Site, remote: bool) -> None:
    user, contact = friends(site, remote)
    contact.send("<presence type='unavailable'/>")
    user.presence_of("unavailable", contact.jid)
    user.send(f"<presence type='probe' to='{contact.bare}' id='probe'/>")
    assert user.presence_of("unavailable", contact.bare).get("id") == "probe"


@im("4.3.2", "SHOULD", "The answer for who is away tells when the last unavailable presence was sent.")
def test_time_of_the_last_presence(site: Site) -> None:
    user, contact = friends(site, True)
    contact.send("<presence type='unavailable'/>")
    user.presence_of("unavailable", contact.jid)
    user.send(f"<presence type='probe' to='{contact.bare}'/>")
    assert user.presence_of("unavailable", contact.bare).find("{urn:xmpp:delay}delay") is not None


@im("4.4.2", "MUST", "A change of presence is broadcast, with its full XML, to all subscribers.")
@im("4.4.2", "MUST", "It is sent to all the user's available resources, also to its sender.")
@im("4.4.3", "MUST", "It is delivered to all available resources of the contact.")
@remote
def test_change(site: Site, remote: bool) -> None:
    user, contact = friends(site, remote)
    others = (contact, site.online(contact.domain, name=contact.name), site.online(name=user.name), user)
    user.send("<presence id='c'><show>xa</show><x xmlns='urn:example:x'>full</x></presence>")
    for resource in others:
        seen = resource.until(lambda s: s.get("id") == "c")[-1]
        assert seen.get("from") == user.jid
        assert (seen.findtext(f"{CLIENT}show"), seen.findtext("{urn:example:x}x")) == ("xa", "full")


@im("4.4.2", "MUST", "Only contacts with subscription from or both get presence: others get none.")
@remote
def test_presence_for_strangers(site: Site, remote: bool) -> None:
    user, contact = site.online(), site.online(site.there if remote else site.here)
    subscribe(user, contact)  # the user sees the contact, not the other way round
    user.mark(contact)
    user.send("<presence><show>away</show></presence>")
    assert sequel(contact, user) == []


@im("4.5.2", "MUST", "Unavailable presence is broadcast to all subscribers, with its full XML.")
@im("4.5.3", "MUST", "It is delivered to all available resources of the contact.")
@remote
def test_unavailable(site: Site, remote: bool) -> None:
    user, contact = friends(site, remote)
    second = site.online(contact.domain, name=contact.name)
    user.mark(second)
    user.send("<presence type='unavailable' id='bye'><status>gone</status></presence>")
    for resource in (contact, second):
        seen = resource.presence_of("unavailable", user.jid)
        assert (seen.get("id"), seen.findtext(f"{CLIENT}status")) == ("bye", "gone")


@im("4.5.2", "MUST", "Unavailable presence is sent to all the user's available resources and to its sender.")
def test_own_resources_see_unavailable_presence(site: Site) -> None:
    user = site.online()
    second = site.online(name=user.name)
    user.send("<presence type='unavailable'/>")
    second.presence_of("unavailable", user.jid)
    user.presence_of("unavailable", user.jid)


@im("4.5.2", "MUST", "Who goes without a word is made unavailable by the server.")
@im("4.5.2", "MUST NOT", "The server does not depend on unavailable presence.")
@remote
@pytest.mark.parametrize("end", ["</stream:stream>", "<not></formed>", ""])
def test_ungraceful_end(site: Site, remote: bool, end: str) -> None:
    user, contact = friends(site, remote)
    user.send(end)
    if not end:
        user.close()
    contact.presence_of("unavailable", user.jid)


@im("4.5.2", "MUST", "Presence after unavailable presence is initial presence again.")
@remote
def test_available_again(site: Site, remote: bool) -> None:
    user, contact = friends(site, remote)
    user.send("<presence type='unavailable'/><presence id='again'/>")
    assert contact.until(lambda s: s.get("id") == "again")[-1].get("from") == user.jid
    assert user.presence_of(None, contact.jid) is not None


@im("4.6.3", "MUST", "Directed presence to a subscriber is delivered whole.")
@im("4.6.3", "SHOULD NOT", "It does not end the broadcasts to that contact.")
@im("4.6.1", "MUST", "A subscription takes precedence over directed presence.")
@remote
def test_directed_to_a_subscriber(site: Site, remote: bool) -> None:
    user, contact = friends(site, remote)
    user.send(f"<presence to='{contact.bare}' id='d'><status>you</status></presence>")
    assert contact.until(lambda s: s.get("id") == "d")[-1].findtext(f"{CLIENT}status") == "you"
    user.send("<presence id='all'/><presence type='unavailable'/>")
    assert sequel(contact, user) == [(user.jid, None), (user.jid, "unavailable")]


@im("4.6.3", "MUST", "Directed presence to a stranger is delivered whole, also without initial presence.")
@im("4.6.3", "MUST NOT", "The stranger gets no broadcasts.")
@im("4.6.3", "MUST", "When the resource becomes unavailable, the stranger is told.")
@remote
@pytest.mark.parametrize("available", [True, False])
@pytest.mark.parametrize("ending", ["presence", "stream", "connection"])
def test_directed_to_a_stranger(site: Site, remote: bool, available: bool, ending: str) -> None:
    user = site.online() if available else site.client()
    stranger = site.online(site.there if remote else site.here)
    user.send(f"<presence to='{stranger.jid}' id='d'><status>you</status></presence>")
    assert stranger.until(lambda s: s.get("id") == "d")[-1].findtext(f"{CLIENT}status") == "you"
    if available:
        user.send("<presence><show>away</show></presence>")
        assert sequel(stranger, user) == []
    if ending == "presence" and available:
        user.send("<presence type='unavailable'/>")
    elif ending == "connection":
        user.close()
    else:
        user.send("</stream:stream>")
    stranger.presence_of("unavailable", user.jid)


@im("4.6.1", "MUST", "Who got directed unavailable presence is not told again when the resource goes.")
@remote
def test_directed_unavailable(site: Site, remote: bool) -> None:
    user, stranger = site.online(), site.online(site.there if remote else site.here)
    user.send(f"<presence to='{stranger.jid}'/><presence to='{stranger.jid}' type='unavailable'/>")
    assert sequel(stranger, user) == [(user.jid, None), (user.jid, "unavailable")]
    user.send("<presence type='unavailable'/>")
    assert sequel(stranger, user) == []


@im("4.6.6", "SHOULD", "A probe by who got directed presence is answered, with mere presence, for that full JID.")
def test_probe_after_directed_presence(site: Site) -> None:
    user, stranger = site.online(), site.online(site.there)
    user.send(f"<presence to='{stranger.bare}'><status>you</status></presence>")
    stranger.presence_of(None, user.jid)
    stranger.send(f"<presence type='probe' to='{user.jid}'/>")
    assert [*stranger.presence_of(None, user.jid)] == []


@im("4.7.1", "SHOULD", "A presence of an unknown type gets bad-request.")
@pytest.mark.parametrize("to", [False, True])
def test_unknown_type(site: Site, to: bool) -> None:
    user, contact = friends(site, True)
    address = f" to='{contact.bare}'" if to else ""
    user.send(f"<presence type='nonsense' id='x'{address}/>")
    assert error_of(user.until(lambda s: s.get("id") == "x")[-1]) == ("modify", "bad-request")


@im("4.7.2.3", "MUST", "Without a priority it counts as zero: the resource takes messages for the bare JID.")
def test_default_priority(site: Site) -> None:
    user, sender = site.client(), site.client()
    user.send("<presence/>")
    user.presence_of(None, user.jid)
    sender.send(f"<message to='{user.bare}' id='x' type='chat'><body>hi</body></message>")
    user.until(lambda s: s.get("id") == "x")


@im("4.7.2.3", "defined", "A priority is a whole number from -128 to 127: others are not taken for one.")
@pytest.mark.parametrize("priority", ["128", "-129", "high", "1.5"])
def test_bad_priority(site: Site, priority: str) -> None:
    odd = site.online()
    second, sender = site.online(name=odd.name, priority=5), site.client()
    odd.send(f"<presence id='x'><priority>{priority}</priority></presence>")
    odd.sync()
    sender.send(f"<message to='{odd.bare}' id='m' type='chat'><body>who has the highest?</body></message>")
    second.until(lambda s: s.get("id") == "m")
