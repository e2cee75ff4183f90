"""The picture as SVG. From left to right: phones, networks, gateways and accounts, servers, links."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from cluster.topology.graph.picture import Link, Network, Picture, Site, place

_ROW, _BOX = 52, 40
"""Height of a row, and of a box in it, in pixels."""
_GAP, _MARGIN = 48, 24
"""Between columns, and around everything."""
_LANE, _LINE = 30, 16
"""Between the lines of two links, and between two lines of text."""
_CHARACTER = 7.3
"""Width of one, in the font that is asked for."""
_MOST_CHARACTERS = 44
"""Of one line in a box; the rest is in its tooltip."""

STYLE = """
svg { font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; background: var(--ground);
  --ground: #fff; --ink: #1c2128; --dim: #57606a; --line: #6e7781; --server: #dbeafe; --gateway: #dcfce7;
  --network: #fef3c7; --end: #f3f4f6; --fault: #b42318; }
@media (prefers-color-scheme: dark) { svg { --ground: #14181d; --ink: #e6edf3; --dim: #9da7b3; --line: #8b949e;
  --server: #1e3a5f; --gateway: #1a4731; --network: #4d3b12; --end: #2a3038; --fault: #ff8a7a; } }
text { fill: var(--ink); } .dim { fill: var(--dim); } .name { font-weight: bold; } .fault { fill: var(--fault); }
rect { stroke: var(--line); } .server { fill: var(--server); } .gateway, .component { fill: var(--gateway); }
.network { fill: var(--network); } .end { fill: var(--end); } .component { stroke-dasharray: 4 3; }
path { fill: none; stroke: var(--line); stroke-width: 1.5; } path.foreign { stroke-width: 4; }
path.faulty { stroke: var(--fault); stroke-dasharray: 6 4; }
"""


@dataclass
class _Box:
    """A box with one or two lines of text."""

    kind: str
    lines: tuple[str, ...]
    y: float
    """Of its middle."""
    x: float = 0.0
    width: float = 0.0

    @property
    def wanted_width(self) -> float:
        return max(min(len(line), _MOST_CHARACTERS) for line in self.lines) * _CHARACTER + 24

    @property
    def right(self) -> float:
        return self.x + self.width


@dataclass
class _Drawing:
    """Boxes by column, and what joins them."""

    ends: list[_Box] = field(default_factory=list)
    networks: dict[str, _Box] = field(default_factory=dict)
    attached: list[_Box] = field(default_factory=list)
    servers: dict[str, _Box] = field(default_factory=dict)
    joints: list[tuple[_Box, _Box, str]] = field(default_factory=list)
    """From the left to the right one, and the class of the line."""
    chains: list[tuple[_Box, _Box]] = field(default_factory=list)
    """Nodes of one server, the upper one first."""
    rows: int = 0

    def y(self, row: float) -> float:
        return _MARGIN + 32 + row * _ROW + _ROW / 2


def svg(picture: Picture) -> str:
    """The whole document."""
    drawing = _Drawing()
    for site in picture.sites:
        _place_site(drawing, site, {network.node.name: network for network in picture.networks}, picture.has_router)
    for network in picture.networks:
        if network.node.name not in drawing.networks:
            drawing.rows += _place_network(drawing, network, drawing.rows)
    right = _place_columns(drawing)
    links, width = _links(picture, drawing, right)
    height = drawing.y(drawing.rows) + _MARGIN
    title = f"{picture.name}: {len(picture.sites)} servers, {len(picture.networks)} foreign networks"
    body = [
        f"<style>{STYLE}</style>",
        f"<title>{escape(title)}</title>",
        f'<text class="name" x="{_MARGIN}" y="{_MARGIN + 8}">{escape(picture.name)}</text>',
        *_joints(drawing),
        *links,
        *(_drawn(box) for box in _boxes(drawing)),
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
    return "\n".join([f'{head} height="{height:g}">', *body, "</svg>"])


def _place_site(drawing: _Drawing, site: Site, networks: dict[str, Network], has_router: bool) -> None:
    """A server in its rows, with what connects to it on its left."""
    begin = row = drawing.rows
    attached: list[_Box] = []
    for account in site.accounts:
        attached.append(_Box("end", (account,), drawing.y(row)))
        row += 1
    for domain in site.components:
        attached.append(_Box("component", (domain, "component"), drawing.y(row)))
        row += 1
    for service in site.services:
        attached.append(_Box("component", (service.domain, service.kind), drawing.y(row)))
        row += 1
    for gateway in site.gateways:
        network = networks[gateway.network]
        is_new = gateway.network not in drawing.networks
        rows = _place_network(drawing, network, row) if is_new else 1
        lines = (gateway.domain, f"{gateway.name} · {gateway.kind} gateway")
        box = _Box("gateway", lines, drawing.y(row + (rows - 1) / 2))
        attached.append(box)
        drawing.joints.append((drawing.networks[gateway.network], box, "foreign"))
        row += rows
    rows = max(row - begin, len(site.nodes), 1)
    first = begin + (rows - len(site.nodes)) / 2
    nodes = [
        _Box("server", (node.domain, f"{node.name} · {place(node)}"), drawing.y(first + index))
        for index, node in enumerate(site.nodes)
    ]
    drawing.servers |= {node.name: box for node, box in zip(site.nodes, nodes, strict=True)}
    if not has_router:
        drawing.chains += pairwise(nodes)
    drawing.joints += [(box, nodes[0], "") for box in attached]
    drawing.attached += attached
    drawing.rows = begin + rows


def _place_network(drawing: _Drawing, network: Network, row: int) -> int:
    """A network and its phones or mailboxes, from this row on; how many rows they take."""
    rows = max(len(network.ends), 1)
    box = _Box("network", (f"{network.node.name} · {network.what}", network.at), drawing.y(row + (rows - 1) / 2))
    drawing.networks[network.node.name] = box
    for index, end in enumerate(network.ends):
        name, _, address = end.partition("  ")
        ending = _Box("end", (name, address) if address else (name,), drawing.y(row + index))
        drawing.ends.append(ending)
        drawing.joints.append((ending, box, ""))
    return rows


def _place_columns(drawing: _Drawing) -> float:
    """Each as wide as its widest box; where the last one ends."""
    x = float(_MARGIN)
    for column in (drawing.ends, [*drawing.networks.values()], drawing.attached, [*drawing.servers.values()]):
        width = max((box.wanted_width for box in column), default=0.0)
        for box in column:
            box.x, box.width = x, width
        x += width + _GAP if column else 0.0
    return x - _GAP


def _boxes(drawing: _Drawing) -> list[_Box]:
    return [*drawing.ends, *drawing.networks.values(), *drawing.attached, *drawing.servers.values()]


def _joints(drawing: _Drawing) -> Iterator[str]:
    for left, right, kind in drawing.joints:
        middle = right.x - _GAP / 2
        yield _path(kind, f"M{left.right:g} {left.y:g}H{middle:g}V{right.y:g}H{right.x:g}")
    for upper, lower in drawing.chains:
        yield _path("", f"M{upper.x + upper.width / 2:g} {upper.y:g}V{lower.y:g}")


def _links(picture: Picture, drawing: _Drawing, right: float) -> tuple[list[str], float]:
    """The trunk with the router, or the links themselves; and how wide the picture is with them."""
    x = right + _GAP
    parts: list[str] = []
    if picture.has_router:
        parts += _trunk(drawing, x)
        x += _LANE
    lanes = _lanes(picture.links, drawing)
    beside = x + _LANE * (1 + max((lane for lane, _ in lanes), default=0))
    labels: list[tuple[float, str]] = []
    ends: Counter[tuple[str, int]] = Counter()
    for lane, link in lanes:
        begin, end = _end(drawing, link.one, 1, ends), _end(drawing, link.other, -1, ends)
        at, one, other = x + lane * _LANE, drawing.servers[link.one], drawing.servers[link.other]
        parts.append(_path("faulty" if link.faults else "", f"M{one.right:g} {begin:g}H{at:g}V{end:g}H{other.right:g}"))
        if link.what:
            labels.append(((begin + end) / 2, link.label))
            parts.append(_path("faulty" if link.faults else "", f"M{at:g} {(begin + end) / 2:g}H{beside - 6:g}"))
    y = 0.0
    for wanted, label in sorted(labels):
        y = max(wanted + 4, y + _LINE)
        parts.append(f'<text class="fault" x="{beside:g}" y="{y:g}">{escape(label)}</text>')
    return parts, beside + max((len(label) for _, label in labels), default=0) * _CHARACTER + _MARGIN


def _trunk(drawing: _Drawing, x: float) -> list[str]:
    ys = [box.y for box in drawing.servers.values()]
    return [
        _path("", f"M{x:g} {min(ys):g}V{max(ys):g}"),
        *(_path("", f"M{box.right:g} {box.y:g}H{x:g}") for box in drawing.servers.values()),
        f'<text class="dim" x="{x:g}" y="{min(ys) - 10:g}" text-anchor="middle">router</text>',
    ]


def _lanes(links: tuple[Link, ...], drawing: _Drawing) -> list[tuple[int, Link]]:
    """For each link the first lane in which none is beside it, short ones first."""
    taken: list[list[tuple[float, float]]] = []
    found = []
    ys = {name: box.y for name, box in drawing.servers.items()}
    for link in sorted(links, key=lambda link: abs(ys[link.one] - ys[link.other])):
        begin, end = ys[link.one], ys[link.other]
        lane = next((at for at, used in enumerate(taken) if all(end <= a or begin >= b for a, b in used)), len(taken))
        if lane == len(taken):
            taken.append([])
        taken[lane].append((begin, end))
        found.append((lane, link))
    return found


def _end(drawing: _Drawing, server: str, down: int, ends: Counter[tuple[str, int]]) -> float:
    """Where a link leaves a server: those that lead down below its middle, each of the others farther from its edge."""
    ends[server, down] += 1
    return drawing.servers[server].y + down * max(0, _BOX / 2 + 1 - 5 * ends[server, down])


def _path(kind: str, steps: str) -> str:
    return f'<path class="{kind}" d="{steps}"/>' if kind else f'<path d="{steps}"/>'


def _drawn(box: _Box) -> str:
    radius = _BOX / 2 if box.kind == "end" else 6
    x, middle = box.x + box.width / 2, box.y + 4
    ys = [middle] if len(box.lines) == 1 else [middle - 8, middle + 8]
    words = [
        f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="middle">{escape(_cut(line))}</text>'
        for kind, line, y in zip(("name", "dim"), box.lines, ys, strict=False)
    ]
    place = f'x="{box.x:g}" y="{box.y - _BOX / 2:g}" width="{box.width:g}" height="{_BOX}" rx="{radius:g}"'
    title = f"<title>{escape(' '.join(box.lines))}</title>"
    return f'<g>{title}<rect class="{box.kind}" {place}/>{"".join(words)}</g>'


def _cut(line: str) -> str:
    return line if len(line) <= _MOST_CHARACTERS else f"{line[: _MOST_CHARACTERS - 1]}…"
