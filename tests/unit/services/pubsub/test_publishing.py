"""Publishing and retracting items at a publish-subscribe service (XEP-0060 section 7)."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import pytest

from cluster.pubsub.errors import OWNER, PUBSUB
from cluster.store.pubsub import MAX_ITEMS
from cluster.xmpp import element as xml
from tests.pubsub import Asked, events, publication
from tests.unit.services.pubsub.stage import PUBSUB_DOMAIN, Stage

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
