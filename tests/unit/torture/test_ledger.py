"""The stranger's ledger: each thing that can go wrong is counted as what it is, and it shares nothing with the lab."""

from __future__ import annotations

import ast

import pytest

from tests.live.running_lab import ROOT
from tests.torture import __main__ as torture
from tests.torture.ledger import Ledger, Seen, Totals
from tests.torture.runs import Result

ROMEO, JULIET, NURSE = "romeo@a.lit", "juliet@b.lit", "nurse@b.lit"


def ledger(*arrivals: Seen) -> Totals:
    """Three messages were sent."""
    book = Ledger()
    for body in ("one", "two", "three"):
        book.send(body, ROMEO, JULIET)
    for seen in arrivals:
        book.see(seen)
    return book.totals()


def seen(body: str, stanza_id: str = "", **changed: str) -> Seen:
    return Seen(JULIET, ROMEO, JULIET, "chat", body, stanza_id or body)._replace(**changed)


ALL = [seen("one"), seen("two"), seen("three")]


def test_all_is_well() -> None:
    assert ledger(*ALL).broken == []


@pytest.mark.parametrize(
    ("arrivals", "broken"),
    [
        (ALL[:2], ["lost: 1"]),
        ([ALL[1], ALL[0], ALL[2]], ["out of order: 1"]),
        ([*ALL, seen("one", "another")], ["other id: 1"]),
        ([*ALL, seen("one")], []),
        ([*ALL[:2], seen("threee")], ["lost: 1", "altered: 1"]),
        ([*ALL[:2], seen("three", type="error")], ["lost: 1", "altered: 1"]),
        ([*ALL[:2], seen("three", from_=NURSE)], ["lost: 1", "altered: 1"]),
        ([*ALL, seen("three", at=NURSE)], ["misdelivered: 1"]),
    ],
)
def test_what_goes_wrong(arrivals: list[Seen], broken: list[str]) -> None:
    assert ledger(*arrivals).broken == broken


def test_what_its_client_sent_again_is_told_from_what_the_servers_have_doubled() -> None:
    book = Ledger()
    book.send("one", ROMEO, JULIET)
    book.written["one"] = 2
    for stanza_id in ("1", "2", "2", "3"):
        book.see(seen("one", stanza_id))
    totals = book.totals()
    assert (totals.sent_again, totals.same_id, totals.other_id) == (1, 1, 1)


def test_what_came_back_is_not_lost() -> None:
    book = Ledger()
    book.send("one", ROMEO, JULIET)
    book.bounce("one")
    assert book.totals().broken == ["bounced: 1"]
    assert book.missing == set()


def test_the_table_goes_between_its_markers() -> None:
    result = Result("scale", "scaled", ledger(*ALL[:2]), 9.0, 1, 0, ["1.0 s scale s1=2"])
    page = torture.updated(f"# T\n{torture.BEGIN}\nold\n{torture.END}\nend\n", [torture.row(result, 9, 7)])
    row = "| scaled, 1 times (9 s, seed 7) | 3 | 0 | 2 | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 1 | 0 | broken: lost: 1 |"
    assert row in page.splitlines()
    assert page.endswith(f"{torture.END}\nend\n")
    with pytest.raises(ValueError, match="it needs the lines"):
        torture.updated("# T\n", [])


def test_it_shares_no_code_with_what_it_tries() -> None:
    for file in (ROOT / "tests" / "torture").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert name.partition(".")[0] != "cluster"
                assert name.partition(".")[0] != "tests" or name.startswith("tests.torture")
