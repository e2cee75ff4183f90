"""Subscribing to the nodes of a publish-subscribe service and retrieving their items (XEP-0060 section 6)."""

from __future__ import annotations

import pytest

from cluster.pubsub import subscribing
from cluster.pubsub.errors import PUBSUB
from cluster.xmpp import timestamp
from tests.network import START_UTC_S
from tests.pubsub import Asked, events, form, publication
from tests.unit.services.pubsub.stage import Stage, values

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
    answer = ask.done(stage.juliet, "<unsubscribe node='news' jid='juliet@capulet.lit'/>")
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
        assert [each.get("var") for each in shown[0][0]] == ["FORM_TYPE", "pubsub#deliver", "pubsub#expire"]


def lease(stage: Stage, seconds: float) -> str:
    """The options of a subscription that ends so much later."""
    now_utc_s = START_UTC_S + stage.network.clock.seconds()
    return form(f"{PUBSUB}#subscribe_options", expire=timestamp.to_text(now_utc_s + seconds))


def test_a_lease_ends_and_is_renewed(stage: Stage, ask: Asked) -> None:
    """XEP-0060 section 12.19; it outlives a kill of the service."""
    ask.create(stage.romeo, "news")
    jid = "juliet@capulet.lit"
    request = f"<subscribe node='news' jid='{jid}'/><options>{lease(stage, 100)}</options>"
    ask.done(stage.juliet, request)
    stage.restart_by_kill()
    shown = ask.done(stage.juliet, f"<options node='news' jid='{jid}'/>", type="get")
    assert values(shown[0][0])["pubsub#expire"].endswith("Z")
    stage.network.advance(80)
    ask.done(stage.juliet, f"<options node='news' jid='{jid}'>{lease(stage, 100)}</options>")
    stage.network.advance(80)
    ask.publish(stage.romeo, "news", "a")
    stage.settle()
    assert events(stage.juliet) == ["news: +a p"]
    stage.network.advance(80)
    ask.publish(stage.romeo, "news", "b")
    stage.settle()
    assert events(stage.juliet) == [f"news {jid} none"]
    assert len(ask.done(stage.juliet, "<subscriptions/>", type="get")[0]) == 0
    assert ask.refused(stage.juliet, f"<unsubscribe node='news' jid='{jid}'/>") == (
        "cancel unexpected-request not-subscribed"
    )


def test_a_lease_without_an_end_and_one_that_is_over(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "news")
    options = f"<options node='news' jid='juliet@capulet.lit'>{lease(stage, 10)}</options>"
    ask.subscribe(stage.juliet, "news")
    ask.done(stage.juliet, options)
    without = f"{form(f'{PUBSUB}#subscribe_options', expire='')}"
    ask.done(stage.juliet, f"<options node='news' jid='juliet@capulet.lit'>{without}</options>")
    stage.network.advance(20)
    assert ask.refused(stage.juliet, options) == "modify bad-request invalid-options"
    assert len(ask.done(stage.juliet, "<subscriptions/>", type="get")[0]) == 1


def test_who_had_a_lease_publishes_no_more_where_only_subscribers_do(stage: Stage, ask: Asked) -> None:
    ask.create(stage.romeo, "talk", publish_model="subscribers")
    ask.done(stage.juliet, f"<subscribe node='talk' jid='juliet@capulet.lit'/><options>{lease(stage, 10)}</options>")
    ask.publish(stage.juliet, "talk", "a")
    stage.network.advance(20)
    assert ask.refused(stage.juliet, publication("talk", "b")) == "auth forbidden"


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
