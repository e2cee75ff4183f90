"""Publish-subscribe (XEP-0060) as a service: publishers, subscribers, and what each is refused."""

from __future__ import annotations

import sys
from xml.sax.saxutils import quoteattr

import pytest

from cluster.pubsub import subscribing
from cluster.pubsub.errors import OWNER, PUBSUB
from cluster.store.pubsub import MAX_ITEMS, Node, NodeConfig, NodeRecord, Party
from cluster.xmpp import element as xml
from cluster.xmpp.jid import Jid
from tests.client import child
from tests.pubsub import Asked, events, form, publication
from tests.unit.services.pubsub_service import PUBSUB_DOMAIN, Stage

ITEMS, INFO = "http://jabber.org/protocol/disco#items", "http://jabber.org/protocol/disco#info"


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def ask(stage: Stage) -> Asked:
    return stage.ask


# --- publishing (section 7)


def test_who_is_subscribed_is_told_of_each_item(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    for client in (stage.benvolio, stage.juliet):
        assert ask.subscribe(client, "news") == "subscribed"
    assert ask.publish(stage.romeo, "news", "one") == "one"
    stage.settle()
    assert [events(each) for each in (stage.romeo, stage.benvolio, stage.juliet)] == [
        [], ["news: +one p"], ["news: +one p"]
    ]  # fmt: skip
    assert ask.items(stage.juliet, "news") == ["one"]


def test_a_notification_is_a_headline_of_the_service_with_an_id(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    ask.subscribe(stage.juliet, "news", str(stage.juliet.jid))
    ask.publish(stage.romeo, "news", "one", "<entry xmlns='http://www.w3.org/2005/Atom'><title>&lt;</title></entry>")
    stage.settle()
    [message] = stage.juliet.stanzas
    assert (message.get("from"), message.get("to"), message.get("type")) == (
        PUBSUB_DOMAIN, str(stage.juliet.jid), "headline"
    )  # fmt: skip
    assert message.get("id")
    item = message[0][0][0]
    assert item.attrib == {"id": "one"}
    assert item[0].tag == "{http://www.w3.org/2005/Atom}entry"
    assert item[0][0].text == "<"


def test_an_item_without_an_id_gets_one(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    ids = {ask.publish(stage.romeo, "news"), ask.publish(stage.romeo, "news")}
    assert len(ids) == 2
    assert set(ask.items(stage.romeo, "news")) == ids


def test_an_item_with_a_known_id_takes_the_place_of_the_other_and_is_the_newest(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    for id in ("a", "b", "a"):
        ask.publish(stage.romeo, "news", id)
    assert ask.items(stage.romeo, "news") == ["b", "a"]


def test_a_full_node_forgets_the_oldest_and_says_so(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news", max_items="2")
    ask.subscribe(stage.juliet, "news")
    for id in ("a", "b", "c"):
        ask.publish(stage.romeo, "news", id)
    stage.settle()
    assert events(stage.juliet) == ["news: +a p", "news: +b p", "news: +c p", "news: -a"]
    ask.configure(stage.romeo, "news", publish_node_full="discard-oldest")
    ask.publish(stage.romeo, "news", "d")
    ask.configure(stage.romeo, "news", publish_node_full="reject")
    assert ask.refused(stage.romeo, publication("news", "e")) == "cancel conflict node-full"
    assert ask.publish(stage.romeo, "news", "d") == "d"
    stage.settle()
    assert events(stage.juliet) == ["news: +d p", "news: +d p"]
    assert ask.items(stage.romeo, "news") == ["c", "d"]


def test_a_full_node_says_nothing_of_what_it_forgets_where_it_tells_of_no_removals(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news", max_items="2", notify_retract="0")
    ask.subscribe(stage.juliet, "news")
    for id in ("a", "b", "c"):
        ask.publish(stage.romeo, "news", id)
    stage.settle()
    assert events(stage.juliet) == ["news: +a p", "news: +b p", "news: +c p"]


@pytest.mark.parametrize(
    ("config", "request_", "error"),
    [
        ({}, "<publish><item/></publish>", "modify bad-request nodeid-required"),
        ({}, "<publish node='news'/>", "modify bad-request item-required"),
        ({}, "<publish node='news'><item id='a'/></publish>", "modify bad-request payload-required"),
        ({}, "<publish node='news'><item><a xmlns='a'/><b xmlns='b'/></item></publish>",
         "modify bad-request invalid-payload"),
        ({}, "<publish node='news'><item><a xmlns='a'/></item><item><a xmlns='a'/></item></publish>",
         "modify bad-request max-items-exceeded"),
        ({"persist_items": "0", "deliver_payloads": "0"}, "<publish node='news'><item/></publish>",
         "modify bad-request item-forbidden"),
        ({"max_payload_size": "20"}, publication("news", "a", f"<p xmlns='p'>{'x' * 20}</p>"),
         "modify not-acceptable payload-too-big"),
        ({}, publication("news", "a" * 1_024), "modify not-acceptable"),
        ({}, publication("nothing", "a"), "cancel item-not-found"),
    ],
)  # fmt: skip
def test_what_cannot_be_published_is_refused(
    stage: Stage, ask: Asked, config: dict[str, str], request_: str, error: str
) -> None:
    ask.create(stage.romeo, "news", **config)
    by = stage.juliet if "nothing" in request_ else stage.romeo
    assert ask.refused(by, request_) == error


def test_a_node_may_tell_of_items_without_their_payloads(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news", deliver_payloads="0")
    ask.subscribe(stage.juliet, "news")
    ask.publish(stage.romeo, "news", "a")
    stage.settle()
    assert events(stage.juliet) == ["news: +a nothing"]
    answer = ask.done(stage.juliet, "<items node='news'><item id='a'/></items>", type="get")
    assert answer[0][0][0].tag == "{p}p"


def test_a_transient_node_tells_and_keeps_nothing(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "bell", persist_items="0", deliver_payloads="0")
    ask.subscribe(stage.juliet, "bell")
    ask.done(stage.romeo, "<publish node='bell'/>")
    ask.create(stage.romeo, "live", persist_items="0")
    ask.subscribe(stage.juliet, "live")
    ask.publish(stage.romeo, "live", "a")
    stage.settle()
    assert events(stage.juliet) == ["bell: ", "live: +a p"]
    error = "cancel feature-not-implemented unsupported persistent-items"
    assert ask.refused(stage.romeo, "<items node='live'/>", type="get") == error
    assert ask.refused(stage.romeo, "<retract node='live'><item id='a'/></retract>") == error
    assert ask.refused(stage.romeo, "<purge node='live'/>", ns=OWNER) == error


def test_a_node_may_tell_nobody_of_items(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "quiet", deliver_notifications="0")
    ask.subscribe(stage.juliet, "quiet")
    ask.publish(stage.romeo, "quiet", "a")
    stage.settle()
    assert events(stage.juliet) == []


def test_the_publisher_is_named_where_replies_are_for_it_and_never_by_itself(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news", itemreply="publisher", publish_model="open")
    ask.subscribe(stage.benvolio, "news")
    ask.done(stage.juliet, "<publish node='news'><item id='a' publisher='x@y'><p xmlns='p'/></item></publish>")
    stage.settle()
    item = stage.benvolio.stanzas[-1][0][0][0]
    assert item.get("publisher") == "juliet@capulet.lit"
    answer = ask.done(stage.benvolio, "<items node='news'/>", type="get")
    assert answer[0][0].get("publisher") == "juliet@capulet.lit"


def test_items_expire(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news", item_expire="60")
    ask.publish(stage.romeo, "news", "a")
    stage.network.advance(40)
    ask.publish(stage.romeo, "news", "b")
    stage.network.advance(30)
    assert ask.items(stage.romeo, "news") == ["b"]
    stage.network.advance(60)
    assert ask.subscribe(stage.juliet, "news") == "subscribed"
    stage.settle()
    assert events(stage.juliet) == []


# --- publishing options (section 7.1.5)


def test_options_make_the_node_and_are_conditions_from_then_on(stage: Stage, ask: Asked) -> None:
    options = {"access_model": "whitelist", "max_items": "max", "persist_items": "true"}
    ask.publish(stage.romeo, "private", "a", **options)
    ask.publish(stage.romeo, "private", "b", **options)
    assert ask.refused(stage.juliet, "<items node='private'/>", type="get") == "cancel not-allowed closed-node"
    unmet = "cancel conflict precondition-not-met"
    assert ask.refused(stage.romeo, publication("private", "c", access_model="open")) == unmet
    assert ask.refused(stage.romeo, publication("private", "c", nonsense="1")) == unmet
    assert ask.refused(stage.romeo, publication("new", "c", nonsense="1")) == unmet
    assert ask.items(stage.romeo, "private") == ["a", "b"]
    assert ask.refused(stage.romeo, "<items node='new'/>", type="get") == "cancel item-not-found"


def test_options_with_a_number_are_compared_as_numbers(stage: Stage, ask: Asked) -> None:
    ask.publish(stage.romeo, "n", "a", max_items=str(MAX_ITEMS))
    ask.publish(stage.romeo, "n", "b", max_items="max")
    assert ask.items(stage.romeo, "n") == ["a", "b"]


# --- retracting (section 7.2)


def test_a_retracted_item_is_gone_and_subscribers_hear_of_it_where_that_is_asked_for(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news", notify_retract="0")
    ask.subscribe(stage.juliet, "news")
    for id in ("a", "b", "c"):
        ask.publish(stage.romeo, "news", id)
    ask.done(stage.romeo, "<retract node='news'><item id='a'/></retract>")
    ask.done(stage.romeo, "<retract node='news' notify='true'><item id='b'/></retract>")
    ask.configure(stage.romeo, "news", notify_retract="1")
    ask.done(stage.romeo, "<retract node='news' notify='0'><item id='c'/></retract>")
    ask.publish(stage.romeo, "news", "d")
    ask.done(stage.romeo, "<retract node='news'><item id='d'/></retract>")
    stage.settle()
    assert events(stage.juliet)[3:] == ["news: -b", "news: +d p", "news: -d"]
    assert ask.items(stage.romeo, "news") == []


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ("<retract><item id='a'/></retract>", "modify bad-request nodeid-required"),
        ("<retract node='news'/>", "modify bad-request item-required"),
        ("<retract node='news'><item/></retract>", "modify bad-request item-required"),
        ("<retract node='news'><item id='b'/></retract>", "cancel item-not-found"),
        ("<retract node='nothing'><item id='a'/></retract>", "cancel item-not-found"),
        ("<retract node='news' notify='maybe'><item id='a'/></retract>", "modify bad-request"),
    ],
)
def test_what_cannot_be_retracted_is_refused(stage: Stage, ask: Asked, request_: str, error: str) -> None:
    ask.create(stage.romeo, "news")
    ask.publish(stage.romeo, "news", "a")
    assert ask.refused(stage.romeo, request_) == error


def test_who_only_publishes_retracts_only_its_own(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    ask.affiliate(stage.romeo, "news", "juliet@capulet.lit", "publish-only")
    ask.publish(stage.romeo, "news", "his")
    ask.publish(stage.juliet, "news", "hers")
    assert ask.refused(stage.juliet, "<retract node='news'><item id='his'/></retract>") == "auth forbidden"
    ask.done(stage.juliet, "<retract node='news'><item id='hers'/></retract>")
    assert ask.refused(stage.benvolio, "<retract node='news'><item id='his'/></retract>") == "auth forbidden"
    assert ask.items(stage.romeo, "news") == ["his"]


# --- subscribing (sections 6.1 to 6.4)


def test_a_new_subscriber_gets_the_last_item_with_its_time(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    for id in ("a", "b"):
        ask.publish(stage.romeo, "news", id)
    ask.subscribe(stage.juliet, "news")
    ask.subscribe(stage.juliet, "news")
    stage.settle()
    assert events(stage.juliet) == ["news: +b p (late)"]
    ask.configure(stage.romeo, "news", send_last_published_item="never")
    ask.subscribe(stage.benvolio, "news")
    stage.settle()
    assert events(stage.benvolio) == []


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ("<subscribe node='news' jid='romeo@montague.lit'/>", "modify bad-request invalid-jid"),
        ("<subscribe node='news' jid='@'/>", "modify bad-request invalid-jid"),
        ("<subscribe node='news'/>", "modify bad-request invalid-jid"),
        ("<subscribe node='nothing' jid='juliet@capulet.lit'/>", "cancel item-not-found"),
        ("<unsubscribe node='news' jid='juliet@capulet.lit'/>", "cancel unexpected-request not-subscribed"),
        ("<unsubscribe node='news' jid='romeo@montague.lit'/>", "auth forbidden"),
        ("<unsubscribe node='nothing' jid='juliet@capulet.lit'/>", "cancel item-not-found"),
        ("<options node='news'/>", "modify bad-request jid-required"),
        ("<options node='news' jid='romeo@montague.lit'/>", "auth forbidden"),
        ("<options node='news' jid='juliet@capulet.lit'/>", "cancel unexpected-request not-subscribed"),
        ("<subscribe node='news' jid='juliet@capulet.lit'/><options node='news'/>", "modify bad-request"),
    ],
)
def test_what_cannot_be_subscribed_is_refused(stage: Stage, ask: Asked, request_: str, error: str) -> None:
    ask.create(stage.romeo, "news")
    assert ask.refused(stage.juliet, request_) == error


def test_one_entity_does_not_use_up_the_subscriptions_that_are_for_all(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    for number in range(subscribing.MAX_OF_ENTITY):
        ask.subscribe(stage.juliet, "news", f"juliet@capulet.lit/{number}")
    request = "<subscribe node='news' jid='juliet@capulet.lit/more'/>"
    assert ask.refused(stage.juliet, request) == "modify policy-violation too-many-subscriptions"
    assert ask.subscribe(stage.benvolio, "news") == "subscribed"


def test_who_unsubscribes_is_told_no_more(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news", notify_sub="1")
    ask.subscribe(stage.juliet, "news")
    answer = ask.done(stage.juliet, "<unsubscribe node='news' jid='juliet@capulet.lit' subid='x'/>")
    assert answer[0].get("subscription") == "none"
    ask.publish(stage.romeo, "news")
    stage.settle()
    assert events(stage.juliet) == []
    assert events(stage.romeo) == ["news juliet@capulet.lit subscribed", "news juliet@capulet.lit none"]


def test_options_silence_a_subscription(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    options, jid = f"{PUBSUB}#subscribe_options", "juliet@capulet.lit"
    answer = ask.done(
        stage.juliet, f"<subscribe node='news' jid='{jid}'/><options>{form(options, deliver='0')}</options>"
    )
    assert [each.tag for each in answer] == [f"{{{PUBSUB}}}subscription", f"{{{PUBSUB}}}options"]
    ask.publish(stage.romeo, "news", "a")
    ask.done(stage.juliet, f"<options node='news' jid='{jid}'>{form(options, deliver='true')}</options>")
    ask.publish(stage.romeo, "news", "b")
    stage.settle()
    assert events(stage.juliet)[-1] == "news: +b p"
    assert "news: +a p" not in events(stage.juliet)
    wrong = "modify bad-request invalid-options"
    for fields in ({"deliver": "perhaps"}, {"expire": "presence"}):
        request = f"<options node='news' jid='{jid}'>{form(options, **fields)}</options>"
        assert ask.refused(stage.juliet, request) == wrong
    for request in (f"<options node='news' jid='{jid}'/>", "<default node='news'/>", "<default/>"):
        shown = ask.done(stage.juliet, request, type="get")
        assert [each.get("var") for each in shown[0][0]] == ["FORM_TYPE", "pubsub#deliver"]


def test_everybody_can_list_its_own(stage: Stage, ask: Asked) -> None:
    for node in ("news", "other"):
        ask.create(stage.romeo, node)
    ask.subscribe(stage.juliet, "news")
    ask.subscribe(stage.juliet, "news", str(stage.juliet.jid))
    ask.affiliate(stage.romeo, "other", "juliet@capulet.lit", "member")
    listed = ask.done(stage.juliet, "<subscriptions/>", type="get")[0]
    assert [(each.get("node"), each.get("jid"), each.get("subscription")) for each in listed] == [
        ("news", "juliet@capulet.lit", "subscribed"), ("news", "juliet@capulet.lit/balcony", "subscribed")
    ]  # fmt: skip
    assert len(ask.done(stage.juliet, "<subscriptions node='other'/>", type="get")[0]) == 0
    listed = ask.done(stage.juliet, "<affiliations/>", type="get")[0]
    assert [(each.get("node"), each.get("affiliation")) for each in listed] == [("other", "member")]
    assert len(ask.done(stage.benvolio, "<affiliations/>", type="get")[0]) == 0
    assert [
        each.get("affiliation") for each in ask.done(stage.romeo, "<affiliations node='news'/>", type="get")[0]
    ] == ["owner"]


# --- retrieving (section 6.5)


def test_items_are_found_by_id_and_by_number_and_in_pages(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    for id in "abcde":
        ask.publish(stage.romeo, "news", id)
    wanted = "<item id='d'/><item id='nothing'/><item id='b'/><item id='d'/>"
    assert ask.items(stage.juliet, "news", wanted) == ["d", "b"]
    assert ask.items(stage.juliet, "news", max_items="2") == ["d", "e"]
    assert ask.items(stage.juliet, "news", "<item id='nothing'/>") == []
    page = "<items node='news'/><set xmlns='http://jabber.org/protocol/rsm'><max>2</max><after>b</after></set>"
    answer = ask.done(stage.juliet, page, type="get")
    assert [each.get("id") for each in answer[0]] == ["c", "d"]
    assert [(each.tag.rpartition("}")[2], each.text) for each in answer[1]] == [
        ("first", "c"), ("last", "d"), ("count", "5")
    ]  # fmt: skip
    assert answer[1][0].get("index") == "2"
    unknown = page.replace("<after>b</after>", "<after>z</after>")
    assert ask.refused(stage.juliet, unknown, type="get") == "cancel item-not-found"
    assert ask.refused(stage.juliet, "<items node='nothing'/>", type="get") == "cancel item-not-found"
    assert ask.refused(stage.juliet, "<items node='news' max_items='x'/>", type="get") == "modify bad-request"


def test_what_is_too_much_for_one_reply_says_that_there_is_more(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    for id in "abc":
        ask.publish(stage.romeo, "news", id, f"<p xmlns='p'>{'x' * 140_000}</p>")
    answer = ask.done(stage.juliet, "<items node='news'/>", type="get")
    assert [each.get("id") for each in answer[0]] == ["b", "c"]
    assert answer[1][-1].text == "3"


def test_items_that_are_asked_for_and_too_much_for_one_reply_say_so_too(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    for id in "abc":
        ask.publish(stage.romeo, "news", id, f"<p xmlns='p'>{'x' * 140_000}</p>")
    named = "".join(f"<item id='{id}'/>" for id in "abc")
    answer = ask.done(stage.juliet, f"<items node='news'>{named}</items>", type="get")
    assert [each.get("id") for each in answer[0]] == ["a", "b"]
    assert answer[1][-1].text == "3"


# --- who may do what (section 4.1), and access models (4.5)


@pytest.mark.parametrize(
    ("affiliation", "read", "publish"),
    [
        ("publisher", "", ""),
        ("publish-only", "auth forbidden", ""),
        ("member", "", "auth forbidden"),
        ("none", "cancel not-allowed closed-node", "auth forbidden"),
        ("outcast", "auth forbidden", "auth forbidden"),
    ],
)
def test_affiliations_at_a_node_with_a_list(
    stage: Stage, ask: Asked, affiliation: str, read: str, publish: str
) -> None:
    ask.create(stage.romeo, "news", access_model="whitelist")
    ask.affiliate(stage.romeo, "news", "juliet@capulet.lit", affiliation)
    for type, request_, error in (
        ("get", "<items node='news'/>", read),
        ("set", "<subscribe node='news' jid='juliet@capulet.lit'/>", read),
        ("set", publication("news"), publish),
    ):
        reply = ask.reply(stage.juliet, request_, type=type)
        assert reply.get("type") == ("error" if error else "result"), request_
        if error:
            assert ask.refused(stage.juliet, request_, type=type) == error
    for request_ in ("<configure node='news'/>", "<affiliations node='news'/>", "<subscriptions node='news'/>"):
        assert ask.refused(stage.juliet, request_, type="get", ns=OWNER) == "auth forbidden"
    for request_ in ("<purge node='news'/>", "<delete node='news'/>"):
        assert ask.refused(stage.juliet, request_, ns=OWNER) == "auth forbidden"


def test_subscribers_may_publish_where_the_model_says_so(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "talk", publish_model="subscribers")
    assert ask.refused(stage.juliet, publication("talk")) == "auth forbidden"
    ask.subscribe(stage.juliet, "talk")
    ask.publish(stage.juliet, "talk", "hers")
    ask.configure(stage.romeo, "talk", publish_model="open")
    ask.publish(stage.benvolio, "talk", "his")
    assert ask.items(stage.romeo, "talk") == ["hers", "his"]


def test_an_owner_approves_who_subscribes(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "club", access_model="authorize")
    ask.publish(stage.romeo, "club", "a")
    assert ask.refused(stage.juliet, "<items node='club'/>", type="get") == "auth not-authorized not-subscribed"
    assert ask.subscribe(stage.juliet, "club") == "pending"
    pending = ask.refused(stage.juliet, "<subscribe node='club' jid='juliet@capulet.lit'/>")
    assert pending == "auth not-authorized pending-subscription"
    stage.settle()
    [question] = stage.romeo.stanzas
    fields = {field.get("var"): [value.text for value in field] for field in child(question, "x", "jabber:x:data")}
    assert fields["pubsub#node"] == ["club"]
    assert fields["pubsub#subscriber_jid"] == ["juliet@capulet.lit"]
    assert question.find("{jabber:client}body") is not None

    def answer(allow: str) -> str:
        shown = form(f"{PUBSUB}#subscribe_authorization", node="club", subscriber_jid="juliet@capulet.lit", allow=allow)
        return f"<message to='{PUBSUB_DOMAIN}' id='{question.get('id')}'>{shown}</message>"

    stage.say(stage.benvolio, answer("1"))
    assert stage.benvolio.take() == [f"message/error {PUBSUB_DOMAIN}: auth forbidden"]
    stage.say(stage.romeo, answer("1"))
    assert events(stage.juliet) == ["club juliet@capulet.lit subscribed", "club: +a p (late)"]
    assert ask.items(stage.juliet, "club") == ["a"]
    stage.say(stage.romeo, answer("0"))
    assert events(stage.juliet) == []  # nobody waits any more


def test_an_owner_turns_somebody_down(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "club", access_model="authorize")
    ask.subscribe(stage.juliet, "club")
    shown = form(f"{PUBSUB}#subscribe_authorization", node="club", subscriber_jid="juliet@capulet.lit", allow="false")
    stage.say(stage.romeo, f"<message to='{PUBSUB_DOMAIN}'>{shown.replace('submit', 'cancel')}</message>")
    assert len(ask.done(stage.juliet, "<subscriptions/>", type="get")[0]) == 1
    stage.say(stage.romeo, f"<message to='{PUBSUB_DOMAIN}'>{shown}</message>")
    assert events(stage.juliet) == ["club juliet@capulet.lit none"]
    assert len(ask.done(stage.juliet, "<subscriptions/>", type="get")[0]) == 0


def test_who_becomes_a_member_waits_no_longer(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "club", access_model="authorize")
    for client in (stage.juliet, stage.benvolio):
        ask.subscribe(client, "club")
    ask.affiliate(stage.romeo, "club", "juliet@capulet.lit", "member")
    ask.affiliate(stage.romeo, "club", "benvolio@montague.lit", "outcast")
    stage.settle()
    assert events(stage.juliet) == ["club juliet@capulet.lit subscribed"]
    assert events(stage.benvolio) == ["club benvolio@montague.lit none"]


def test_a_subscriber_who_may_not_read_any_more_is_none(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    ask.subscribe(stage.juliet, "news", str(stage.juliet.jid))
    ask.affiliate(stage.romeo, "news", "juliet@capulet.lit", "outcast")
    stage.settle()
    assert events(stage.juliet) == ["news juliet@capulet.lit/balcony none"]
    ask.publish(stage.romeo, "news")
    stage.settle()
    assert events(stage.juliet) == []


def test_the_cost_of_knowing_who_is_subscribed_grows_with_their_number() -> None:
    """Whoever publishes where owners let subscribers in asks that of each of them."""

    def calls(upto: int) -> int:
        jids = [Jid(f"p{number}", "montague.lit") for number in range(upto)]
        record = NodeRecord("news", NodeConfig(), jids[0], 0.0)
        node = Node(record, {jid: Party(jid, subscription="subscribed") for jid in jids})
        counted = 0

        def count(frame: object, event: str, arg: object) -> None:
            nonlocal counted
            counted += event == "call"

        sys.setprofile(count)
        try:
            assert all(node.is_subscribed(jid) for jid in jids)
        finally:
            sys.setprofile(None)
        return counted

    assert calls(400) < 5 * calls(100)


# --- whatever is published arrives as it is

ODD = "a\"b'c&<d> é\u2028"
LONG = "urn:example:" + "long:" * 20
PAYLOADS = {
    "a stanza": "<message xmlns='jabber:client' to='a@b'><body>&lt;hi/></body></message>",
    "no namespace": "<plain xmlns=''><child/>text</plain>",
    "prefixes": f"<x:e xmlns:x='{LONG}' x:a='1'><y:f xmlns:y='urn:y'><x:g/></y:f><h xmlns='urn:h' y='2'/></x:e>",
    "its own namespaces": f"<item xmlns='{PUBSUB}'><event xmlns='{PUBSUB}#event'/></item>",
    "texts": "<t xmlns='t' xml:lang='el'> Ψ ]]&gt;&#13;\n<![CDATA[<&>]]> </t>",
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_what_is_published_arrives_as_it_is(stage: Stage, ask: Asked, payload: str) -> None:
    ask.create(stage.romeo, ODD)
    ask.subscribe(stage.juliet, ODD)
    assert ask.publish(stage.romeo, ODD, ODD, payload) == ODD
    stage.settle()
    event = next(each for each in stage.juliet.stanzas if each.tag.endswith("message"))
    answer = ask.done(stage.juliet, f"<items node={quoteattr(ODD)}/>", type="get")
    expected = xml.serialize(xml.parse(payload.encode()), "\n")
    for items in (event[0][0], answer[0]):
        assert items.get("node") == ODD
        assert items[0].get("id") == ODD
        assert xml.serialize(items[0][0], "\n") == expected


def test_a_payload_that_grows_when_it_is_written_without_prefixes_is_bounded(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    many = "<a:x/><b:x/>" * 2_200
    payload = f"<p xmlns='p' xmlns:a='urn:{'a' * 59}' xmlns:b='urn:{'b' * 59}'>{many}</p>"
    assert ask.refused(stage.romeo, publication("news", "1", payload)) == "modify not-acceptable payload-too-big"
