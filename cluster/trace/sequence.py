"""The way of one stanza as a picture: a column for each place, an arrow for each arrival. Pure, from answers to shapes.

The page draws the same shapes as `xmpplab why --format svg`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import NamedTuple

from cluster.trace.hop import Event
from cluster.trace.render import Row, arrivals
from cluster.trace.terminal import safe_line
from cluster.trace.verdict import verdict
from cluster.trace.why import Decision, Explanation

MOST_STEPS = 200
"""Steps that a picture has; further ones, as of a stanza to a large room, are counted."""
_COLUMN, _LEFT, _ROW, _HEAD = 104, 74, 30, 40
"""Sizes in pixels, as all numbers here."""
_MOST_OF_NAME = 15
"""Characters over a column; the whole name is in its tooltip."""
_MOST_CHARACTERS = 160
"""Of a line of text in the file; the whole is in its tooltip."""
_CHARACTER = 7.3
"""Width of one, in the font of the file."""
_LINE, _MARGIN = 20, 16

_BAD = {Event.BOUNCED, Event.DROPPED, Event.LOST}

STYLE = """
svg { font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; background: var(--ground);
  --ground: #fff; --ink: #1b2027; --dim: #555f6b; --rule: #ccd3db; --accent: #1d5fa8; --bad: #b3261e;
  --place: #e4eefb; }
@media (prefers-color-scheme: dark) { svg { --ground: #12161b; --ink: #e6ebf1; --dim: #a2adb9; --rule: #39424d;
  --accent: #7db8f5; --bad: #ff8f85; --place: #1b2f47; } }
text { fill: var(--ink); } .head, .number, .on { text-anchor: middle; } .time { text-anchor: end; }
.head { font-weight: bold; } .on, .time, .dim { fill: var(--dim); } text.bad { fill: var(--bad); }
.life { stroke: var(--rule); } .arrow { stroke: var(--accent); stroke-width: 2; } line.bad { stroke: var(--bad); }
.tip { fill: var(--accent); } .tip.bad { fill: var(--bad); }
.step { fill: var(--place); stroke: var(--accent); } .step.bad { fill: var(--ground); stroke: var(--bad); }
"""


class Shape(NamedTuple):
    """An element of SVG."""

    tag: str
    attributes: dict[str, str | float]
    text: str = ""
    title: str = ""
    """Its tooltip."""


class Picture(NamedTuple):
    """What is drawn, and its size."""

    width: float
    height: float
    shapes: list[Shape]


def picture(answer: Explanation) -> Picture:
    """The steps of a stanza as numbered circles; a caller writes the words of each elsewhere."""
    drawn = answer.decisions[:MOST_STEPS]
    places = list(dict.fromkeys(each.node for each in drawn))
    width, height = _LEFT + _COLUMN * len(places), _HEAD + _ROW * len(drawn) + 8
    x = {place: _LEFT + _COLUMN * (number + 0.5) for number, place in enumerate(places)}
    shapes = [shape for place in places for shape in _column(place, x[place], height)]
    rows = [Row(answer.trace_id, each.node, each.event, each.what) for each in drawn]
    for number, (each, (_, before)) in enumerate(zip(drawn, arrivals(rows), strict=True)):
        y = _HEAD + _ROW * (number + 0.5)
        if before != each.node:
            shapes += _arrow(each, x[before], x[each.node], y)
        shapes += _step(each, number + 1, x[each.node], y)
    return Picture(width, height, shapes)


def _column(place: str, x: float, height: float) -> Iterator[Shape]:
    yield Shape("line", {"class": "life", "x1": x, "y1": _HEAD - 8, "x2": x, "y2": height})
    yield Shape("text", {"class": "head", "x": x, "y": 18}, _cut(place, _MOST_OF_NAME), place)


def _arrow(step: Decision, from_: float, to: float, y: float) -> Iterator[Shape]:
    way = 1 if to > from_ else -1
    end, bad = to - 11 * way, " bad" if step.event in _BAD else ""
    yield Shape("line", {"class": f"arrow{bad}", "x1": from_, "y1": y, "x2": end - 6 * way, "y2": y})
    yield Shape("path", {"class": f"tip{bad}", "d": f"M{end} {y}l{-9 * way} -5v10z"})
    yield Shape("text", {"class": "on", "x": (from_ + to) / 2, "y": y - 5}, f"{step.size_bytes} B")


def _step(step: Decision, number: int, x: float, y: float) -> Iterator[Shape]:
    late = " bad" if step.is_late else ""
    yield Shape("text", {"class": f"time{late}", "x": _LEFT - 10, "y": y + 4}, f"+{_time(step.offset_ms)}")
    yield Shape("circle", {"class": f"step{' bad' if step.event in _BAD else ''}", "cx": x, "cy": y, "r": 10})
    yield Shape("text", {"class": "number", "x": x, "y": y + 4}, str(number))


def svg(answer: Explanation) -> str:
    """A file with the picture, and below it the verdict and the words of each step."""
    drawn = picture(answer)
    title, *below = _lines(answer)
    top = 2 * _LINE
    under = top + drawn.height + _LINE
    texts = [(title, _LINE), *((text, under + _LINE * number) for number, text in enumerate(below))]
    longest = max(min(len(text), _MOST_CHARACTERS) for text, _ in texts)
    width = max(drawn.width, longest * _CHARACTER) + 2 * _MARGIN
    height = under + _LINE * len(below)
    words = [Shape("text", {"x": _MARGIN, "y": y}, _cut(text, _MOST_CHARACTERS), text) for text, y in texts]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img">\n<title>{_plain(title)}</title>\n<style>{STYLE}</style>\n'
        f'<g transform="translate(0 {top})">\n{_written(drawn.shapes)}\n</g>\n{_written(words)}\n</svg>\n'
    )


def _lines(answer: Explanation) -> Iterator[str]:
    to = f" to {answer.to}" if answer.to else ""
    yield f"{answer.kind} from {answer.from_}{to}, trace {answer.trace_id}"
    yield verdict(answer)
    about = (("why", answer.what), ("rule", answer.rule), ("remedy", answer.remedy))
    yield from (f"{name}: {text}" for name, text in about if text)
    for number, each in enumerate(answer.decisions[:MOST_STEPS], 1):
        yield f"{number:>3} {each.node} {each.what}"
    if (more := len(answer.decisions) - MOST_STEPS) > 0:
        yield f"and {more:,} more steps"


def _written(shapes: Iterable[Shape]) -> str:
    return "\n".join(map(_element, shapes))


def _element(shape: Shape) -> str:
    attributes = "".join(f' {name}="{escape(str(value))}"' for name, value in shape.attributes.items())
    title = f"<title>{_plain(shape.title)}</title>" if shape.title not in ("", shape.text) else ""
    return f"<{shape.tag}{attributes}>{_plain(shape.text)}{title}</{shape.tag}>"


def _plain(text: str) -> str:
    return escape(safe_line(text))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _time(ms: float) -> str:
    """As short as the page writes times."""
    if ms >= 1_000:
        return f"{ms / 1_000:.0f} s" if ms >= 10_000 else f"{ms / 1_000:.1f} s"
    return f"{ms:.0f} ms" if ms >= 100 else f"{ms:.1f} ms" if ms >= 10 else f"{ms:.2f} ms"
