import json
import re

from rich.console import Console

from cluster.trace.hop import Event
from cluster.trace.render import dicts, mermaid, steps, tree
from tests.live.running_lab import ROOT
from tests.unit.trace.hops import ROUTE, hop


def drawn(hops: list) -> str:
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(tree(hops))
    return capture.get()


def test_steps_are_in_the_order_of_time_whatever_the_order_they_came_in() -> None:
    assert [step.hop for step in steps(ROUTE[::-1])] == ROUTE
    assert [(step.offset_ms, step.delta_ms) for step in steps(ROUTE)][:4] == [
        (0, 0), (0.5, 0.5), (0.75, 0.25), (1, 0.25),
    ]  # fmt: skip


def test_the_tree_shows_each_node_on_the_way() -> None:
    assert (
        drawn(ROUTE)
        == """\
message from romeo@montague.lit/pda to juliet@capulet.lit, 3.00 ms, trace t1
├── romeo@montague.lit
│   └── sent      +0.00 ms (Δ 0.00 ms), 120 bytes
├── s1
│   ├── received  +0.50 ms (Δ 0.50 ms), 120 bytes
│   └── routed    +0.75 ms (Δ 0.25 ms), 120 bytes: link to capulet.lit
├── router
│   ├── enqueued  +1.00 ms (Δ 0.25 ms), 120 bytes: to capulet.lit
│   └── dequeued  +2.00 ms (Δ 1.00 ms), 120 bytes
├── s2
│   └── delivered +2.50 ms (Δ 0.50 ms), 120 bytes: balcony
└── juliet@capulet.lit
    └── received  +3.00 ms (Δ 0.50 ms), 120 bytes
"""
    )


def test_what_looks_like_markup_is_shown_as_it_is() -> None:
    assert "[red]x[/red]" in drawn([hop("s1", Event.DROPPED, 0, "[red]x[/red]")])


def test_no_hops() -> None:
    assert drawn([]) == "no hops\n"
    assert mermaid([]) == "sequenceDiagram\n"
    assert dicts([]) == []


def test_the_sequence_diagram() -> None:
    assert (
        mermaid(ROUTE)
        == """\
sequenceDiagram
    participant n0 as romeo@montague.lit
    participant n1 as s1
    participant n2 as router
    participant n3 as s2
    participant n4 as juliet@capulet.lit
    Note over n0: sent +0.00 ms
    n0->>n1: received +0.50 ms
    Note over n1: routed +0.75 ms (link to capulet.lit)
    n1->>n2: enqueued +1.00 ms (to capulet.lit)
    Note over n2: dequeued +2.00 ms
    n2->>n3: delivered +2.50 ms (balcony)
    n3->>n4: received +3.00 ms
"""
    )


def test_the_sequence_diagram_has_no_arrow_for_what_a_node_records_afterwards() -> None:
    late = [
        hop("s1", Event.RECEIVED, 0),
        hop("g1", Event.RECEIVED, 1),
        hop("s1", Event.DELIVERED, 2, "component sms.montague.lit"),
        hop("fn1", Event.RECEIVED, 3),
        hop("fc1", Event.DELIVERED, 4),
        hop("fc1", Event.SENT, 5, trace_id="t2"),
        hop("fn1", Event.RECEIVED, 6, trace_id="t2"),
        hop("g1", Event.SENT, 7, trace_id="t2"),
        hop("fn1", Event.DELIVERED, 8, trace_id="t2"),
    ]
    lines = mermaid(late).splitlines()
    assert [line.split()[0] for line in lines if "->>" in line] == [
        "n0->>n1:", "n1->>n2:", "n2->>n3:", "n3->>n2:", "n2->>n1:",
    ]  # fmt: skip


def test_the_sequence_diagram_has_an_arrow_for_an_answer_that_a_node_makes() -> None:
    bounced = [
        hop("s1", Event.RECEIVED, 0),
        hop("g1", Event.RECEIVED, 1),
        hop("fn1", Event.RECEIVED, 2),
        hop("g1", Event.BOUNCED, 3),
        hop("g1", Event.SENT, 4),
        hop("s1", Event.RECEIVED, 5),
    ]
    arrows = [line.split()[0] for line in mermaid(bounced).splitlines() if "->>" in line]
    assert arrows == ["n0->>n1:", "n1->>n2:", "n1->>n0:"]


def test_mermaid_gets_nothing_that_it_would_read_as_its_own() -> None:
    assert "Note over n0: dropped +0.00 ms (a#59; b#35;1#10;end)" in mermaid(
        [hop("s", Event.DROPPED, 0, "a; b#1\nend")]
    )


def test_dicts_are_json() -> None:
    last = json.loads(json.dumps(dicts(ROUTE)))[-1]
    assert last == {
        "trace_id": "t1", "node": "juliet@capulet.lit", "event": "received", "at": "2023-11-14T22:13:20.003000+00:00",
        "offset_ms": 3.0, "delta_ms": 0.5, "kind": "message", "from": "romeo@montague.lit/pda",
        "to": "juliet@capulet.lit", "size_bytes": 120, "detail": "",
    }  # fmt: skip


def test_each_field_and_event_is_documented() -> None:
    documented = (ROOT / "docs" / "tracing.md").read_text().partition("## JSON")[2]
    first_cells = " ".join(line.split("|")[1] for line in documented.splitlines() if line.startswith("|"))
    assert set(dicts(ROUTE)[0]) == set(re.findall(r"`(\w+)`", first_cells))
    assert not [event for event in Event if f"`{event}`" not in documented]
