"""Who may do what at a publish-subscribe service: affiliations and access models (XEP-0060 sections 4.1 and 4.5)."""

from __future__ import annotations

import sys

import pytest

from cluster.pubsub.errors import OWNER, PUBSUB
from cluster.store.pubsub import Node, NodeConfig, NodeRecord, Party
from cluster.xmpp.jid import Jid
from tests.client import child
from tests.pubsub import Asked, events, form, publication
from tests.unit.services.pubsub.stage import PUBSUB_DOMAIN, Stage


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
    """A publication at a node with the access model `authorize` asks it for each subscriber."""

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
