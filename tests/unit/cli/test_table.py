"""Tables for people: their width and colours."""

from __future__ import annotations

import sys

import pytest

from cluster.cli.table import NARROW, Wrong, fitted, print_table, print_verdict

ROWS = [("s1", Wrong("paused"), "a-very-long-domain-name-of-a-server.montague.lit.example", "127.200.200.200", None)]
COLUMNS = ("NAME", "STATE", "DOMAIN", "HOST", "SESSIONS")


def test_a_narrow_table_fits(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, ROWS, NARROW)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) == NARROW
    assert "127.200.200.200" in lines[1]
    assert "…" in lines[1]


def test_what_does_not_fit_at_all_is_shown_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([str(number) for number in range(40)], [["abcdef"] * 40], NARROW)
    assert capsys.readouterr().out.count("abc…") == 40


@pytest.mark.parametrize(
    ("is_tty", "environment", "coloured"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colours_are_for_people_who_want_them(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_tty: bool,
    environment: dict[str, str],
    coloured: bool,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_tty)
    print_table(COLUMNS, ROWS)
    out = capsys.readouterr().out
    assert ("\x1b[31mpaused\x1b[0m" in out) is coloured
    assert ("\x1b" in out) is coloured


def test_cells_do_nothing_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["A"], [["x\x1b[2J\ny"]])
    assert capsys.readouterr().out.splitlines()[1] == "x\\x1b[2J\\ny"


LINE = "  why:    The account has no available resource: the message is stored until it logs in-between."


def test_a_long_line_goes_on_below_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(NARROW))
    monkeypatch.setenv("NO_COLOR", "1")
    assert fitted(LINE, 10).splitlines() == [
        "  why:    The account has no available resource: the message",
        "          is stored until it logs in-between.",
    ]
    assert fitted("  s1     +0.00 ms", 10) == "  s1     +0.00 ms"
    print_verdict("clients  a-name-that-is-longer-than-all-the-columns-that-there-are", ok=False)
    assert capsys.readouterr().out == "FAIL  clients\n      a-name-that-is-longer-than-all-the-columns-that-there-are\n"


def test_what_programs_read_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    monkeypatch.setenv("COLUMNS", str(NARROW))
    assert fitted(LINE, 10) == LINE
