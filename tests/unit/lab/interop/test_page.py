"""The grid as an HTML page, and the exchange behind a cell."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from cluster.lab.interop.cell import Cell
from cluster.lab.interop.disturbing import whose_loss
from cluster.lab.interop.exchange import MAX_CHARACTERS, MAX_FIRST, MAX_LAST, Exchange, Line
from cluster.lab.interop.page import page_of
from cluster.lab.interop.person import Side
from cluster.lab.interop.scenarios import SCENARIOS

HOSTILE = "</section><script>alert(1)</script><img src=x onerror=alert(1)>\"'\x00"


def row(ok: bool = True, remark: str = "", exchange: tuple[Line, ...] = ()) -> list[Cell]:
    """A whole row of the grid."""
    side = "" if ok else "there"
    return [
        Cell("prosody", "ejabberd", "external", each.name, ok, remark, 1.5, side, "XEP-0160", exchange)
        for each in SCENARIOS
    ]


class Tags(HTMLParser):
    """What a page consists of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_each_cell_leads_to_its_exchange() -> None:
    page = Tags(page_of(row()))
    ids = [values["id"] for tag, values in page.tags if tag == "section"]
    links = [values["href"] for tag, values in page.tags if tag == "a" and values["href"] != "#grid"]
    assert links == [f"#{id}" for id in ids]
    assert len(ids) == len(set(ids)) == len(SCENARIOS)


def test_what_was_said_stays_text() -> None:
    line = Line(0.1, HOSTILE, "received", HOSTILE)
    page = Tags(page_of(row(ok=False, remark=HOSTILE, exchange=(line,))))
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "img" not in {tag for tag, _ in page.tags}
    assert any("<script>alert(1)</script>" in text for text in page.texts)
    assert not any("\x00" in text for text in page.texts)


def test_nothing_is_loaded() -> None:
    text = page_of(row())
    assert "default-src 'none'" in text
    assert not re.search(r"(src|href)=[\"']?(?!#)\w", text)
    assert "http" not in text.replace("http-equiv", "")


def test_a_cell_that_fails_names_the_side() -> None:
    page = page_of(row(ok=False, remark="3 are lost"))
    assert "<b>FAIL</b><span>ejabberd</span>" in page
    assert "ejabberd breaks XEP-0160" in page


def test_an_exchange_keeps_both_ends() -> None:
    exchange = Exchange()
    for number in range(1_000):
        exchange.note("romeo@montague.lit", "sent", str(number), at_s=number / 1000)
    lines = exchange.lines
    assert len(lines) == MAX_FIRST + MAX_LAST + 1
    assert (lines[0].text, lines[-1].text) == ("0", "999")
    assert lines[MAX_FIRST].text == f"{1_000 - MAX_FIRST - MAX_LAST:,} lines between these are left out"


def test_a_line_of_an_exchange_is_cut() -> None:
    exchange = Exchange()
    exchange.note("x", "sent", "y" * 1_000_000)
    assert len(exchange.lines[0].text) < MAX_CHARACTERS + 40


@pytest.mark.parametrize(
    ("lost", "side"),
    [([3], "there"), ([30], "unknown"), ([60], "here"), ([3, 30, 60], "there"), ([30, 60], "here")],
    ids=["taken", "on its way", "afterwards", "all", "late"],
)
def test_who_has_lost_a_message(lost: list[int], side: Side) -> None:
    assert whose_loss(lost, "").side == side


def test_between_two_of_a_kind_the_blame_says_which() -> None:
    cell = Cell("prosody", "prosody", "dialback", "restart", False, "lost", 1.0, "here", "RFC 6120 section 10.4")
    assert cell.blame == "prosody (sender) breaks RFC 6120 section 10.4"
