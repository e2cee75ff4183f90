"""XEP-0060 section 6.1.6: several subscriptions of one JID to a node, with different options."""

from __future__ import annotations

import pytest

from tests.conformance.eventing import INFO, OWNER, TUNE, Scene, ask, create, done, form, publish, refusal
from tests.conformance.rules import pubsub
from tests.conformance.site import Site
from tests.conformance.wire import Element

SHIM = "{http://jabber.org/protocol/shim}"
EVENT = "{http://jabber.org/protocol/pubsub#event}"


class Subscriber:
    """Somebody with two subscriptions to a node of an account of the other domain."""

    def __init__(self, scene: Scene) -> None:
        self.owner, self.client = scene.owner, scene.stranger()
        create(self.owner, TUNE, access_model="open")
        self.subids = [self.subscribe(""), self.subscribe("2038-01-19T03:14:07Z")]

    def subscribe(self, expire: str) -> str:
        options = f"<options>{form('subscribe_options', expire=expire)}</options>" if expire else ""
        request = f"<subscribe node='{TUNE}' jid='{self.client.bare}'/>{options}"
        return done(self.client, "set", request, self.owner.bare)[0].get("subid", "")

    def ask(self, type: str, name: str, subid: str = "") -> Element:
        """A request about the node, for its own JID."""
        jid = "" if name == "items" else f" jid='{self.client.bare}'"
        named = f" subid='{subid}'" if subid else ""
        return ask(self.client, type, f"<{name} node='{TUNE}'{jid}{named}/>", self.owner.bare)

    def listed(self) -> list[str]:
        shown = done(self.client, "get", f"<subscriptions node='{TUNE}'/>", self.owner.bare)[0]
        return [each.get("subid", "") for each in shown]


@pytest.fixture
def subscriber(site: Site, scene: Scene) -> Subscriber:
    features = {each.get("var") for each in scene.owner.ask("get", f"<query xmlns='{INFO}'/>", scene.owner.bare)[0]}
    if "http://jabber.org/protocol/pubsub#multi-subscribe" not in features:
        site.lacks("several subscriptions of one JID")
    return Subscriber(scene)


@pubsub("6.1.6", "MUST", "Several subscriptions of one JID have different SubIDs.")
@pubsub("5.6", "MUST", "Where there are SubIDs, a list of subscriptions has them.")
def test_subids(subscriber: Subscriber) -> None:
    assert len(set(subscriber.subids)) == 2
    assert "" not in subscriber.subids
    assert sorted(subscriber.listed()) == sorted(subscriber.subids)


@pubsub("6.1.6", "SHOULD", "Who has several subscriptions gets one notification.")
@pubsub("7.1.2.4", "SHOULD", "It has the SubIDs of all of them, as headers.")
def test_one_notification(subscriber: Subscriber) -> None:
    publish(subscriber.owner, TUNE, "1")
    publish(subscriber.owner, TUNE, "2")
    is_event = lambda child: child.find(f"{EVENT}event") is not None  # noqa: E731
    told = [subscriber.client.until(is_event)[-1] for _ in range(2)]
    assert [item.get("id") for each in told for item in each.iter(f"{EVENT}item")] == ["1", "2"]
    for each in told:
        found = [header.text for header in each.findall(f"{SHIM}headers/{SHIM}header[@name='SubID']")]
        assert sorted(filter(None, found)) == sorted(subscriber.subids)


@pubsub("6.2.3.1", "MUST", "Who has several subscriptions and ends one without its SubID gets bad-request.")
@pubsub("6.3.4.4", "MUST", "So does who asks for the options of one.")
@pubsub("6.5.9.1", "MUST", "So does who asks for items.")
@pytest.mark.parametrize(("type", "name"), [("set", "unsubscribe"), ("get", "options"), ("get", "items")])
def test_no_subid(subscriber: Subscriber, type: str, name: str) -> None:
    assert refusal(subscriber.ask(type, name)) == ("bad-request", "subid-required")


@pubsub("6.2.3.5", "MUST", "Who ends a subscription with a SubID that is not its own gets not-acceptable.")
@pubsub("6.3.4.5", "MUST", "So does who asks for the options of one.")
@pubsub("6.5.9.2", "MUST", "So does who asks for items.")
@pytest.mark.parametrize(("type", "name"), [("set", "unsubscribe"), ("get", "options"), ("get", "items")])
def test_wrong_subid(subscriber: Subscriber, type: str, name: str) -> None:
    assert refusal(subscriber.ask(type, name, "wrong")) == ("not-acceptable", "invalid-subid")


@pubsub("6.2.2", "MUST", "An unsubscription with a SubID ends that subscription alone, and the answer has the SubID.")
def test_unsubscribing_one(subscriber: Subscriber) -> None:
    gone, left = subscriber.subids
    answer = subscriber.ask("set", "unsubscribe", gone)
    assert (answer[0][0].get("subid"), answer[0][0].get("subscription")) == (gone, "none")
    assert subscriber.listed() == [left]


@pubsub("8.8.1.2", "MUST", "In the list of an owner, several subscriptions of one JID have different SubIDs.")
def test_owner(subscriber: Subscriber) -> None:
    answer = done(subscriber.owner, "get", f"<subscriptions node='{TUNE}'/>", owner=True)
    found = answer.findall(f"{OWNER}subscriptions/{OWNER}subscription")
    assert [(each.get("jid"), each.get("subid")) for each in found] == [
        (subscriber.client.bare, subid) for subid in subscriber.subids
    ]
