"""Publish-subscribe (XEP-0060) as a service: what owners do, what is told of it, and what there is room for."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from cluster.host import disco as disco_of_host
from cluster.pubsub import service as core
from cluster.pubsub.errors import OWNER, PUBSUB
from cluster.services import pubsub as generic
from cluster.store.pubsub import Party
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.rsm import RSM
from cluster.xmpp.jid import Jid
from tests.network import at_once, watched_log
from tests.pubsub import NODE_CONFIG, Asked, events, form, publication
from tests.unit.services.pubsub_service import PUBSUB_DOMAIN, Stage

ITEMS, INFO = "http://jabber.org/protocol/disco#items", "http://jabber.org/protocol/disco#info"


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def ask(stage: Stage) -> Asked:
    return stage.ask


def values(form: Element) -> dict[str, str]:
    """The first value of each field."""
    return {field.get("var", ""): field.findtext("{jabber:x:data}value", "") for field in form}


# --- creating (section 8.1)


def test_a_node_without_a_name_gets_one(stage: Stage, ask: Asked) -> None:
    answer = ask.done(stage.romeo, "<create/>")
    name = answer[0].get("node", "")
    assert name
    ask.publish(stage.romeo, name)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ("<create node='news'/>", "cancel conflict"),
        ("<configure/><create node='new'/>", "modify bad-request"),
        ("<create node='new'/><configure node='new'/>", "modify bad-request"),
        (f"<create node='{'x' * 1024}'/>", "modify not-acceptable"),
        (f"<create node='new'/><configure>{form(NODE_CONFIG, access_model='presence')}</configure>",
         "modify not-acceptable unsupported-access-model"),
        (f"<create node='new'/><configure>{form(NODE_CONFIG, access_model='nonsense')}</configure>",
         "modify not-acceptable unsupported-access-model"),
        (f"<create node='new'/><configure>{form(NODE_CONFIG, node_type='collection')}</configure>",
         "cancel feature-not-implemented unsupported collections"),
        (f"<create node='new'/><configure>{form('other', title='x')}</configure>",
         "modify bad-request invalid-options"),
        ("<nonsense/>", "modify bad-request"),
        ("", "modify bad-request"),
    ],
)  # fmt: skip
def test_what_cannot_be_created_is_refused(stage: Stage, ask: Asked, request_: str, error: str) -> None:
    ask.create(stage.romeo, "news")
    assert ask.refused(stage.romeo, request_) == error


def test_the_topology_says_who_creates_nodes() -> None:
    stage = Stage()
    assert stage.ask.refused(stage.juliet, "<create node='hers'/>") == "auth forbidden"
    stage.ask.create(stage.benvolio, "his")
    stage = Stage(creation="anyone")
    stage.ask.create(stage.juliet, "hers")
    stage = Stage(creation="nobody")
    assert stage.ask.refused(stage.romeo, "<create node='his'/>") == "auth forbidden"


# --- configuring (sections 8.2 and 8.3)


def test_the_form_shows_the_configuration_and_changes_it(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news", title="Verona", max_items="max", deliver_payloads="false")
    shown = ask.done(stage.romeo, "<configure node='news'/>", type="get", ns=OWNER)[0][0]
    assert values(shown)["pubsub#title"] == "Verona"
    assert values(shown)["pubsub#max_items"] == "max"
    assert values(shown)["pubsub#item_expire"] == "max"
    assert values(shown)["pubsub#deliver_payloads"] == "0"
    models = next(field for field in shown if field.get("var") == "pubsub#access_model")
    options = [option[0].text for option in models if option.tag.endswith("option")]
    assert options == ["open", "authorize", "whitelist"]
    ask.configure(stage.romeo, "news", title="Mantua", unknown="is left out")
    shown = ask.done(stage.romeo, "<configure node='news'/>", type="get", ns=OWNER)[0][0]
    assert (values(shown)["pubsub#title"], values(shown)["pubsub#max_items"]) == ("Mantua", "max")
    cancelled = "<configure node='news'><x xmlns='jabber:x:data' type='cancel'/></configure>"
    ask.done(stage.romeo, cancelled, ns=OWNER)


@pytest.mark.parametrize(
    "fields",
    [
        {"max_items": "0"}, {"max_items": "-1"}, {"max_items": "many"}, {"persist_items": "maybe"},
        {"publish_model": "nobody"}, {"title": "x" * 1_024}, {"item_expire": "tomorrow"}, {"title": "a|b"},
        {"notification_type": "chat"}, {"max_payload_size": "1.5"}, {"itemreply": "nobody"},
        {"roster_groups_allowed": "|".join("abc" * 40)},
    ],
)  # fmt: skip
def test_a_configuration_that_cannot_be_changes_nothing(stage: Stage, ask: Asked, fields: dict[str, str]) -> None:
    ask.create(stage.romeo, "news", title="Verona")
    request = f"<configure node='news'>{form(NODE_CONFIG, description='new', **fields)}</configure>"
    assert ask.refused(stage.romeo, request, ns=OWNER) == "modify not-acceptable"
    shown = ask.done(stage.romeo, "<configure node='news'/>", type="get", ns=OWNER)[0][0]
    assert (values(shown)["pubsub#title"], values(shown)["pubsub#description"]) == ("Verona", "")


def test_defaults_can_be_asked_for(stage: Stage, ask: Asked) -> None:
    shown = ask.done(stage.juliet, "<default/>", type="get", ns=OWNER)[0][0]
    assert values(shown)["pubsub#access_model"] == "open"
    refused = ask.refused(stage.juliet, "<default type='collection'/>", type="get", ns=OWNER)
    assert refused == "cancel feature-not-implemented unsupported collections"


def test_subscribers_hear_of_a_new_configuration(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    ask.subscribe(stage.juliet, "news")
    ask.configure(stage.romeo, "news", title="one")
    ask.configure(stage.romeo, "news", notify_config="1", title="two")
    ask.configure(stage.romeo, "news", deliver_payloads="0")
    stage.settle()
    full, bare = stage.juliet.stanzas
    assert values(full[0][0][0])["pubsub#title"] == "two"
    assert len(bare[0][0]) == 0
    assert events(stage.juliet) == ["news configuration"] * 2


def test_fewer_items_are_kept_at_once(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    for id in "abc":
        ask.publish(stage.romeo, "news", id)
    ask.configure(stage.romeo, "news", max_items="2")
    assert ask.items(stage.romeo, "news") == ["b", "c"]
    ask.configure(stage.romeo, "news", persist_items="0")
    ask.configure(stage.romeo, "news", persist_items="1")
    assert ask.items(stage.romeo, "news") == []


@pytest.mark.parametrize("request_", ["configure", "purge", "delete", "affiliations", "subscriptions"])
@pytest.mark.parametrize(
    ("node", "error"), [("", "modify bad-request nodeid-required"), ("nothing", "cancel item-not-found")]
)
def test_an_owners_request_names_a_node(stage: Stage, ask: Asked, request_: str, node: str, error: str) -> None:
    named = f"<{request_} node='{node}'/>" if node else f"<{request_}/>"
    assert ask.refused(stage.romeo, named, ns=OWNER) == error


# --- purging and deleting (sections 8.4 and 8.5)


def test_a_purge_is_told_once(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    ask.subscribe(stage.juliet, "news")
    for id in "ab":
        ask.publish(stage.romeo, "news", id)
    ask.done(stage.romeo, "<purge node='news'/>", ns=OWNER)
    stage.settle()
    assert events(stage.juliet)[2:] == ["news purge"]
    assert ask.items(stage.romeo, "news") == []


def test_a_deletion_is_told_and_says_where_to_go(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news", access_model="authorize")
    ask.affiliate(stage.romeo, "news", "juliet@capulet.lit", "member")
    ask.subscribe(stage.juliet, "news")
    ask.subscribe(stage.benvolio, "news")
    ask.publish(stage.romeo, "news", "a")
    uri = "xmpp:pubsub.capulet.lit?;node=news"
    ask.done(stage.romeo, f"<delete node='news'><redirect uri='{uri}'/></delete>", ns=OWNER)
    stage.settle()
    assert events(stage.juliet)[-1] == f"news delete {uri}"
    assert events(stage.benvolio) == [f"news delete {uri}"]
    ask.create(stage.romeo, "news")
    assert ask.items(stage.romeo, "news") == []
    assert len(ask.done(stage.juliet, "<subscriptions/>", type="get")[0]) == 0


# --- subscriptions and affiliations of others (sections 8.8 and 8.9)


def test_an_owner_lists_and_changes_subscriptions(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "club", access_model="authorize")
    ask.subscribe(stage.juliet, "club")
    listed = "<subscriptions node='club'/>"
    assert len(ask.done(stage.romeo, listed, type="get", ns=OWNER)[0]) == 0
    change = (
        "<subscription jid='juliet@capulet.lit' subscription='subscribed'/>"
        "<subscription jid='benvolio@montague.lit' subscription='subscribed'/><subscription jid='a@b'/>"
    )
    ask.done(stage.romeo, f"<subscriptions node='club'>{change}</subscriptions>", ns=OWNER)
    shown = ask.done(stage.romeo, listed, type="get", ns=OWNER)[0]
    assert [each.get("jid") for each in shown] == ["juliet@capulet.lit", "benvolio@montague.lit"]
    stage.settle()
    assert events(stage.juliet) == ["club juliet@capulet.lit subscribed"]
    gone = "<subscription jid='juliet@capulet.lit' subscription='none'/>"
    wrong = (
        "<subscription jid='benvolio@montague.lit' subscription='perhaps'/><subscription jid='@' subscription='none'/>"
    )
    reply = ask.reply(stage.romeo, f"<subscriptions node='club'>{gone}{wrong}</subscriptions>", ns=OWNER)
    assert reply.get("type") == "error"
    assert [(each.get("jid"), each.get("subscription")) for each in reply[0][0]] == [
        ("benvolio@montague.lit", "subscribed"), ("@", "none")
    ]  # fmt: skip
    shown = ask.done(stage.romeo, listed, type="get", ns=OWNER)[0]
    assert [each.get("jid") for each in shown] == ["benvolio@montague.lit"]


def test_an_owner_lists_and_changes_affiliations(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    ask.affiliate(stage.romeo, "news", "juliet@capulet.lit/balcony", "publisher")
    listed = "<affiliations node='news'/>"
    shown = ask.done(stage.romeo, listed, type="get", ns=OWNER)[0]
    assert [(each.get("jid"), each.get("affiliation")) for each in shown] == [
        ("romeo@montague.lit", "owner"), ("juliet@capulet.lit", "publisher")
    ]  # fmt: skip
    stage.settle()
    [message] = stage.juliet.stanzas
    assert message[0][0][0].attrib == {"jid": "juliet@capulet.lit", "affiliation": "publisher"}
    last = "<affiliation jid='romeo@montague.lit' affiliation='none'/>"
    other = "<affiliation jid='benvolio@montague.lit' affiliation='member'/>"
    nonsense = "<affiliation jid='juliet@capulet.lit' affiliation='king'/>"
    reply = ask.reply(stage.romeo, f"<affiliations node='news'>{last}{other}{nonsense}</affiliations>", ns=OWNER)
    assert reply.get("type") == "error"
    assert [(each.get("jid"), each.get("affiliation")) for each in reply[0][0]] == [
        ("romeo@montague.lit", "owner"), ("juliet@capulet.lit", "publisher")
    ]  # fmt: skip
    twice = "<affiliation jid='a@b' affiliation='member'/>" * 2
    assert (
        ask.refused(stage.romeo, f"<affiliations node='news'>{twice}</affiliations>", ns=OWNER) == "modify bad-request"
    )
    ask.affiliate(stage.romeo, "news", "benvolio@montague.lit", "owner")
    ask.affiliate(stage.benvolio, "news", "romeo@montague.lit", "none")
    assert ask.refused(stage.romeo, listed, type="get", ns=OWNER) == "auth forbidden"


# --- service discovery (sections 5.1 to 5.5)


def disco(stage: Stage, namespace: str, node: str = "") -> Element:
    named = f" node='{node}'" if node else ""
    before = len(stage.juliet.stanzas)
    stage.say(stage.juliet, f"<iq type='get' id='d' to='{PUBSUB_DOMAIN}'><query xmlns='{namespace}'{named}/></iq>")
    reply = stage.juliet.stanzas[before]
    return reply[0] if reply.get("type") == "result" else reply


def test_the_service_says_what_it_is(stage: Stage) -> None:
    query = disco(stage, INFO)
    assert (query[0].get("category"), query[0].get("type")) == ("pubsub", "service")
    features = {each.get("var") for each in query.findall(f"{{{INFO}}}feature")}
    assert {PUBSUB, f"{PUBSUB}#publish", f"{PUBSUB}#publish-options", f"{PUBSUB}#rsm"} <= features


def test_nodes_and_items_are_found(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news", title="Verona today")
    ask.create(stage.romeo, "secret", access_model="whitelist")
    for id in "ab":
        ask.publish(stage.romeo, "news", id)
    assert [each.attrib for each in disco(stage, ITEMS)] == [
        {"jid": PUBSUB_DOMAIN, "node": "news", "name": "Verona today"}
    ]
    assert [each.attrib for each in disco(stage, ITEMS, "news")] == [
        {"jid": PUBSUB_DOMAIN, "name": "a"}, {"jid": PUBSUB_DOMAIN, "name": "b"}
    ]  # fmt: skip
    query = disco(stage, INFO, "news")
    assert query.get("node") == "news"
    assert query[0].attrib == {"category": "pubsub", "type": "leaf", "name": "Verona today"}
    told = values(query[-1])
    assert told["FORM_TYPE"] == f"{PUBSUB}#meta-data"
    assert (told["pubsub#owner"], told["pubsub#num_subscribers"]) == ("romeo@montague.lit", "0")
    assert told["pubsub#creation_date"].startswith("2023-11-14T22:13:20")
    for node in ("secret", "nothing"):
        assert disco(stage, ITEMS, node).get("type") == "error"
        assert disco(stage, INFO, node).get("type") == "error"


def test_a_long_list_of_nodes_comes_in_pages(stage: Stage, ask: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    for node in "abcde":
        ask.create(stage.romeo, node)

    def page(inner: str = "") -> tuple[list[str], list[str]]:
        asked = f"<set xmlns='{RSM}'>{inner}</set>" if inner else ""
        before = len(stage.juliet.stanzas)
        stage.say(
            stage.juliet, f"<iq type='get' id='d' to='{PUBSUB_DOMAIN}'><query xmlns='{ITEMS}'>{asked}</query></iq>"
        )
        query = stage.juliet.stanzas[before][0]
        told = query.find(f"{{{RSM}}}set")
        return [each.get("node", "") for each in query if "node" in each.attrib], [
            each.text or "" for each in (told if told is not None else ())
        ]

    assert page() == (list("abcde"), [])
    first, (_, end, count) = page("<max>2</max>")
    assert (first, count) == (["a", "b"], "5")
    assert page(f"<max>2</max><after>{end}</after>")[0] == ["c", "d"]
    assert page("<max>2</max><before/>")[0] == ["d", "e"]
    assert page(f"<max>2</max><before>{end}</before>")[0] == ["a"]
    monkeypatch.setattr(disco_of_host, "MAX_LISTED", 3)
    assert page()[0] == ["a", "b", "c"]
    assert page()[1][2] == "5"
    stage.say(
        stage.juliet,
        f"<iq type='get' id='d' to='{PUBSUB_DOMAIN}'><query xmlns='{ITEMS}'>"
        f"<set xmlns='{RSM}'><after>z</after></set></query></iq>",
    )
    assert stage.juliet.take()[-1] == f"iq/error {PUBSUB_DOMAIN} d: cancel item-not-found"


# --- what there is room for, and what lasts


def test_the_bytes_of_a_service_are_bounded() -> None:
    stage = Stage(bytes=10_000)
    stage.ask.create(stage.romeo, "news")
    stage.ask.publish(stage.romeo, "news", "a", f"<p xmlns='p'>{'x' * 9_000}</p>")
    request = publication("news", "b", f"<p xmlns='p'>{'x' * 9_000}</p>")
    assert stage.ask.refused(stage.romeo, request) == "wait resource-constraint max-items-exceeded"
    assert stage.ask.items(stage.romeo, "news") == ["a"]


def test_nodes_and_subscriptions_are_bounded(stage: Stage, ask: Asked) -> None:
    service = next(iter(stage.network.servers["montague.lit"].server._hosted))
    pubsub = generic._pubsub.of(service._ctx)
    pubsub.bounds = core.Bounds(nodes=2, parties=3, size_bytes=1_000, cause="")
    ask.create(stage.romeo, "one")
    ask.create(stage.romeo, "two")
    assert ask.refused(stage.romeo, "<create node='three'/>") == "wait resource-constraint max-nodes-exceeded"
    ask.subscribe(stage.juliet, "one")
    many = "modify policy-violation too-many-subscriptions"
    assert ask.refused(stage.juliet, "<subscribe node='two' jid='juliet@capulet.lit'/>") == many
    ask.affiliate(stage.romeo, "one", "juliet@capulet.lit", "member")
    ask.done(stage.romeo, "<delete node='two'/>", ns=OWNER)
    pubsub.bounds = core.Bounds(nodes=2, parties=2, size_bytes=1_000, cause="")
    ask.create(stage.romeo, "three")  # whoever subscribes keeps nobody from having nodes


def test_all_outlives_a_kill(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news", title="Verona", access_model="authorize")
    ask.affiliate(stage.romeo, "news", "juliet@capulet.lit", "member")
    ask.subscribe(stage.juliet, "news")
    ask.subscribe(stage.benvolio, "news")
    ask.publish(stage.romeo, "news", "a")
    stage.restart_by_kill()
    stage.juliet.take()
    ask.publish(stage.romeo, "news", "b")
    stage.settle()
    assert events(stage.juliet) == ["news: +b p"]
    assert ask.items(stage.romeo, "news") == ["a", "b"]
    listed = ask.done(stage.benvolio, "<subscriptions/>", type="get")[0]
    assert [each.get("subscription") for each in listed] == ["pending"]


def test_a_subscriber_that_is_gone_is_none(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    ask.subscribe(stage.juliet, "news")
    error = "<error type='{}'><{} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    bounce = f"<message type='error' to='{PUBSUB_DOMAIN}' from='{{}}'>{error}</message>"
    jid = "juliet@capulet.lit/balcony"
    ask.subscribe(stage.juliet, "news", jid)
    stage.say(stage.juliet, bounce.format(jid, "wait", "recipient-unavailable"))
    assert len(ask.done(stage.juliet, "<subscriptions/>", type="get")[0]) == 2
    stage.say(stage.juliet, bounce.format(jid, "cancel", "item-not-found"))
    listed = ask.done(stage.juliet, "<subscriptions/>", type="get")[0]
    assert [each.get("jid") for each in listed] == ["juliet@capulet.lit"]


def test_a_node_that_is_deleted_while_it_is_changed_stays_deleted(stage: Stage, ask: Asked) -> None:
    store = stage.network.servers["montague.lit"].store.pubsub
    put_party, is_kept = store.put_party, Deferred[None]()

    async def put_later(owner: str, node: str, party: Party) -> None:
        await put_party(owner, node, party)
        await is_kept

    ask.create(stage.romeo, "news")
    store.put_party = put_later  # type: ignore[method-assign]
    people = "".join(f"<affiliation jid='{name}@capulet.lit' affiliation='member'/>" for name in ("juliet", "nurse"))
    change = f"<pubsub xmlns='{OWNER}'><affiliations node='news'>{people}</affiliations></pubsub>"
    stage.say(stage.romeo, f"<iq to='{PUBSUB_DOMAIN}' type='set' id='later'>{change}</iq>")
    store.put_party = put_party  # type: ignore[method-assign]
    ask.done(stage.romeo, "<delete node='news'/>", ns=OWNER)
    with watched_log() as failures:
        is_kept.callback(None)
        stage.settle()
    assert not failures
    assert at_once(store.load(f"@{PUBSUB_DOMAIN}")) == {}


def test_a_list_that_no_link_carries_is_an_error_and_not_nothing(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    ask.affiliate(stage.romeo, "news", "juliet@capulet.lit", "owner")
    service = next(iter(stage.network.servers["montague.lit"].server._hosted))
    members = [Party(Jid(f"p{number}", "capulet.lit"), "member") for number in range(5_000)]
    generic._pubsub.of(service._ctx).nodes["news"].parties.update({each.jid: each for each in members})
    listed = "<affiliations node='news'/>"
    assert len(ask.done(stage.romeo, listed, type="get", ns=OWNER)[0]) == 5_002
    assert ask.refused(stage.juliet, listed, type="get", ns=OWNER) == "modify policy-violation"
