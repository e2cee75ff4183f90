"""What owners do with the nodes of a publish-subscribe service (XEP-0060 section 8)."""

from __future__ import annotations

import pytest

from cluster.pubsub.errors import OWNER
from cluster.xmpp.extensions.rsm import RSM
from tests.pubsub import NODE_CONFIG, Asked, events, form
from tests.unit.services.pubsub.stage import Stage, values

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


def test_a_list_that_no_link_carries_comes_in_pages_to_an_owner_of_another_domain(stage: Stage, ask: Asked) -> None:
    """Found with 3,400 members: the owner got an error in place of the list."""
    ask.create(stage.romeo, "news")
    ask.affiliate(stage.romeo, "news", "juliet@capulet.lit", "owner")
    members = [f"member{number}@montague.lit" for number in range(3_400)]
    for some in (members[:2_000], members[2_000:]):
        each = "".join(f"<affiliation jid='{jid}' affiliation='member'/>" for jid in some)
        ask.done(stage.romeo, f"<affiliations node='news'>{each}</affiliations>", ns=OWNER)
    first = ask.done(stage.juliet, "<affiliations node='news'/>", type="get", ns=OWNER)
    told = {each.tag.partition("}")[2]: each.text or "" for each in first[1]}
    assert (len(first[0]), told["count"]) == (2_500, "3402")
    after = f"<affiliations node='news'/><set xmlns='{RSM}'><after>{told['last']}</after></set>"
    second = ask.done(stage.juliet, after, type="get", ns=OWNER)
    found = [each.get("jid") for each in (*first[0], *second[0])]
    assert found == ["romeo@montague.lit", "juliet@capulet.lit", *members]


def test_pages_of_subscriptions(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    for name in "abc":
        change = f"<subscription jid='{name}@montague.lit' subscription='subscribed'/>"
        ask.done(stage.romeo, f"<subscriptions node='news'>{change}</subscriptions>", ns=OWNER)

    def page(asked: str) -> tuple[list[str | None], str | None]:
        payload = f"<subscriptions node='news'/><set xmlns='{RSM}'>{asked}</set>"
        listed, told = ask.done(stage.romeo, payload, type="get", ns=OWNER)
        return [each.get("jid") for each in listed], told.findtext(f"{{{RSM}}}last")

    found, last = page("<max>2</max>")
    assert found == ["a@montague.lit", "b@montague.lit"]
    assert page(f"<max>2</max><after>{last}</after>")[0] == ["c@montague.lit"]
    assert page("<max>1</max><before/>")[0] == ["c@montague.lit"]
    payload = f"<subscriptions node='news'/><set xmlns='{RSM}'><after>nobody</after></set>"
    assert ask.refused(stage.romeo, payload, type="get", ns=OWNER) == "cancel item-not-found"
