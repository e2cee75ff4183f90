import json

from rich.console import Console

from cluster.trace.hop import Event
from cluster.trace.render import dicts, mermaid, steps, tree
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
├── C1 romeo@montague.lit/pda
│   └── sent      +0.00 ms (Δ 0.00 ms), 120 bytes
├── s1
│   ├── received  +0.50 ms (Δ 0.50 ms), 120 bytes
│   └── routed    +0.75 ms (Δ 0.25 ms), 120 bytes: link to capulet.lit
├── router
│   ├── enqueued  +1.00 ms (Δ 0.25 ms), 120 bytes: to capulet.lit
│   └── dequeued  +2.00 ms (Δ 1.00 ms), 120 bytes
├── s2
│   └── delivered +2.50 ms (Δ 0.50 ms), 120 bytes: balcony
└── C3 juliet@capulet.lit
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
    participant n0 as C1 romeo@montague.lit/pda
    participant n1 as s1
    participant n2 as router
    participant n3 as s2
    participant n4 as C3 juliet@capulet.lit
    Note over n0: sent +0.00 ms
    n0->>n1: received +0.50 ms
    Note over n1: routed +0.75 ms (link to capulet.lit)
    n1->>n2: enqueued +1.00 ms (to capulet.lit)
    Note over n2: dequeued +2.00 ms
    n2->>n3: delivered +2.50 ms (balcony)
    n3->>n4: received +3.00 ms
"""
    )


def test_mermaid_gets_nothing_that_it_would_read_as_its_own() -> None:
    assert "Note over n0: dropped +0.00 ms (a#59; b#35;1#10;end)" in mermaid(
        [hop("s", Event.DROPPED, 0, "a; b#1\nend")]
    )


def test_dicts_are_json() -> None:
    last = json.loads(json.dumps(dicts(ROUTE)))[-1]
    assert last == {
        "trace_id": "t1", "node": "C3", "event": "received", "at": "2023-11-14T22:13:20.003000+00:00",
        "offset_ms": 3.0, "delta_ms": 0.5, "kind": "message", "from": "romeo@montague.lit/pda",
        "to": "juliet@capulet.lit", "size_bytes": 120, "detail": "",
    }  # fmt: skip
