"""RFC 6121 section 8.5: what becomes of presence and iq stanzas, situation by situation."""

from __future__ import annotations

import pytest

from tests.conformance.rules import im
from tests.conformance.site import Client, Site, befriend, new_name, presences
from tests.conformance.wire import CLIENT, error_of

UNKNOWN = "<thing xmlns='urn:example:unknown'/>"
remote = pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])


def situation(site: Site, name: str, remote: bool) -> tuple[str, list[Client]]:
    """The address, and the resources of the account that has it."""
    domain = site.there if remote else site.here
    if name.startswith("nobody"):
        bare, resources = f"{new_name()}@{domain.name}", []
    elif name.startswith("none"):
        bare, resources = f"{site.account(domain)}@{domain.name}", []
    else:
        first = site.online(domain)
        bare, resources = first.bare, [first, site.online(domain, name=first.name, priority=-1)]
        first.sync()
    return {"bare": bare, "full": f"{bare}/gone"}.get(name.split()[1]) or resources[0].jid, resources


SITUATIONS = ("nobody bare", "nobody full", "none bare", "none full", "some bare", "some full")


@im("8.5.1", "MUST", "Available and unavailable presence for no such user is ignored.")
@im("8.5.2.1.2", "MUST", "Presence for a bare JID is delivered to all available resources.")
@im("8.5.2.1.2", "MUST NOT", "Its 'to' is not rewritten.")
@im("8.5.2.2.2", "SHOULD", "Without an available resource it is ignored.")
@im("8.5.3.1", "MUST", "Presence for a full JID that is there is delivered to that resource.")
@im("8.5.3.2.2", "MUST", "Presence for a full JID that is gone is ignored.")
@remote
@pytest.mark.parametrize("type", [None, "unavailable"])
@pytest.mark.parametrize("where", [*SITUATIONS, "some match"])
def test_presence(site: Site, where: str, type: str | None, remote: bool) -> None:
    sender = site.online()
    to, resources = situation(site, where, remote)
    said = f" type='{type}'" if type else ""
    sender.send(f"<presence to='{to}' id='p'{said}/>")
    for index, resource in enumerate(resources):
        got = [s for s in sender.mark(resource) if s.get("id") == "p"]
        wanted = where == "some bare" or (where == "some match" and index == 0)
        assert [s.get("to") for s in got] == [to] * wanted
    assert presences(sender.sync(to.partition("/")[0])) == []


@im("8.5.3.2.2", "MUST", "subscribed, unsubscribe and unsubscribed for a full JID that is gone are ignored.")
@remote
@pytest.mark.parametrize("type", ["subscribed", "unsubscribe", "unsubscribed"])
def test_subscription_to_a_full_jid_that_is_gone(site: Site, type: str, remote: bool) -> None:
    sender = site.online()
    to, resources = situation(site, "some full", remote)
    sender.subscription(type, to)
    for resource in resources:
        assert presences(sender.mark(resource)) == []


@im("8.5.1", "MUST", "An iq for no such user gets service-unavailable.")
@im("8.5.2.1.3", "MUST", "The server answers an iq for a bare JID itself: service-unavailable where it cannot.")
@im("8.5.2.1.3", "MUST NOT", "It does not deliver it to a resource.")
@im("8.5.2.2.3", "MUST", "Without a resource it answers as well.")
@im("8.5.3.2.3", "MUST", "An iq for a full JID that is gone gets service-unavailable.")
@remote
@pytest.mark.parametrize("type", ["get", "set"])
@pytest.mark.parametrize("where", SITUATIONS)
def test_iq_request(site: Site, where: str, type: str, remote: bool) -> None:
    sender = site.client()
    to, resources = situation(site, where, remote)
    answer = sender.ask(type, UNKNOWN, to)
    assert error_of(answer) == ("cancel", "service-unavailable")
    assert answer.get("from") == to
    for resource in resources:
        assert not [s for s in sender.mark(resource) if s.tag == f"{CLIENT}iq"]


@im("8.5.3.1", "MUST", "An iq result or error for a full JID is delivered to that resource.")
@remote
@pytest.mark.parametrize("type", ["result", "error"])
def test_iq_reply(site: Site, type: str, remote: bool) -> None:
    sender = site.client()
    to, resources = situation(site, "some match", remote)
    error = (
        "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>" if type == "error" else ""
    )
    sender.send(f"<iq type='{type}' id='r' to='{to}'>{error}</iq>")
    assert [s.get("id") for s in sender.mark(resources[0])] == ["r"]


@im("8.5.3.1", "defined", "An iq request of who may see the resource is delivered to it, and its answer comes back.")
@remote
def test_iq_between_friends(site: Site, remote: bool) -> None:
    user, contact = site.online(), site.online(site.there if remote else site.here)
    befriend(user, contact)
    user.send(f"<iq type='get' id='q' to='{contact.jid}'>{UNKNOWN}</iq>")
    request = contact.until(lambda s: s.get("id") == "q")[-1]
    assert request.get("from") == user.jid
    contact.send(f"<iq type='result' id='q' to='{user.jid}'/>")
    assert user.until(lambda s: s.get("id") == "q")[-1].get("from") == contact.jid


@im("8.5.3.1", "SHOULD NOT", "An iq request of who may not see the resource is not delivered to it.")
@im("8.5.3.1", "SHOULD", "It gets service-unavailable.")
@remote
def test_iq_of_a_stranger(site: Site, remote: bool) -> None:
    stranger, user = site.client(), site.online(site.there if remote else site.here)
    stranger.send(f"<iq type='get' id='q' to='{user.jid}'>{UNKNOWN}</iq>")
    assert stranger.mark(user) == []


@im("8.1", "SHOULD", "Who is in the roster gets an error where a stranger might be ignored in silence.")
def test_errors_for_friends(site: Site) -> None:
    user, contact = site.friends()
    user.send(f"<message to='{contact.bare}/gone' id='m'><body>hi</body></message>")
    assert [error_of(s)[1] for s in user.sync(contact.bare) if s.get("id") == "m"] == ["service-unavailable"]
