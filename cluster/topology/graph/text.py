"""The picture for a terminal: one line for each account, and a list each of what else there is."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import dedent

from cluster.topology.graph.picture import Network, Picture, place


def text(picture: Picture) -> str:
    """The whole picture; its parts are separated by empty lines."""
    parts = [_servers(picture), _links(picture), _components(picture), _services(picture), _gateways(picture)]
    return "\n\n".join(part for part in parts if part)


def _servers(picture: Picture) -> str:
    rows = [(site.accounts if not node.node_of else (), node) for site in picture.sites for node in site.nodes]
    width = max(len(name) for names, _ in rows for name in [*names, ""])
    labels = _columns([[node.name, node.domain, place(node)] for _, node in rows])
    last = len(rows) - 1
    lines: list[str] = []
    for index, ((names, _), label) in enumerate(zip(rows, labels, strict=True)):
        clients = [_client(name, row, len(names), width) for row, name in enumerate(names)] or [" " * (width + 4)]
        if index < last:
            clients.append(" " * (width + 4))  # a free line before the next server
        for row, client in enumerate(clients):
            server = label if row == 0 else " " * len(label)
            trunk = _trunk(index, row, last) if picture.has_router else ""
            lines.append(f"{client} {server} {trunk}".rstrip())
    return dedent("\n".join(lines))


def _links(picture: Picture) -> str:
    """Where the router joins every two servers, only those links that have faults or streams."""
    rows = [[link.one, "───", link.other, link.what] for link in picture.links]
    if not picture.is_mesh:
        joined = {end for link in picture.links for end in (link.one, link.other)}
        rows += [[site.name, "", "no link", ""] for site in picture.sites if site.name not in joined]
    found = {
        "faults": any(link.faults for link in picture.links),
        "streams": any(link.transport for link in picture.links),
    }
    only = " or ".join(name for name, is_there in found.items() if is_there)
    return _list(f"links with {only}" if picture.has_router else "links", rows)


def _components(picture: Picture) -> str:
    return _list("components", [[site.name, "───", domain] for site in picture.sites for domain in site.components])


def _services(picture: Picture) -> str:
    rows = [[site.name, "───", each.domain, each.kind] for site in picture.sites for each in site.services]
    return _list("services", rows)


def _gateways(picture: Picture) -> str:
    networks = {network.node.name: network for network in picture.networks}
    rows: list[list[str]] = []
    drawn: set[str] = set()
    for site in picture.sites:
        for gateway in site.gateways:
            beginning = [site.name, "───", gateway.name, gateway.domain, "═══"]
            rows += _with_ends(beginning, networks[gateway.network], with_ends=gateway.network not in drawn)
            drawn.add(gateway.network)
    for name, network in networks.items():
        if name not in drawn:
            rows += _with_ends([""] * 5, network, with_ends=True)
    return _list("gateways and networks", rows)


def _with_ends(beginning: list[str], network: Network, *, with_ends: bool) -> list[list[str]]:
    """A row for the network, and for each further phone or mailbox one more."""
    ends = network.ends if with_ends else ()
    whole = [*beginning, network.node.name, network.what, network.at]
    rows = [[*(whole if row == 0 else [""] * len(whole)), _joint(row, len(ends)), end] for row, end in enumerate(ends)]
    return rows or [[*whole, "", ""]]


def _list(heading: str, rows: list[list[str]]) -> str:
    return "\n".join([f"{heading}:", *(f"  {line}".rstrip() for line in _columns(rows))]) if rows else ""


def _client(name: str, row: int, rows: int, width: int) -> str:
    """An account and the line from it to its server, which stands in the first row."""
    joint = "───" if rows == 1 else "─┬─" if row == 0 else "─┘ " if row == rows - 1 else "─┤ "
    return f"{name} {'─' * (width - len(name))}{joint}"


def _joint(row: int, rows: int) -> str:
    return "───" if rows == 1 else "─┬─" if row == 0 else " └─" if row == rows - 1 else " ├─"


def _trunk(server: int, row: int, last: int) -> str:
    """The line between the servers, down to the last of them; the router stands at the first."""
    if row:
        return "  │" if server < last else ""
    return "──┬── router" if server == 0 else "──┘" if server == last else "──┤"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
