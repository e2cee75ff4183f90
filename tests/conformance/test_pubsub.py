"""XEP-0060 at accounts, which all servers here have: subscriptions, items, nodes and service discovery."""

from __future__ import annotations

import pytest

from tests.conformance.eventing import (
    INFO,
    ITEMS,
    NS,
    OWNER,
    PAYLOAD,
    TUNE,
    Scene,
    ask,
    create,
    done,
    form,
    ids,
    publication,
    publish,
    refusal,
    told_of,
)
from tests.conformance.rules import pep, pubsub, rsm
from tests.conformance.site import Client, Site
from tests.conformance.wire import Element

MOOD = "http://jabber.org/protocol/mood"
RSM = "http://jabber.org/protocol/rsm"


@pytest.fixture
def owner(site: Site) -> Client:
    """An account without contacts."""
    return site.online()


# --- subscribing (XEP-0060 section 6.1, 6.2)


@pubsub("6.1.3.1", "MUST", "Who subscribes somebody else gets bad-request.")
def test_subscription_of_another(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1")
    request = f"<subscribe node='{TUNE}' jid='{scene.owner.bare}'/>"
    assert refusal(ask(scene.contact, "set", request, scene.owner.bare)) == ("bad-request", "invalid-jid")


@pubsub("6.1.3.12", "SHOULD", "Of a node that does not exist, one gets item-not-found.")
def test_subscription_to_nothing(scene: Scene) -> None:
    request = f"<subscribe node='urn:example:none' jid='{scene.contact.bare}'/>"
    assert refusal(ask(scene.contact, "set", request, scene.owner.bare))[0] == "item-not-found"


@pubsub("6.2.2", "MUST", "An unsubscription gets a result.")
@pubsub("6.2.3.3", "MUST", "Who unsubscribes somebody else gets forbidden.")
def test_unsubscribing(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1")
    answer = done(scene.contact, "set", f"<subscribe node='{TUNE}' jid='{scene.contact.bare}'/>", scene.owner.bare)
    subid = answer[0].get("subid")
    named = f" subid='{subid}'" if subid else ""
    stranger = scene.stranger()
    request = f"<unsubscribe node='{TUNE}' jid='{scene.contact.bare}'{named}/>"
    assert refusal(ask(stranger, "set", request, scene.owner.bare))[0] == "forbidden"
    done(scene.contact, "set", request, scene.owner.bare)


@pubsub("6.2.3.2", "SHOULD", "Who is not subscribed and unsubscribes gets unexpected-request and not-subscribed.")
def test_not_subscribed(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1")
    request = f"<unsubscribe node='{TUNE}' jid='{scene.contact.bare}'/>"
    assert refusal(ask(scene.contact, "set", request, scene.owner.bare)) == ("unexpected-request", "not-subscribed")


@pubsub("5.6", "MUST", "Who has no subscriptions gets an empty list.")
def test_own_subscriptions(owner: Client) -> None:
    assert len(done(owner, "get", "<subscriptions/>")[0]) == 0


@pubsub("5.7", "MUST", "A list of affiliations has all of who asks.")
def test_own_affiliations(owner: Client) -> None:
    publish(owner, TUNE, "1")
    [affiliation] = done(owner, "get", "<affiliations/>")[0]
    assert (affiliation.get("node"), affiliation.get("affiliation")) == (TUNE, "owner")


# --- items (XEP-0060 sections 6.5 and 7)


@pubsub("6.5.6", "MUST", "Several items can be asked for by their ids.")
@pubsub("6.5.7", "SHOULD", "With max_items, the most recent ones are returned.")
@pubsub("6.5.9.12", "SHOULD", "Where there are no such items, the result is an empty list.")
def test_retrieving(owner: Client) -> None:
    create(owner, TUNE, max_items="3")
    for id in "abc":
        publish(owner, TUNE, id)
    assert set(ids(owner, TUNE, "<item id='a'/><item id='c'/>")) == {"a", "c"}
    assert set(ids(owner, TUNE, more=" max_items='2'")) == {"b", "c"}
    assert ids(owner, TUNE, "<item id='z'/>") == []


@pubsub("6.5.9.11", "SHOULD", "Of a node that does not exist, one gets item-not-found.")
def test_no_node(owner: Client) -> None:
    assert refusal(ask(owner, "get", "<items node='urn:example:none'/>"))[0] == "item-not-found"


@pubsub("7.1.1", "MUST", "An item without an id gets one that the node has not yet.")
@pubsub("7.1.2", "SHOULD", "The publisher is told that id.")
@pubsub("7.1.2", "MUST", "An item with a known id takes the place of the one that has it.")
def test_ids(owner: Client) -> None:
    found = []
    create(owner, TUNE, max_items="3")
    for _ in range(2):
        answer = done(owner, "set", publication(TUNE, ""))
        found.append(answer.find(f"{NS}publish/{NS}item").get("id"))
    assert len(set(found)) == 2
    publish(owner, TUNE, str(found[0]))
    assert set(ids(owner, TUNE)) == set(found)


@pubsub("7.1.3.1", "MUST", "Who may not publish gets forbidden.")
def test_publication_of_another(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1")
    assert refusal(ask(scene.contact, "set", publication(TUNE, "2"), scene.owner.bare))[0] == "forbidden"


@pubsub("7.1.3.6", "MUST", "An item with two payloads is a bad-request.")
def test_two_payloads(owner: Client) -> None:
    assert refusal(ask(owner, "set", publication(TUNE, "1", PAYLOAD * 2)))[0] == "bad-request"


@pubsub("7.1.3.6", "SHOULD", "With the condition invalid-payload.")
def test_condition_for_two_payloads(owner: Client) -> None:
    assert refusal(ask(owner, "set", publication(TUNE, "1", PAYLOAD * 2)))[1] == "invalid-payload"


@pubsub("7.1.3.7", "MUST", "At a node that keeps items, a publication without one gets item-required.")
def test_no_item(owner: Client) -> None:
    publish(owner, TUNE, "1")
    assert refusal(ask(owner, "set", f"<publish node='{TUNE}'/>")) == ("bad-request", "item-required")


@pubsub("7.1.5", "MUST", "Options that the node does not have: conflict and precondition-not-met.")
@pubsub("7.1.5", "defined", "A node is created with the options; where it has them, the publication succeeds.")
def test_options(owner: Client) -> None:
    publish(owner, TUNE, "1", access_model="open")
    publish(owner, TUNE, "2", access_model="open")
    answer = ask(owner, "set", publication(TUNE, "3", access_model="whitelist"))
    assert refusal(answer) == ("conflict", "precondition-not-met")
    assert ids(owner, TUNE) == ["2"]


@pubsub("7.1.5", "MUST", "A publication with options that nobody knows is rejected.")
def test_unknown_options(owner: Client) -> None:
    publish(owner, TUNE, "1")
    assert ask(owner, "set", publication(TUNE, "2", nonsense="1")).get("type") == "error"


@pubsub("7.2.2", "MUST", "A retracted item is deleted.")
@pubsub("7.2.2.1", "MUST", "With `notify`, all subscribers hear of it.")
def test_retraction(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1")
    done(scene.owner, "set", f"<retract node='{TUNE}' notify='true'><item id='1'/></retract>")
    assert ids(scene.owner, TUNE) == []
    seen = scene.listener.until(lambda stanza: (TUNE, "-1") in told_of([stanza]))
    assert told_of(seen)[-1] == (TUNE, "-1")


@pubsub("7.2.3.1", "MUST", "Who may not retract gets forbidden.")
@pubsub("7.2.3.2", "MUST", "Of an item or node that does not exist, one gets item-not-found.")
@pubsub("7.2.3.3", "MUST", "Without a node, one gets bad-request.")
def test_wrong_retractions(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1")
    right = f"<retract node='{TUNE}'><item id='1'/></retract>"
    assert refusal(ask(scene.contact, "set", right, scene.owner.bare))[0] == "forbidden"
    for wrong, condition in (
        (f"<retract node='{TUNE}'><item id='2'/></retract>", "item-not-found"),
        ("<retract node='urn:example:none'><item id='1'/></retract>", "item-not-found"),
        ("<retract><item id='1'/></retract>", "bad-request"),
    ):
        assert refusal(ask(scene.owner, "set", wrong))[0] == condition, wrong


@pubsub("7.2.3.4", "MUST", "Without an item, one gets bad-request.")
def test_retraction_of_nothing(owner: Client) -> None:
    publish(owner, TUNE, "1")
    assert refusal(ask(owner, "set", f"<retract node='{TUNE}'/>"))[0] == "bad-request"


# --- nodes (XEP-0060 section 8)


@pubsub("8.1.1", "MUST", "A NodeID that exists is a conflict.")
@pubsub("8.1.1", "MUST", "Who may not create nodes gets forbidden.")
def test_creation(scene: Scene) -> None:
    done(scene.owner, "set", f"<create node='{MOOD}'/>")
    assert refusal(ask(scene.owner, "set", f"<create node='{MOOD}'/>"))[0] == "conflict"
    assert refusal(ask(scene.contact, "set", "<create node='urn:example:his'/>", scene.owner.bare))[0] == "forbidden"


@pubsub("8.1.2", "MUST", "An access model that is not supported: not-acceptable and unsupported-access-model.")
def test_unknown_access_model(owner: Client) -> None:
    config = form("node_config", access_model="nonsense")
    answer = ask(owner, "set", f"<create node='{TUNE}'/><configure>{config}</configure>")
    assert refusal(answer) == ("not-acceptable", "unsupported-access-model")


@pubsub("8.2.2", "MUST", "The owner gets the configuration as a form.")
@pubsub("8.2.5.1", "MUST", "A form that can be processed gets a result.")
@pubsub("8.2.3.2", "MUST", "Somebody else gets forbidden.")
@pubsub("8.2.3.5", "MUST", "Of a node that does not exist, one gets item-not-found.")
def test_configuration(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1")
    config = form("node_config", access_model="open")
    done(scene.owner, "set", f"<configure node='{TUNE}'>{config}</configure>", owner=True)
    shown = done(scene.owner, "get", f"<configure node='{TUNE}'/>", owner=True)
    values = {field.get("var"): field.findtext("{jabber:x:data}value") for field in shown.iter("{jabber:x:data}field")}
    assert values["FORM_TYPE"] == "http://jabber.org/protocol/pubsub#node_config"
    assert values["pubsub#access_model"] == "open"
    request = f"<configure node='{TUNE}'/>"
    assert refusal(ask(scene.contact, "get", request, scene.owner.bare, owner=True))[0] == "forbidden"
    request = "<configure node='urn:example:none'/>"
    assert refusal(ask(scene.owner, "get", request, owner=True))[0] == "item-not-found"


@pubsub("8.4.2", "MUST", "All subscribers hear that a node is deleted.")
@pubsub("8.4.3.1", "MUST", "Only an owner deletes it; others get forbidden.")
@pubsub("8.4.3.2", "MUST", "Of a node that does not exist, one gets item-not-found.")
def test_deletion(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1")
    request = f"<delete node='{TUNE}'/>"
    assert refusal(ask(scene.contact, "set", request, scene.owner.bare, owner=True))[0] == "forbidden"
    done(scene.owner, "set", request, owner=True)
    seen = scene.listener.until(lambda stanza: (TUNE, "delete") in told_of([stanza]))
    assert told_of(seen)[-1] == (TUNE, "delete")
    assert refusal(ask(scene.owner, "set", request, owner=True))[0] == "item-not-found"


@pubsub("8.5.2", "MUST", "A purge removes all items, and subscribers hear of it once.")
def test_purge(scene: Scene) -> None:
    create(scene.owner, TUNE, max_items="2")
    for id in "ab":
        publish(scene.owner, TUNE, id)
    done(scene.owner, "set", f"<purge node='{TUNE}'/>", owner=True)
    assert ids(scene.owner, TUNE) == []
    seen = scene.listener.events_until_mark(scene.owner)
    assert [each for each in seen if each[0] == TUNE and each[1] not in "ab"] == [(TUNE, "purge")]


@pubsub("8.9.1.2", "MUST", "The owner gets the list of all affiliations but none.")
def test_affiliations(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1")
    answer = done(scene.owner, "get", f"<affiliations node='{TUNE}'/>", owner=True)
    found = answer.findall(f"{OWNER}affiliations/{OWNER}affiliation")
    assert [(each.get("jid"), each.get("affiliation")) for each in found] == [(scene.owner.bare, "owner")]


@rsm("2.2", "MUST", "A page tells the ids of its first and last entry, and after that one the next page begins.")
@rsm("2.2", "SHOULD", "A page tells the number of all entries, and the index of its first one.")
@pytest.mark.parametrize("what", ["affiliation", "subscription"])
def test_pages_of_an_owner(site: Site, scene: Scene, what: str) -> None:
    create(scene.owner, TUNE)
    jids = [f"member{number}@{site.there.name}" for number in range(4)]
    state = {"affiliation": "member", "subscription": "subscribed"}[what]
    listed = "".join(f"<{what} jid='{jid}' {what}='{state}'/>" for jid in jids)
    done(scene.owner, "set", f"<{what}s node='{TUNE}'>{listed}</{what}s>", owner=True)
    found: list[str | None] = []
    after = ""
    while True:
        page = f"<{what}s node='{TUNE}'/><set xmlns='{RSM}'><max>2</max>{after}</set>"
        answer = done(scene.owner, "get", page, owner=True)
        told = answer.find(f"{{{RSM}}}set")
        if told is None:
            site.lacks("pages of what an owner lists")
        assert told is not None
        on_page = [each.get("jid") for each in answer.findall(f"{OWNER}{what}s/{OWNER}{what}")]
        if not on_page:
            break
        first, last = told.find(f"{{{RSM}}}first"), told.find(f"{{{RSM}}}last")
        assert first is not None
        assert last is not None
        assert first.get("index") == str(len(found))
        found += on_page
        assert told.findtext(f"{{{RSM}}}count") == str(len(jids) + (what == "affiliation"))
        after = f"<after>{last.text}</after>"
    assert found == [*([scene.owner.bare] if what == "affiliation" else []), *jids]


@pubsub("8.9.2.4", "MUST NOT", "The last owner does not lose that affiliation.")
def test_last_owner(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1")
    nobody = f"<affiliation jid='{scene.owner.bare}' affiliation='none'/>"
    answer = ask(scene.owner, "set", f"<affiliations node='{TUNE}'>{nobody}</affiliations>", owner=True)
    assert answer.get("type") == "error"


# --- service discovery


def disco(client: Client, namespace: str, of: str, node: str = "") -> Element:
    named = f" node='{node}'" if node else ""
    return client.ask("get", f"<query xmlns='{namespace}'{named}/>", of)


@pep("6.1", "MUST", "An account says that it is of category pubsub and type pep.")
def test_identity(owner: Client) -> None:
    query = disco(owner, INFO, owner.bare)[0]
    assert ("pubsub", "pep") in [(each.get("category"), each.get("type")) for each in query]


@pubsub("9", "MUST", "It has the feature pubsub-on-a-jid.")
def test_feature(owner: Client) -> None:
    query = disco(owner, INFO, owner.bare)[0]
    assert "http://jabber.org/protocol/pubsub#pubsub-on-a-jid" in {each.get("var") for each in query}


@pep("6.2", "MUST", "Nodes are listed to those only who may subscribe to them.")
def test_nodes_for_others(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1")
    publish(scene.owner, MOOD, "1", access_model="whitelist")
    items = disco(scene.contact, ITEMS, scene.owner.bare)[0]
    nodes = [each.get("node") for each in items]
    assert TUNE in nodes
    assert MOOD not in nodes


@pubsub("5.3", "MUST", "A node says that it is of category pubsub.")
def test_identity_of_a_node(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1")
    query = disco(scene.contact, INFO, scene.owner.bare, TUNE)[0]
    identities = [(each.get("category"), each.get("type")) for each in query.findall(f"{{{INFO}}}identity")]
    assert ("pubsub", "leaf") in identities
