"""`xmpplab trace`: the route of a message, hop by hop."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cluster.cli.common import LabName, account, chosen, known_password
from cluster.cli.completion import accounts, addresses
from cluster.lab.errors import LabError

if TYPE_CHECKING:
    from cluster.lab.tracing import Route
    from cluster.trace.hop import Hop


def trace(
    from_: Annotated[str, typer.Argument(metavar="FROM", help="An account of the lab.", autocompletion=accounts)],
    to: Annotated[str, typer.Argument(metavar="TO", help="A name or any address.", autocompletion=addresses)],
    format: Annotated[
        Literal["tree", "json", "mermaid"], typer.Option(help="For people, programs, Markdown.")
    ] = "tree",
    password: Annotated[str | None, typer.Option(help="Of FROM, where the topology does not tell it.")] = None,
    lab: LabName = None,
) -> None:
    """Send a probe message and show its route with the time of each hop."""
    from cluster.lab.tracing import send_probe
    from cluster.trace import render

    folder = chosen(lab)
    plan = folder.plan()
    sender, receiver = account(folder, plan, from_).bare, account(folder, plan, to)
    password = known_password(plan, sender, password)
    route = send_probe(folder, plan, sender, receiver, password, "This is a probe of xmpplab trace.")
    back = route.back.hops if route.back else []
    match format:
        case "tree":
            print_route(route)
        case "json":
            print(json.dumps(render.dicts([*route.hops, *back]), indent=2))
        case "mermaid":
            print(render.mermaid([*route.hops, *back]), end="")
    if route.end is None:
        raise LabError("the probe has not come to its end; see `xmpplab ps`, and `xmpplab watch` for what comes later")
    if route.end.event in ("bounced", "dropped", "lost"):
        raise LabError(f"the probe was {route.end.event} at {route.end.node}: {route.end.detail}")


def print_route(route: Route) -> None:
    """The route, and the way back where there is one."""
    print_tree(route.hops)
    if route.back is not None:
        print("\nthe answer, on the way back:")
        print_tree(route.back.hops)


def print_tree(hops: Sequence[Hop]) -> None:
    """The route, a branch for each node."""
    from rich.console import Console

    from cluster.trace.render import tree

    width = None if sys.stdout.isatty() else 1000  # a pipe has no edge to wrap at
    Console(highlight=False, width=width).print(tree(hops))
