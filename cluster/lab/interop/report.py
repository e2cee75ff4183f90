"""The grid for a terminal, for a page in Markdown, and as JUnit XML."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from cluster.lab.interop.cell import Cell
from cluster.lab.interop.conduct import MISCONDUCT
from cluster.lab.interop.grid import CERTIFICATES, CONDUCT, PROOFS
from cluster.lab.interop.scenarios import SCENARIOS
from cluster.xmpp.element import NOT_XML

BEGIN = "<!-- grid: written by `xmpplab interop --write`; do not edit -->"
END = "<!-- end of the grid -->"


def rows(cells: Sequence[Cell]) -> list[list[Cell]]:
    """The cells of each ordered pair and way, or of each kind and all certificates."""
    return [list(group) for _, group in groupby(cells, lambda cell: (cell.way, cell.here, cell.there))]


def line(row: Sequence[Cell]) -> list[str]:
    """A row of the table as texts, under `columns`."""
    return [f"{row[0].here} → {row[0].there}", row[0].way, *("ok" if cell.ok else "FAIL" for cell in row)]


def columns() -> list[str]:
    """The heads of the columns of the table."""
    return ["", "way", *(scenario.name for scenario in SCENARIOS)]


def updated(page: str, cells: Sequence[Cell]) -> str:
    """The page with this grid. Raises ValueError if a marker is missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"it needs the lines {BEGIN!r} and {END!r}: the grid goes between them")
    return f"{before}{BEGIN}\n\n{markdown(cells)}\n\n{END}{after}"


def markdown(cells: Sequence[Cell]) -> str:
    """The table, the rule of each column, failures and remarks; then the tables of single servers."""
    pairs = [cell for cell in cells if cell.way in PROOFS]
    rules = [f"- **{scenario.name}**: {scenario.rule}" for scenario in SCENARIOS]
    found = [_table([columns(), *map(line, rows(pairs))]), "", *rules, *_remarks(pairs)] if pairs else []
    for way, title, head in ALONE:
        if alone := [row for row in rows(cells) if row[0].way == way]:
            heads = [head, *(row[0].there for row in alone)]
            table = [[cells[0].scenario, *map(_verdict, cells)] for cells in zip(*alone, strict=True)]
            found += ["", *([f"### {title}", ""] if found else []), _table([heads, *table])]
            if way == CONDUCT:
                found += ["", *(f"- **{each.name}**: {each.rule}" for each in MISCONDUCT)]
    return "\n".join(found).strip()


ALONE = (
    (CERTIFICATES, "Certificates with flaws", "A stranger's certificate is"),
    (CONDUCT, "A server that misbehaves", "A stranger with a good certificate"),
)
"""Ways to try a server without another one: the title of the table, and the head of its first column."""


def _verdict(cell: Cell) -> str:
    return (cell.remark or "ok") if cell.ok else f"**{cell.remark}**"


def _table(lines: list[list[str]]) -> str:
    head, *others = lines
    return "\n".join(f"| {' | '.join(each)} |" for each in (head, ["---"] * len(head), *others))


def _remarks(cells: Sequence[Cell]) -> list[str]:
    failed = [f"- {told(cell)}" for cell in cells if not cell.ok]
    known = [f"- {told(cell)}" for cell in cells if cell.ok and cell.remark]
    found = ["", "What failed:", "", *failed] if failed else ["", "Nothing failed."]
    return [*found, "", "What is worth knowing:", "", *known] if known else found


def told(cell: Cell) -> str:
    """A cell in words."""
    result = cell.remark or ("ok" if cell.ok else "failed")
    blame = f"; {cell.blame}" if cell.blame else ""
    return f"{cell.here} → {cell.there}, {cell.way}, {cell.scenario}: {result}{blame}"


def junit(cells: Sequence[Cell]) -> str:
    """A suite for each ordered pair and way, a test for each scenario."""
    suites = Element("testsuites", name="xmpplab interop")
    for row in rows(cells):
        name = " ".join(line(row)[:2])
        failures = sum(not cell.ok for cell in row)
        suite = SubElement(suites, "testsuite", name=name, tests=str(len(row)), failures=str(failures))
        for cell in row:
            case = SubElement(suite, "testcase", classname=name, name=cell.scenario, time=f"{cell.seconds:.3f}")
            if not cell.ok:
                failure = SubElement(case, "failure", message=NOT_XML.sub("\ufffd", cell.remark))
                failure.text = NOT_XML.sub("\ufffd", cell.blame)
    indent(suites)
    return tostring(suites, encoding="unicode", xml_declaration=True) + "\n"
