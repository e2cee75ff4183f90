"""The grid as one HTML page that needs nothing else: each cell leads to what was said in it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from html import escape
from itertools import count

from cluster.lab.interop.cell import Cell
from cluster.lab.interop.conduct import MISCONDUCT
from cluster.lab.interop.exchange import Line
from cluster.lab.interop.grid import PROOFS
from cluster.lab.interop.report import ALONE, rows
from cluster.lab.interop.scenarios import SCENARIOS
from cluster.xmpp.element import NOT_XML

_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --text: #1b1f24; --dim: #57606a; --line: #d0d7de; --shade: #f3f5f7;
  --ok: #d7f3dd; --ok-text: #0b4a1b; --fail: #ffdcd7; --fail-text: #7d130a; --link: #0550ae; }
@media (prefers-color-scheme: dark) { :root { --ground: #10141a; --text: #e6edf3; --dim: #9aa5b1; --line: #39424d;
  --shade: #1a2029; --ok: #12351d; --ok-text: #a5ebb5; --fail: #4d1512; --fail-text: #ffc4bc; --link: #79b8ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 90rem; background: var(--ground); color: var(--text);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 1.8rem 0 .5rem; }
p { margin: .3rem 0; } a { color: var(--link); } .dim { color: var(--dim); }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; min-width: 100%; }
th, td { border: 1px solid var(--line); padding: 0; text-align: left; vertical-align: top; }
th { padding: .35rem .5rem; font-weight: 600; background: var(--shade); white-space: nowrap; }
tbody th:first-child { position: sticky; left: 0; } tbody th + th { font-weight: 400; }
td a { display: block; padding: .35rem .5rem; min-width: 4.2rem; color: inherit; text-decoration: none; height: 100%; }
td a:hover { text-decoration: underline; }
a:focus-visible, section:focus-visible { outline: 3px solid var(--link); outline-offset: -3px; }
.ok { background: var(--ok); color: var(--ok-text); } .fail { background: var(--fail); color: var(--fail-text); }
.fail b { display: block; } .fail span { display: block; font-size: .85em; }
dl { margin: .6rem 0 0; display: grid; grid-template-columns: max-content 1fr; gap: .15rem .8rem; }
dt { font-weight: 600; } dd { margin: 0; }
section.cell { display: none; position: fixed; inset: auto 0 0 0; max-height: 72vh; overflow: auto; padding: .8rem 1rem;
  background: var(--ground); border-top: 3px solid var(--link); box-shadow: 0 -6px 30px #0006; }
section.cell:target { display: block; }
section.cell h2 { margin: 0; padding-right: 5rem; } .close { position: absolute; right: 1rem; top: .8rem; }
ol { list-style: none; margin: .6rem 0 0; padding: 0; font: 13px/1.4 ui-monospace, monospace; }
ol li { display: grid; grid-template-columns: 4.5rem 20rem 1fr; gap: .1rem .7rem; padding: .2rem .3rem;
  border-top: 1px solid var(--line); }
ol li > * { overflow-wrap: anywhere; white-space: pre-wrap; } .logged { color: var(--dim); }
@media (max-width: 700px) { ol li { grid-template-columns: 4.5rem 1fr; } ol li > :last-child { grid-column: 1 / -1; }
  dl { grid-template-columns: 1fr; } body { padding: .6rem; }
  tbody th:first-child { max-width: 8.5rem; white-space: normal; } }
"""
_SCRIPT = """
let from = null;
addEventListener('click', (event) => { from = event.target.closest('td a') || from; });
addEventListener('hashchange', () => {
  const cell = location.hash.startsWith('#cell') && document.getElementById(location.hash.slice(1));
  if (cell) cell.focus(); else if (from) from.focus({ preventScroll: true });
});
addEventListener('keydown', (event) => { if (event.key === 'Escape') location.hash = '#grid'; });
"""
_KINDS = {"sent": "→", "received": "←", "logged": "log"}


def page_of(cells: Sequence[Cell]) -> str:
    """The page. All that servers and clients said is escaped, and the page's policy lets nothing else be loaded."""
    hashed = b64encode(sha256(_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hashed}'"
    failed = sum(not cell.ok for cell in cells)
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        f"<title>xmpplab interop</title><style>{_STYLE}</style></head><body id=grid>",
        "<h1>What works between servers</h1>",
        f"<p>{len(cells)} cells, {failed} of which failed. Each leads to what was said in it; Escape closes that.</p>",
        *_tables(cells),
        *(_exchange(number, cell) for number, cell in enumerate(cells)),
        f"<script>{_SCRIPT}</script></body></html>\n",
    ]
    return "\n".join(parts)


def _tables(cells: Sequence[Cell]) -> Iterator[str]:
    numbers = {id(cell): number for number, cell in zip(count(), cells, strict=False)}
    grid = rows(cells)
    if pairs := [row for row in grid if row[0].way in PROOFS]:
        heads = ["", "way", *(each.name for each in SCENARIOS)]
        lines = [(f"{row[0].here} → {row[0].there}", [row[0].way], row) for row in pairs]
        yield "<h2>From one server to another</h2>"
        yield _table(heads, [_row(head, texts, row, numbers) for head, texts, row in lines])
        yield _rules([(each.name, each.rule) for each in SCENARIOS])
    for way, title, head in ALONE:
        if alone := [row for row in grid if row[0].way == way]:
            yield f"<h2>{escape(title)}</h2>"
            lines_of = [_row(of[0].scenario, [], of, numbers) for of in zip(*alone, strict=True)]
            yield _table([head, *(row[0].there for row in alone)], lines_of)
            if way == "conduct":
                yield _rules([(each.name, each.rule) for each in MISCONDUCT])


def _table(heads: Sequence[str], lines: Sequence[str]) -> str:
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in heads)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _row(head: str, texts: Sequence[str], row: Sequence[Cell], numbers: dict[int, int]) -> str:
    first = f'<th scope="row">{escape(head)}</th>' + "".join(f"<th>{escape(text)}</th>" for text in texts)
    return f"<tr>{first}{''.join(_cell(cell, numbers[id(cell)]) for cell in row)}</tr>"


def _cell(cell: Cell, number: int) -> str:
    if cell.ok:
        text = escape(cell.remark) if cell.way not in PROOFS and cell.remark else "ok"
        return f'<td class="ok"><a href="#cell-{number}">{text}</a></td>'
    blamed = {"here": cell.here, "there": cell.there}.get(cell.side, "unknown side")
    return f'<td class="fail"><a href="#cell-{number}"><b>FAIL</b><span>{escape(blamed)}</span></a></td>'


def _rules(rules: Sequence[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(rule)}</dd>' for name, rule in rules)}</dl>"


def _exchange(number: int, cell: Cell) -> str:
    said = [f"<p>{_text(text)}</p>" for text in (cell.remark, cell.blame) if text]
    lines = "".join(map(_line, cell.exchange))
    return (
        f'<section class="cell" id="cell-{number}" tabindex="-1" aria-label="What was said">'
        f'<a class="close" href="#grid">Close</a>'
        f"<h2>{'ok' if cell.ok else 'FAIL'}: {_text(f'{cell.here} → {cell.there}, {cell.way}, {cell.scenario}')}</h2>"
        f"{''.join(said)}<p class=dim>{cell.seconds:.1f} s</p><ol>{lines}</ol></section>"
    )


def _line(line: Line) -> str:
    who = f"{line.who} {_KINDS[line.kind]}" if line.who else ""
    spans = (f"{line.at_s:.3f} s", who, line.text)
    return f'<li class="{line.kind}">{"".join(f"<span>{_text(text)}</span>" for text in spans)}</li>'


def _text(text: str) -> str:
    """Escaped, without characters that no document may have."""
    return escape(NOT_XML.sub("\ufffd", text))
