"""The picture as a Mermaid flowchart, for a Markdown page."""

from __future__ import annotations

from collections import Counter

from cluster.topology.graph.picture import Picture, Site, place


def mermaid(picture: Picture) -> str:
    """The whole flowchart. Its ids are those of the RFC: C for clients, S, G, FN, FC; K: components, V: services."""
    ids = _Ids()
    lines = ["flowchart LR"]
    for site in picture.sites:
        lines += _site(site, ids, has_router=picture.has_router)
    for network in picture.networks:
        name = network.node.name
        lines.append(f"    {ids.of('FN', name)}[({_quoted(f'{name}<br>{network.what}<br>{network.at}')})]")
        for end in network.ends:
            label = _quoted(end.replace("  ", "<br>"))
            lines.append(f"    {ids.of('FN', name)} --- {ids.new('FC')}([{label}])")
    for site in picture.sites:
        lines += [f"    {ids.of('G', each.name)} === {ids.of('FN', each.network)}" for each in site.gateways]
    for link in picture.links:
        line = "-.-" if picture.has_router else "---"
        label = f"|{_quoted(link.what)}|" if link.what else ""
        lines.append(f"    {ids.of('S', link.one)} {line}{label} {ids.of('S', link.other)}")
    return "\n".join(lines)


class _Ids:
    """What Mermaid calls the parts: a letter and a number."""

    def __init__(self) -> None:
        self._last: Counter[str] = Counter()
        self._known: dict[tuple[str, str], str] = {}

    def new(self, letter: str) -> str:
        """For a part that is not named again."""
        self._last[letter] += 1
        return f"{letter}{self._last[letter]}"

    def of(self, letter: str, name: str) -> str:
        """Always the same for one name."""
        if (letter, name) not in self._known:
            self._known[letter, name] = self.new(letter)
        return self._known[letter, name]


def _site(site: Site, ids: _Ids, *, has_router: bool) -> list[str]:
    first = ids.of("S", site.name)
    lines = [f"    {ids.new('C')}([{_quoted(account)}]) --- {first}" for account in site.accounts]
    for node in site.nodes:
        lines.append(f"    {ids.of('S', node.name)}[{_quoted(f'{node.name}<br>{node.domain}<br>{place(node)}')}]")
        if has_router:
            lines.append(f"    {ids.of('S', node.name)} --- R{{{{router}}}}")
        elif node.node_of:
            lines.append(f"    {first} --- {ids.of('S', node.name)}")
    for domain in site.components:
        lines.append(f"    {first} --- {ids.new('K')}[/{_quoted(f'{domain}<br>component')}/]")
    for service in site.services:
        lines.append(f"    {first} --- {ids.new('V')}([{_quoted(f'{service.domain}<br>{service.kind}')}])")
    for gateway in site.gateways:
        label = _quoted(f"{gateway.name}<br>{gateway.domain}<br>{gateway.kind} gateway")
        lines.append(f"    {first} --- {ids.of('G', gateway.name)}[/{label}/]")
    return lines


def _quoted(label: str) -> str:
    """Mermaid reads `#…;` as a character by its number, and has no other escape."""
    return '"' + label.replace("#", "#35;").replace("`", "#96;") + '"'
