"""`xmpplab trace`: the route of a message, hop by hop."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cluster.cli.common import LabName
from cluster.cli.completion import accounts, addresses
from cluster.cli.interrupt import interruptible
from cluster.lab.api import BadInput, Lab, LabError, seconds
from cluster.trace.terminal import safe_json, safe_line

if TYPE_CHECKING:
    from cluster.lab.api import Prober, Route
    from cluster.trace.hop import Hop

BODY = "This is a probe of xmpplab trace."
Format = Literal["tree", "json", "mermaid"]


def trace(
    from_: Annotated[str, typer.Argument(metavar="FROM", help="Account of the lab.", autocompletion=accounts)],
    to: Annotated[
        str, typer.Argument(metavar="TO", help="Name or address of the recipient.", autocompletion=addresses)
    ],
    format: Annotated[Format, typer.Option(help="Output for people, programs or Markdown.")] = "tree",
    timeout: Annotated[str, typer.Option(metavar="TIME", help="Time limit for each probe, such as `1m`.")] = "10s",
    count: Annotated[int, typer.Option(min=1, help="Number of probes; for several: one line each, and a summary.")] = 1,
    node: Annotated[str, typer.Option(metavar="NODE", help="Node where FROM logs in, if its domain has several.")] = "",
    to_resource: Annotated[str, typer.Option(metavar="NAME", help="Send to this resource of TO: romeo@x/NAME.")] = "",
    receiver: Annotated[
        bool, typer.Option("--receiver/--no-receiver", help="Log in as TO too, if the topology gives its password.")
    ] = True,
    password: Annotated[str | None, typer.Option(help="Password of FROM, if the topology does not give it.")] = None,
    lab: LabName = None,
) -> None:
    """Send a probe message, and show its route hop by hop."""
    if count > 1 and format == "mermaid":
        raise BadInput("a diagram shows one probe; leave out --count, or use --format json")
    timeout_s = _seconds(timeout)
    traced = Lab.named(lab)
    with (
        interruptible(),
        traced.account(from_, password).prober(
            to, resource=to_resource,
            node=node, with_receiver=receiver, timeout_s=timeout_s, tell=_tell,
        ) as probes,
    ):  # fmt: skip
        routes = _sent(probes, count, format)
    if format == "json":
        print_json(routes)
    if routes[-1].interrupted:
        raise KeyboardInterrupt
    _check(routes, timeout)


def _seconds(text: str) -> float:
    found = seconds(text, "--timeout")
    if not found:
        raise BadInput("--timeout must be greater than 0; write 10s")
    return found


def _sent(probes: Prober, count: int, format: Format) -> list[Route]:
    """Send the probes, and show the result of each."""
    routes: list[Route] = []
    for number, route in enumerate(probes.send_all(BODY, count), 1):
        routes.append(route)
        if format == "mermaid":
            print_mermaid(route)
        elif format == "tree" and count == 1:
            print_route(route)
        elif format == "tree":
            print(safe_line(f"{number}: {_outcome(route)}"), flush=True)
    if format == "tree" and count > 1:
        print(_times(routes))
    return routes


def _outcome(route: Route) -> str:
    if not route.hops:
        return "no hop of it is known"
    last = route.hops[-1]
    detail = f": {last.detail}" if last.detail else ""
    left = "" if route.end else f", not at its end; waits {route.waits}" if route.waits else ", not at its end"
    return f"{last.event} at {last.node} after {_ms(route):.2f} ms{detail}{left}, trace {last.trace_id}"


def _ms(route: Route) -> float:
    from cluster.trace.render import steps

    return steps(route.hops)[-1].offset_ms


def _times(routes: Sequence[Route]) -> str:
    from statistics import median

    times = [_ms(route) for route in routes if route.has_arrived]
    text = f"{len(routes)} probes, {len(times)} arrived"
    return f"{text}; ms: least {min(times):.2f}, median {median(times):.2f}, most {max(times):.2f}" if times else text


def _check(routes: Sequence[Route], timeout: str) -> None:
    """Raises LabError for the first probe that did not arrive."""
    for route in routes:
        if route.end is None:
            where = f"it waits {route.waits}" if route.waits else "see `xmpplab ps`"
            raise LabError(f"the probe did not arrive within {timeout}: {where}; `xmpplab watch` shows later hops")
        if not route.has_arrived:
            raise LabError(f"the probe was {route.end.event} at {route.end.node}: {route.end.detail}")


def _tell(text: str) -> None:
    print(safe_line(f"xmpplab: {text}"), file=sys.stderr, flush=True)


def print_json(routes: Sequence[Route]) -> None:
    """Print the hops of all probes and answers."""
    from cluster.trace.render import dicts

    print(safe_json(json.dumps([hop for route in routes for hop in dicts(route.all_hops)], indent=2)))


def print_mermaid(route: Route) -> None:
    """Print the route and the way back as one diagram."""
    from cluster.trace.render import mermaid

    print(mermaid(route.all_hops), end="")


def print_route(route: Route) -> None:
    """Print the route, and the way back if the probe was answered."""
    print_tree(route.hops)
    if route.back is not None:
        print("\nthe answer, on the way back:")
        print_tree(route.back.hops)


def print_tree(hops: Sequence[Hop]) -> None:
    """Print the route as a tree, with a branch for each node."""
    from rich.console import Console

    from cluster.trace.render import tree

    width = None if sys.stdout.isatty() else 1000  # a pipe has no width
    Console(highlight=False, width=width).print(tree(hops))
