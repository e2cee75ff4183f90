"""What `xmpplab why` makes of hops."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from cluster.base import reasons
from cluster.trace.hop import Event, Hop
from cluster.trace.verdict import is_failure, lines, summary
from cluster.trace.why import Cause, explain, mermaid, under_way, usual_ms

NOW_UTC = datetime.fromtimestamp(3, UTC)
ROMEO, JULIET = "romeo@montague.lit", "juliet@capulet.lit"
WAY = [(ROMEO, "sent"), ("s1", "received"), ("router", "enqueued"), ("router", "dequeued"), ("s2", "delivered")]


def hops(*times_ms: float, way: list[tuple[str, str]] = WAY, detail: str = "", reason: str = "") -> list[Hop]:
    """One hop at each time; detail and reason are of the last."""
    found = []
    for number, (at_ms, (node, event)) in enumerate(zip(times_ms, way, strict=False), 1):
        is_last = number == len(times_ms)
        end = (detail, reason) if is_last else ("", "")
        found.append(Hop("t", node, Event(event), int(at_ms * 1e6), "message", ROMEO, JULIET, 99, *end))
    return found


USUAL = usual_ms([hops(0, 1, 2, 3, 4)] * 5)


def test_what_arrives_as_usual_needs_no_reason() -> None:
    answer = explain(hops(0, 1, 2, 3, 4), USUAL)
    assert (answer.outcome, answer.where, answer.reason) == ("delivered", "s2", "")
    assert not any(each.is_late for each in answer.decisions)


def test_the_step_that_took_the_time_is_named() -> None:
    answer = explain(hops(0, 1, 2, 812, 813), USUAL)
    assert (answer.outcome, answer.reason) == ("delivered", "late")
    assert [each.is_late for each in answer.decisions] == [False, False, False, True, False]
    assert "router took it out of the queue after 810 ms; 1.00 ms as a rule" in answer.what


def test_a_step_that_is_always_slow_is_not_late() -> None:
    usual = usual_ms([hops(0, 1, 2, 802, 803)] * 5)
    assert explain(hops(0, 1, 2, 812, 813), usual).reason == ""


def test_where_nothing_is_usual_yet_a_long_step_is_late_all_the_same() -> None:
    assert explain(hops(0, 1, 2, 812, 813), {}).reason == "late"
    assert explain(hops(0, 1, 2, 112, 113), {}).reason == ""


@pytest.mark.parametrize("event", ["bounced", "dropped", "lost"])
def test_a_failure_has_its_reason_rule_and_remedy(event: str) -> None:
    way = [*WAY[:4], ("s2", event)]
    answer = explain(hops(0, 1, 2, 3, 4, way=way, detail="no such account", reason="no-account"), USUAL)
    assert (answer.outcome, answer.where, answer.reason) == (event, "s2", "no-account")
    assert answer.rule == "RFC 6121 section 8.5.1"
    assert "xmpplab user add" in answer.remedy
    assert "no such account" in answer.what


def test_a_failure_that_is_not_known_tells_what_was_recorded() -> None:
    answer = explain(hops(0, 1, way=[(ROMEO, "sent"), ("g1", "bounced")], detail="odd", reason="of the future"), USUAL)
    assert (answer.reason, answer.what) == ("refused", "odd")


def test_what_is_not_at_its_end_waits_for_what_is_in_the_way() -> None:
    causes = [Cause(reasons.NODE_PAUSED, "s2 is paused"), Cause(reasons.LINK_FAULT, "delay 1s")]
    answer = explain(hops(0, 1, 2), USUAL, causes)
    assert (answer.outcome, answer.where, answer.reason) == ("waits", "router", "node-paused")
    assert answer.what.endswith("(s2 is paused; delay 1s)")
    assert explain(hops(0, 1, 2), USUAL).reason == "on-its-way"


def test_what_a_component_was_handed_is_not_at_its_end() -> None:
    way = [(ROMEO, "sent"), ("s1", "received"), ("s1", "delivered")]
    assert explain(hops(0, 1, 2, way=way, detail="component sms.montague.lit"), USUAL).outcome == "waits"
    assert explain(hops(0, 1, 2, way=way, detail="pda"), USUAL).outcome == "delivered"


@pytest.mark.parametrize("further", [[("g1", "routed")], [("g1", "routed"), ("fn1", "received")]])
def test_what_a_gateway_has_sent_on_waits_until_its_network_has_it(further: list[tuple[str, str]]) -> None:
    handed = [*hops(0, 1, way=[(ROMEO, "sent"), ("s1", "received")])]
    handed += hops(2, way=[("s1", "delivered")], detail="component sms.montague.lit")
    under_way = handed + hops(3, 4, 5, way=[("g1", "received"), *further])
    answer = explain(under_way, {}, [Cause(reasons.NETWORK_FAULT, "fn1 has a fault: down")])
    assert (answer.outcome, answer.where, answer.reason) == ("waits", under_way[-1].node, "network-fault")
    assert explain([*under_way, *hops(9, way=[("fc1", "delivered")])], {}).outcome == "delivered"


def test_a_late_step_of_which_nothing_usual_is_known() -> None:
    """A phone that was off: no other text took as long."""
    answer = explain(hops(0, 1, 2, 3, 6_000), {})
    assert answer.reason == "late"
    assert "late: less as a rule" in lines(answer, datetime.now(UTC))[-1]


@pytest.mark.parametrize("kind", ["iq", "presence"])
def test_what_a_server_reads_for_itself_does_not_wait(kind: str) -> None:
    read = [replace(hop, kind=kind) for hop in hops(0, 1, 2, 3)]
    assert (explain(read, USUAL).outcome, explain(read, USUAL).reason) == ("taken", "taken")
    assert explain(read[:2], USUAL).outcome == "taken"
    assert explain(read[:3], USUAL).outcome == "waits"
    assert explain(hops(0, 1, 2, 3), USUAL).outcome == "waits"  # a message has an end of its own


def test_presence_to_all_who_see_it_has_no_receiver() -> None:
    read = [replace(hop, kind="presence", to="") for hop in hops(0, 1, 2, 3)]
    title, verdict = summary(explain(read, USUAL), NOW_UTC)
    assert title == f"presence from {ROMEO}, trace t, 3 s ago"
    assert verdict == "it was taken by its server (taken)"


def test_a_server_of_another_kind_has_the_stanza_and_the_router_has_not() -> None:
    answer = explain(hops(0, 1, 2), USUAL, [Cause(reasons.FOREIGN_SERVER, "s2 is of kind prosody")])
    assert summary(answer, NOW_UTC)[1] == "it was sent to a server of another kind (foreign-server)"
    assert not is_failure(answer)
    assert is_failure(explain(hops(0, 1, 2), USUAL))


def test_the_diagram_ends_with_the_verdict() -> None:
    way = [*WAY[:4], ("s2", "bounced")]
    drawn = mermaid(explain(hops(0, 1, 2, 3, 4, way=way, reason="no-account"), USUAL))
    assert drawn.startswith("sequenceDiagram\n")
    assert "n0->>n1: received it" in drawn
    assert "Note over n3: bounced: The domain has no account of this name." in drawn.splitlines()[-1]


def test_each_reason_is_complete_and_in_the_docs() -> None:
    docs = (Path(__file__).parents[3] / "docs/why.md").read_text()
    codes = [reason.code for reason in reasons.ALL.values()]
    assert len(codes) == len(set(codes)) >= 25
    for reason in reasons.ALL.values():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", reason.code)
        assert reason.what.endswith(".")
        assert not reason.remedy.endswith(".")
        assert f"`{reason.code}`" in docs


VERONA = "verona@conference.montague.lit/romeo"


def copy_hop(at_ms: float, node: str, event: str, to: str, copies: int = 0) -> Hop:
    return Hop("t", node, Event(event), int(at_ms * 1e6), "message", VERONA, to, 99, copies=copies)


SAID = [*hops(0, 1), copy_hop(2, "s1", "routed", "", 2), copy_hop(2.5, "s1", "delivered", ROMEO)]
ON_ITS_WAY = [copy_hop(2.6, "s1", "routed", JULIET), copy_hop(3, "router", "enqueued", JULIET)]


def test_what_is_under_way_are_the_copies_that_have_not_arrived() -> None:
    assert list(under_way(hops(0, 1, 2))) == [(ROMEO, JULIET)]
    assert under_way([*SAID, *ON_ITS_WAY]) == {(VERONA, JULIET): ON_ITS_WAY}
    assert under_way([*SAID, *ON_ITS_WAY, copy_hop(4, "s2", "delivered", JULIET)]) == {}


def test_copies_are_counted_until_the_last_one() -> None:
    answer = explain([*SAID, *ON_ITS_WAY], {}, [Cause(reasons.NODE_PAUSED, "s2 is paused")])
    assert (answer.outcome, answer.reason) == ("waits", "node-paused")
    assert answer.what.startswith("1 of 2 copies arrived, the last after 2.50 ms. ")
    answer = explain([*SAID, *ON_ITS_WAY, copy_hop(4, "s2", "bounced", JULIET)], {})
    assert (answer.outcome, answer.where) == ("delivered", "s1")
    assert answer.what == (f"1 of 2 copies arrived, the last after 2.50 ms; bounced at s2: the one for {JULIET}.")
    answer = explain([*SAID, *ON_ITS_WAY, copy_hop(4, "s2", "stored", JULIET)], {})
    assert answer.what == "2 of 2 copies arrived, the last after 4.00 ms."
