"""`xmpplab ps`: what runs, and how to connect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cluster.cli.common import LabName, chosen
from cluster.cli.connect import print_how_to_connect
from cluster.cli.table import print_table
from cluster.trace.terminal import safe_json, safe_line

if TYPE_CHECKING:
    from cluster.lab.overview import LinkView, NodeView


def ps(
    format: Annotated[Literal["table", "json"], typer.Option(help="For people, or for programs.")] = "table",
    lab: LabName = None,
) -> None:
    """Show every process of the lab, and how to connect."""
    import msgspec

    from cluster.lab.overview import overview

    folder = chosen(lab)
    shown = overview(folder)
    if format == "json":
        print(safe_json(msgspec.json.format(msgspec.json.encode(shown)).decode()))
        return
    print_nodes(shown.nodes)
    for node in shown.nodes:
        if node.trouble:
            print(safe_line(f"{node.name} {node.trouble}"))
    print_links(shown.links)
    if any(node.state != "stopped" for node in shown.nodes):
        print_how_to_connect(folder, folder.plan())
    else:
        print(f"the lab is down; bring it up with `xmpplab up {shown.topology} -d`")


def print_nodes(nodes: list[NodeView]) -> None:
    """The table."""
    columns = ["NAME", "KIND", "DOMAIN", "STATE", "C2S", "DIRECT TLS", "HTTP", "PID", "RESTARTS", "SESSIONS"]
    rows: list[list[object]] = [
        [n.name, n.kind, n.domain, n.state, n.c2s, n.direct_tls, n.http, n.pid, n.restarts, n.sessions] for n in nodes
    ]
    if any(node.last_exit for node in nodes):
        columns.append("LAST EXIT")
        rows = [[*row, node.last_exit or None] for row, node in zip(rows, nodes, strict=True)]
    print_table(columns, rows)


def print_links(links: list[LinkView]) -> None:
    """The links of which there is something to tell; none is no table."""
    rows: list[list[object]] = [
        [f"{n.from_} → {n.to}", n.waiting, ", ".join(f"{key} {text}" for key, text in n.faults.items()) or None, n.lost]
        for n in links
        if n.waiting or n.faults or n.lost
    ]
    if rows:
        print()
        print_table(["LINK", "WAITING", "FAULTS", "LOST BY THEM"], rows)
