"""RFC 6121 section 2: the roster."""

from __future__ import annotations

import pytest

from tests.conformance.rules import im
from tests.conformance.site import Client, Site, befriend, new_name, pushes
from tests.conformance.wire import CLIENT, Element, error_of

ROSTER = "{jabber:iq:roster}"
VER = "{urn:xmpp:features:rosterver}ver"


def someone() -> str:
    """An address that nobody has."""
    return f"{new_name()}@elsewhere.invalid"


def interested(site: Site, name: str = "") -> Client:
    """A client that has asked for its roster."""
    client = site.client(name=name)
    client.roster()
    return client


def shown(item: Element) -> tuple[str | None, str | None, tuple[str | None, ...]]:
    """What a user sees of an item."""
    return item.get("jid"), item.get("name"), tuple(sorted(group.text or "" for group in item.iter(f"{ROSTER}group")))


@im("2", "SHOULD", "What the client stores in its roster is stored unmodified.")
@im("2", "MUST", "What is stored is returned when the roster is requested.")
@im("2.3.2", "MUST", "A roster set of a new item creates it.")
@im("2.3.2", "MUST", "A roster set is answered with a result.")
def test_add(site: Site) -> None:
    client, jid = interested(site), someone()
    item = f"<item jid='{jid}' name='  N&#228;me &lt;1&gt; '><group>Fri ends</group><group>\u4e16\u754c</group></item>"
    assert client.set_item(item).get("type") == "result"
    assert shown(client.roster()[jid]) == (jid, "  Näme <1> ", ("Fri ends", "\u4e16\u754c"))


@im("2.1.5", "MUST", "The sender of a roster set is verified; others get forbidden.")
@im("2.3.3", "MUST", "A roster set by who is not authorized gets forbidden.")
@pytest.mark.parametrize("remote", [False, True])
def test_roster_set_of_another(site: Site, remote: bool) -> None:
    client, other = interested(site), interested(site) if not remote else site.client(site.there)
    answer = client.ask("set", f"<query xmlns='jabber:iq:roster'><item jid='{someone()}'/></query>", other.bare)
    assert not other.roster()
    assert error_of(answer) == ("auth", "forbidden")


@im("2", "MUST", "Access is restricted: nobody else can retrieve, modify or delete a roster.")
@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("type", ["get", "set"])
def test_roster_of_another(site: Site, remote: bool, type: str) -> None:
    client, other = site.client(), site.client(site.there if remote else site.here)
    jid = someone()
    other.set_item(f"<item jid='{jid}'/>")
    item = f"<item jid='{jid}' subscription='remove'/>" if type == "set" else ""
    assert client.ask(type, f"<query xmlns='jabber:iq:roster'>{item}</query>", other.bare).get("type") == "error"
    assert list(other.roster()) == [jid]


@im("2.1.4", "MUST", "An empty roster is a result with an empty <query/>, not an error.")
def test_empty_roster(site: Site) -> None:
    answer = site.client().ask("get", "<query xmlns='jabber:iq:roster'/>")
    assert answer.get("type") == "result"
    assert [(child.tag, len(child)) for child in answer] == [(f"{ROSTER}query", 0)]


@im("2.1.5", "MUST", "A roster set has exactly one item.")
@im("2.3.3", "MUST", "More than one item gets bad-request.")
@pytest.mark.parametrize("count", [0, 2])
def test_number_of_items(site: Site, count: int) -> None:
    client = interested(site)
    answer = client.set_item("".join(f"<item jid='{someone()}'/>" for _ in range(count)))
    assert answer.get("type") == "error"
    if count:  # for none there is no condition in the text
        assert error_of(answer) == ("modify", "bad-request")
    assert not client.roster()


@im("2.1.2.5", "MUST", "In a roster set any 'subscription' but remove is ignored.")
@im("2.1.5", "MUST", "In a roster set any 'subscription' but remove is ignored.")
@pytest.mark.parametrize("claimed", ["both", "to", "from", "nonsense"])
def test_subscription_is_not_a_clients_to_set(site: Site, claimed: str) -> None:
    client, jid = interested(site), someone()
    assert client.set_item(f"<item jid='{jid}' subscription='{claimed}' ask='subscribe'/>").get("type") == "result"
    item = client.roster()[jid]
    assert (item.get("subscription"), item.get("ask")) == ("none", None)


@im("2.2", "MUST", "Roster pushes go to all interested resources.")
@im("2.3.2", "MUST", "A new item is pushed to all interested resources, also to the one that sent it.")
@im("2.4.2", "MUST", "A changed item is pushed to all interested resources.")
@im("2.1.6", "MUST", "A roster push has exactly one item.")
@im("2.4.1", "MUST", "An item is updated exactly as it is given: what is left out is gone.")
def test_pushes(site: Site) -> None:
    client = interested(site)
    second = interested(site, client.name)
    jid = someone()
    for item, expected in (
        (f"<item jid='{jid}' name='one'><group>a</group></item>", (jid, "one", ("a",))),
        (f"<item jid='{jid}'><group>b</group></item>", (jid, None, ("b",))),
    ):
        assert client.set_item(item).get("type") == "result"
        own = pushes(client.before + client.sync())
        assert [shown(each) for each in own] == [expected]
        assert [shown(each) for each in pushes(client.mark(second))] == [expected]
        assert shown(client.roster()[jid]) == expected


@im("2.2", "defined", "A resource that has not asked for the roster is not interested in pushes.")
def test_who_is_not_interested(site: Site) -> None:
    client = interested(site)
    deaf = site.client(name=client.name)
    client.set_item(f"<item jid='{someone()}'/>")
    assert client.mark(deaf) == []


@im("2.1.6", "SHOULD", "A push is from the account's bare JID or without 'from', so that clients accept it.")
def test_from_of_a_push(site: Site) -> None:
    client = interested(site)
    client.set_item(f"<item jid='{someone()}'/>")
    push = next(s for s in client.before + client.sync() if s.get("type") == "set")
    assert push.get("from") in (None, client.bare)
    assert push.get("to") in (None, client.jid)


@im("2.1.6", "SHOULD", "An error in reply to a roster push is ignored.")
def test_error_for_a_push(site: Site) -> None:
    client = interested(site)
    client.set_item(f"<item jid='{someone()}'/>")
    push = next(s for s in client.before + client.sync() if s.get("type") == "set")
    client.send(f"<iq type='error' id='{push.get('id')}'><error type='cancel'/></iq>")
    assert client.sync() == []


@im("2.3.3", "MUST", "Duplicate groups get bad-request.")
def test_duplicate_groups(site: Site) -> None:
    refused(site, f"<item jid='{someone()}'><group>a</group><group>a</group></item>", "bad-request")


@im("2.3.3", "MUST", "An empty group gets not-acceptable.")
def test_empty_group(site: Site) -> None:
    refused(site, f"<item jid='{someone()}'><group></group></item>", "not-acceptable")


@im("2.3.3", "MUST", "A name or group that is longer than the server's limit gets not-acceptable.")
@pytest.mark.parametrize("item", ["<item jid='{}' name='{}'/>", "<item jid='{}'><group>{}</group></item>"])
def test_long_name(site: Site, item: str) -> None:
    item = item.format(someone(), "x" * 5000)
    if interested(site).set_item(item).get("type") == "result":
        site.lacks("the limit of this server, if it has one, is above 5,000")
    refused(site, item, "not-acceptable")


def refused(site: Site, item: str, condition: str) -> None:
    """A roster set that gets this error, and changes nothing."""
    client = interested(site)
    assert error_of(client.set_item(item)) == ("modify", condition)
    assert not client.roster()


@im("2.3.3", "MUST", "What cannot be processed gets a stanza error: an item whose address is no JID.")
@pytest.mark.parametrize("jid", ["", "a@b@c", "@x"])
def test_malformed_item(site: Site, jid: str) -> None:
    client = interested(site)
    assert client.set_item(f"<item jid='{jid}'/>").get("type") == "error"
    assert not client.roster()


@im("2.5.2", "MUST", "A removed item is gone, pushed with subscription='remove', and the set is answered.")
def test_remove(site: Site) -> None:
    client, jid = interested(site), someone()
    second = interested(site, client.name)
    client.set_item(f"<item jid='{jid}'/>")
    client.mark(second)
    assert client.set_item(f"<item jid='{jid}' subscription='remove'/>").get("type") == "result"
    seen = pushes(client.mark(second))
    assert [(each.get("jid"), each.get("subscription")) for each in seen] == [(jid, "remove")]
    assert not client.roster()


@im("2.5.3", "MUST", "To remove what is not in the roster gets item-not-found.")
def test_remove_nothing(site: Site) -> None:
    client = interested(site)
    assert error_of(client.set_item(f"<item jid='{someone()}' subscription='remove'/>"))[1] == "item-not-found"


@im("2.5.2", "MUST", "A removed contact that the user is subscribed to gets unsubscribe.")
@im("2.5.2", "MUST", "A removed contact that is subscribed to the user gets unsubscribed.")
@im("2.5.2", "MUST", "Where the subscription is mutual, it gets both.")
@pytest.mark.parametrize("remote", [False, True])
def test_remove_a_friend(site: Site, remote: bool) -> None:
    user, contact = site.online(), site.online(site.there if remote else site.here)
    befriend(user, contact)
    user.set_item(f"<item jid='{contact.bare}' subscription='remove'/>")
    seen = user.mark(contact)
    kinds = {
        s.get("type") for s in seen if s.tag == f"{CLIENT}presence" and (s.get("from") or "").startswith(user.bare)
    }
    assert kinds == {"unsubscribe", "unsubscribed", "unavailable"}
    item = contact.roster()[user.bare]
    assert (item.get("subscription"), item.get("ask")) == ("none", None)


@im("2.6.1", "MUST", "A server with roster versioning advertises its stream feature.")
@im("2.6.3", "MUST", "For a known version the answer is empty, or the complete roster with its version.")
@im("2.6.3", "MUST", "A push contains the version of the roster, a new one for each.")
@im("2.1.1", "MUST", "The version is made by the server.")
def test_versioning(site: Site) -> None:
    wire, name = site.authenticated()
    if wire.features.find(VER) is None:
        site.lacks("roster versioning is optional, and not on offer here")
    client = site.client(name=name)
    first = client.ask("get", "<query xmlns='jabber:iq:roster' ver=''/>")
    assert first.find(f"{ROSTER}query") is None or first.find(f"{ROSTER}query").get("ver") is not None
    versions = []
    for _ in range(2):
        client.set_item(f"<item jid='{someone()}'/>")
        push = next(s for s in client.before + client.sync() if s.get("type") == "set")
        versions.append(push.find(f"{ROSTER}query").get("ver"))
    assert len({*versions, None}) == 3
    again = site.client(name=name)
    answer = again.ask("get", f"<query xmlns='jabber:iq:roster' ver='{versions[0]}'/>")
    known = {i.get("jid") for i in [*answer.iter(f"{ROSTER}item"), *pushes(again.sync())]}
    assert len(known) in (1, 2)
    assert again.ask("get", f"<query xmlns='jabber:iq:roster' ver='{versions[1]}'/>").get("type") == "result"
