"""`xmpplab ps`: the nodes of the lab, and how to connect."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.common import LabName
from cluster.cli.how_to_connect import print_how_to_connect
from cluster.cli.interrupt import interruptible
from cluster.cli.output import Format, print_json
from cluster.cli.table import NARROW, Wrong, print_table, wrong
from cluster.lab.api import Lab
from cluster.trace.terminal import safe_line

if TYPE_CHECKING:
    from cluster.lab.answers import ComponentView, LinkView, NodeView, Overview, ServiceView


LOOK_EVERY_S = 2.0
_CLEAR = "\x1b[H\x1b[2J"


def ps(
    wide: Annotated[
        bool, typer.Option("--wide", "-w", help="Show every column; the default fits 60 characters.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Repeat until Ctrl-C.")] = False,
    format: Format = "text",
    lab: LabName = None,
) -> None:
    """Show the nodes of the lab, and how to connect."""
    shown = Lab.named(lab)
    if not watch:
        _show(shown, shown.overview(), format, wide)
        return
    with suppress(KeyboardInterrupt), interruptible():
        for overview in shown.overviews(LOOK_EVERY_S):
            print(_CLEAR if sys.stdout.isatty() else "", end="")
            _show(shown, overview, format, wide)
            sys.stdout.flush()


def _show(lab: Lab, shown: Overview, format: str, wide: bool) -> None:
    if format == "json":
        print_json(shown)
        return
    (_print_wide if wide else _print_narrow)(shown)
    for node in shown.nodes:
        if node.trouble:
            print(wrong(safe_line(f"{node.name} {node.trouble}")))
    if any(node.state != "stopped" for node in shown.nodes):
        print_how_to_connect(lab)
    else:
        print(f"the lab is down; bring it up with\n  {lab.start_command}")


def _print_narrow(shown: Overview) -> None:
    nodes = [(n.name, _state(n), n.domain, n.c2s and n.c2s.removesuffix(":5222"), n.sessions) for n in shown.nodes]
    print_table(["NAME", "STATE", "DOMAIN", "HOST", "SESSIONS"], nodes, NARROW)
    for node in shown.nodes:
        if node.last_exit:
            print(wrong(f"{node.name}: {node.restarts} restarts, last exit: {node.last_exit}"))
    _print_components(shown.components, NARROW)
    _print_services(shown.services, NARROW)
    _print_links(shown.links, NARROW)


def _print_wide(shown: Overview) -> None:
    columns = ["NAME", "KIND", "DOMAIN", "STATE", "C2S", "DIRECT TLS", "HTTP", "COMPONENTS"]
    columns += ["METRICS", "PID", "RESTARTS", "SESSIONS", "CPU", "MEMORY", "LAST EXIT"]
    print_table(columns, map(_wide, shown.nodes))
    _print_components(shown.components, None)
    _print_services(shown.services, None)
    _print_links(shown.links, None)


def _wide(n: NodeView) -> list[object]:
    cpu = None if n.cpu_percent is None else f"{n.cpu_percent:.0f} %"
    memory = None if n.memory_bytes is None else f"{n.memory_bytes / 2**20:.0f} MiB"
    places = [n.c2s, n.direct_tls, n.http, n.components, n.metrics]
    last_exit = Wrong(n.last_exit) if n.last_exit else None
    return [n.name, n.kind, n.domain, _state(n), *places, n.pid, n.restarts, n.sessions, cpu, memory, last_exit]


def _state(node: NodeView) -> str:
    return node.state if node.state == "running" else Wrong(node.state)


def _print_components(components: list[ComponentView], width: int | None) -> None:
    words = {True: "connected", False: Wrong("not there"), None: None}
    rows = [(each.domain, each.server, each.address, words[each.is_connected]) for each in components]
    if rows:
        print()
        print_table(["COMPONENT", "SERVER", "ADDRESS", "STATE"], rows, width)


def _print_services(services: list[ServiceView], width: int | None) -> None:
    if services:
        print()
        print_table(["SERVICE", "SERVER", "KIND"], [(each.domain, each.server, each.kind) for each in services], width)


def _print_links(links: list[LinkView], width: int | None) -> None:
    """The links with a backlog, faults or losses; no table if there are none."""
    rows: list[list[object]] = [
        [f"{n.from_} → {n.to}", n.waiting, _faults(n), Wrong(n.lost) if n.lost else 0]
        for n in links
        if n.waiting or n.faults or n.lost
    ]
    if rows:
        print()
        print_table(["LINK", "WAITING", "FAULTS", "LOST BY THEM"], rows, width)


def _faults(link: LinkView) -> str | None:
    return Wrong(", ".join(f"{key} {text}" for key, text in link.faults.items())) if link.faults else None
