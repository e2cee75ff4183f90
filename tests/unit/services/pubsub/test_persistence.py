"""How much a publish-subscribe service keeps, and that it keeps it through a kill."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from cluster.pubsub import service as core
from cluster.pubsub.errors import OWNER, PUBSUB
from cluster.services import pubsub as generic
from cluster.store.pubsub import Party
from tests.network import at_once, watched_log
from tests.pubsub import Asked, events, publication
from tests.unit.services.pubsub.stage import PUBSUB_DOMAIN, Stage


def test_the_bytes_of_a_service_are_bounded() -> None:
    stage = Stage(bytes=10_000)
    stage.ask.create(stage.romeo, "news")
    stage.ask.publish(stage.romeo, "news", "a", f"<p xmlns='p'>{'x' * 9_000}</p>")
    request = publication("news", "b", f"<p xmlns='p'>{'x' * 9_000}</p>")
    assert stage.ask.refused(stage.romeo, request) == "wait resource-constraint max-items-exceeded"
    assert stage.ask.items(stage.romeo, "news") == ["a"]


def test_nodes_and_subscriptions_are_bounded(stage: Stage, ask: Asked) -> None:
    service = next(iter(stage.network.servers["montague.lit"].server._hosted))
    pubsub = generic._pubsub.of(service._hosted._ctx)
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
    ask.create(stage.romeo, "three")  # subscriptions do not use up the room for nodes


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
    store.put_party = put_later
    people = "".join(f"<affiliation jid='{name}@capulet.lit' affiliation='member'/>" for name in ("juliet", "nurse"))
    change = f"<pubsub xmlns='{OWNER}'><affiliations node='news'>{people}</affiliations></pubsub>"
    stage.say(stage.romeo, f"<iq to='{PUBSUB_DOMAIN}' type='set' id='later'>{change}</iq>")
    store.put_party = put_party
    ask.done(stage.romeo, "<delete node='news'/>", ns=OWNER)
    with watched_log() as failures:
        is_kept.callback(None)
        stage.settle()
    assert not failures
    assert at_once(store.load(f"@{PUBSUB_DOMAIN}")) == {}


def test_another_node_of_the_domain_takes_the_service_over(stage: Stage, ask: Asked) -> None:
    stage.network.add_node("s1-2")
    nurse = stage.network.online("nurse@montague.lit/home", at="s1-2")
    ask.create(stage.romeo, "news", access_model="open", publish_model="open")
    ask.subscribe(stage.juliet, "news")
    ask.publish(nurse, "news", "a")
    stage.romeo.is_closed = stage.benvolio.is_closed = True
    stage.network.crash("montague.lit")
    nurse.send(
        f"<iq to='{PUBSUB_DOMAIN}' type='set' id='p'><pubsub xmlns='{PUBSUB}'>{publication('news', 'b')}</pubsub></iq>"
    )
    stage.network.advance(4)
    assert [each.get("type") for each in nurse.stanzas if each.get("id") == "p"] == ["result"]
    assert events(stage.juliet) == ["news: +a p", "news: +b p"]
    assert ask.items(stage.juliet, "news") == ["a", "b"]
    again = stage.network.online("romeo@montague.lit/pda", at="s1-2")
    ask.configure(again, "news", title="Verona")


def test_a_publication_without_an_id_that_is_read_again_is_one_item() -> None:
    """Its entry in the link was not acknowledged when the server was killed."""
    stage = Stage(acknowledge_after_s=5.0)
    stage.ask.create(stage.romeo, "news", publish_model="open")
    stage.ask.publish(stage.juliet, "news")
    stage.network.advance(6)
    request = f"<iq to='{PUBSUB_DOMAIN}' type='set' id='p'><pubsub xmlns='{PUBSUB}'>{publication('news')}</pubsub></iq>"
    stage.network.say(stage.juliet, request)
    stage.network.advance(0.1)
    [first] = [each for each in stage.juliet.stanzas if each.get("id") == "p"]
    stage.network.kill("montague.lit")
    stage.network.start("montague.lit")
    stage.network.advance(1)
    [again] = [each for each in stage.juliet.stanzas if each.get("id") == "p"][1:]
    assert again[0][0][0].get("id") == first[0][0][0].get("id")
    stage.romeo = stage.network.online("romeo@montague.lit/pda")
    assert len(stage.ask.items(stage.romeo, "news")) == 2
