"""`xmpplab network`: set and clear faults of the foreign networks while the lab runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cluster.cli.common import LabName
from cluster.cli.completion import networks
from cluster.cli.output import Format, print_json
from cluster.kinds import networks as known_kinds
from cluster.lab.api import BadInput, Lab, seconds
from cluster.trace.terminal import safe_line

app = typer.Typer(help="Set, clear and list faults of foreign networks.", no_args_is_help=True)

Name = Annotated[
    str,
    typer.Argument(metavar="NETWORK", help="Network, such as fn1; see `xmpplab network ls`.", autocompletion=networks),
]


def _refusals() -> str:
    return ", or ".join(f"{kind.refusal} for a {name}" for name, kind in known_kinds().items() if kind.refusal)


@app.command("set")
def set_(
    name: Name,
    down: Annotated[bool, typer.Option("--down", help="Refuse all connections.")] = False,
    delay: Annotated[
        str | None, typer.Option(metavar="TIME", help="Delay each reply by this time, such as `2s`.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(metavar="N", help="Accept N messages per second; throttle the rest.")
    ] = None,
    refuse: Annotated[
        str | None,
        typer.Option(metavar="ANSWER", help=f"Refuse each message with this answer: {_refusals()}."),
    ] = None,
    lab: LabName = None,
) -> None:
    """Add faults to a foreign network."""
    if not down and (delay, rate, refuse) == (None, None, None):
        raise BadInput("no fault given; give one of: --down, --delay, --rate, --refuse")
    delay_s = None if delay is None else seconds(delay)
    faults = Lab.named(lab).networks.set(name, down=down, delay_s=delay_s, max_per_s=rate, refuse=refuse)
    print(f"{name}: {_shown(faults)}")


@app.command()
def clear(name: Name, lab: LabName = None) -> None:
    """Clear the faults of a foreign network."""
    Lab.named(lab).networks.clear(name)
    print(f"{name}: {_shown('')}")


@app.command()
def ls(
    format: Format = "text",
    lab: LabName = None,
) -> None:
    """List the foreign networks: connections, waiting messages, faults."""
    found = Lab.named(lab).networks.ls()
    if format == "json":
        print_json(found)
        return
    for each in found:
        status = ", ".join(f"{key} {_plain(value)}" for key, value in each.status.items() if key != "ready")
        print(safe_line(f"{each.name} ({each.kind}): {status}; {_shown(each.faults_in_words)}"))
    if not found:
        print("this lab has no foreign network")


def _shown(faults: str) -> str:
    return faults or "no faults"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{each} for {key}" for key, each in value.items()) or "0"
    return (", ".join(value) or "none") if isinstance(value, list) else str(value)
