"""Service discovery of a publish-subscribe service, its nodes and their items (XEP-0060 sections 5.1 to 5.5)."""

from __future__ import annotations

import pytest

from cluster.host import disco as disco_of_host
from cluster.pubsub.errors import PUBSUB
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.rsm import RSM
from tests.pubsub import Asked
from tests.unit.services.pubsub.stage import PUBSUB_DOMAIN, Stage, values

ITEMS, INFO = "http://jabber.org/protocol/disco#items", "http://jabber.org/protocol/disco#info"


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
