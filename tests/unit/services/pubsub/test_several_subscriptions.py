"""Several subscriptions of one JID to a node (XEP-0060 section 6.1.6)."""

from __future__ import annotations

import pytest

from cluster.pubsub.errors import OWNER, PUBSUB
from cluster.pubsub.events import SHIM
from cluster.xmpp import timestamp
from tests.network import START_UTC_S
from tests.pubsub import Asked, events, form
from tests.unit.services.pubsub.stage import Stage

JULIET = "juliet@capulet.lit"


@pytest.fixture
def node(stage: Stage, ask: Asked) -> str:
    ask.create(stage.romeo, "news")
    return "news"


def options(seconds: float) -> str:
    """Those of a subscription that ends so much later than the stage began."""
    until = timestamp.to_text(START_UTC_S + seconds)
    return f"<options>{form(f'{PUBSUB}#subscribe_options', expire=until)}</options>"


def subscribe(stage: Stage, ask: Asked, with_options: str = "") -> str:
    """The SubID of the subscription."""
    answer = ask.done(stage.juliet, f"<subscribe node='news' jid='{JULIET}'/>{with_options}")
    assert answer[0].get("subscription") == "subscribed"
    return answer[0].get("subid", "")


def subids(stage: Stage) -> list[list[str | None]]:
    """Those of each notification."""
    stage.settle()
    found = [
        [header.text for header in stanza.iterfind(f"{{{SHIM}}}headers/{{{SHIM}}}header[@name='SubID']")]
        for stanza in stage.juliet.stanzas
        if stanza.tag.endswith("}message")
    ]
    stage.juliet.stanzas.clear()
    return found


def own(stage: Stage, ask: Asked) -> list[str | None]:
    """What her list of subscriptions says."""
    return [each.get("subid") for each in ask.done(stage.juliet, "<subscriptions/>", type="get")[0]]


def test_a_request_that_is_repeated_is_one_subscription(stage: Stage, ask: Asked, node: str) -> None:
    one, other = subscribe(stage, ask), subscribe(stage, ask, options(100))
    assert one != other
    assert subscribe(stage, ask) == one
    assert subscribe(stage, ask, options(100)) == other
    assert own(stage, ask) == [one, other]


def test_one_notification_has_the_ids_of_all(stage: Stage, ask: Asked, node: str) -> None:
    one = subscribe(stage, ask)
    ask.publish(stage.romeo, node)
    assert subids(stage) == [[]]
    other = subscribe(stage, ask, options(100))
    subids(stage)
    ask.subscribe(stage.benvolio, node)
    ask.publish(stage.romeo, node)
    assert subids(stage) == [[one, other]]
    assert len(events(stage.benvolio)) == 2  # the last item, and the new one


def test_each_ends_for_itself_and_outlives_a_kill(stage: Stage, ask: Asked, node: str) -> None:
    one, _, long = (subscribe(stage, ask, each) for each in ("", options(100), options(200)))
    stage.restart_by_kill()
    stage.network.advance(150)
    ask.publish(stage.romeo, node)
    stage.juliet.stanzas = [each for each in stage.juliet.stanzas if "none" not in str(each[0][0].attrib)]
    assert subids(stage) == [[one, long]]
    assert own(stage, ask) == [one, long]
    ask.done(stage.juliet, f"<unsubscribe node='news' jid='{JULIET}' subid='{one}'/>")
    stage.restart_by_kill()
    assert own(stage, ask) == [long]
    assert subscribe(stage, ask) == long


@pytest.mark.parametrize("request_", ["unsubscribe", "options", "items"])
def test_a_request_says_which(stage: Stage, ask: Asked, node: str, request_: str) -> None:
    subscribe(stage, ask)
    other = subscribe(stage, ask, options(100))
    type = "set" if request_ == "unsubscribe" else "get"
    asked = f"<{request_} node='news'" + ("" if request_ == "items" else f" jid='{JULIET}'")
    assert ask.refused(stage.juliet, f"{asked}/>", type=type) == "modify bad-request subid-required"
    wrong = ask.refused(stage.juliet, f"{asked} subid='wrong'/>", type=type)
    assert wrong == "modify not-acceptable invalid-subid"
    ask.done(stage.juliet, f"{asked} subid='{other}'/>", type=type)


def test_an_owner_sees_each_and_ends_one_or_all(stage: Stage, ask: Asked, node: str) -> None:
    one, other, last = (subscribe(stage, ask, each) for each in ("", options(100), options(200)))
    shown = ask.done(stage.romeo, "<subscriptions node='news'/>", type="get", ns=OWNER)[0]
    assert [(each.get("jid"), each.get("subid")) for each in shown] == [(JULIET, id) for id in (one, other, last)]

    def end(subid: str) -> str:
        ended = f"<subscription jid='{JULIET}' subscription='none'{subid}/>"
        return f"<subscriptions node='news'>{ended}</subscriptions>"

    ask.done(stage.romeo, end(f" subid='{other}'"), ns=OWNER)
    assert own(stage, ask) == [one, last]
    assert ask.refused(stage.romeo, end(f" subid='{other}'"), ns=OWNER) == "modify not-acceptable invalid-subid"
    ask.done(stage.romeo, end(""), ns=OWNER)
    assert own(stage, ask) == []
    ask.publish(stage.romeo, node)
    events(stage.juliet)
    assert subids(stage) == []


def test_there_is_no_room_for_any_number(stage: Stage, ask: Asked, node: str) -> None:
    for number in range(100):
        subscribe(stage, ask, options(1_000 + number))
    request = f"<subscribe node='news' jid='{JULIET}'/>{options(10_000)}"
    assert ask.refused(stage.juliet, request) == "modify policy-violation too-many-subscriptions"


def test_an_outcast_loses_all(stage: Stage, ask: Asked, node: str) -> None:
    for each in ("", options(100)):
        subscribe(stage, ask, each)
    ask.affiliate(stage.romeo, node, JULIET, "outcast")
    assert own(stage, ask) == []
