"""`xmpplab network`: break and mend the foreign networks behind the gateways while the lab runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cluster.cli.common import LabName
from cluster.cli.completion import networks
from cluster.cli.output import Format, print_json
from cluster.lab.api import BadInput, Lab, seconds
from cluster.trace.terminal import safe_line

app = typer.Typer(
    help="The foreign networks behind the gateways: how they are, and their faults.", no_args_is_help=True
)

Name = Annotated[
    str, typer.Argument(metavar="NETWORK", help="Such as fn1; see `xmpplab network ls`.", autocompletion=networks)
]


@app.command("set")
def set_(
    name: Name,
    down: Annotated[bool, typer.Option("--down", help="It takes no connections.")] = False,
    delay: Annotated[
        str | None, typer.Option(metavar="TIME", help="It thinks so long about each message, such as `2s`.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(metavar="N", help="It takes so many a second, and asks for patience for the others.")
    ] = None,
    refuse: Annotated[
        str | None,
        typer.Option(metavar="ANSWER", help="To each message: '451 4.7.1 come back later', or ESME_RSYSERR for SMS."),
    ] = None,
    lab: LabName = None,
) -> None:
    """Give a network faults, beside those it has."""
    if not down and (delay, rate, refuse) == (None, None, None):
        raise BadInput("no fault is named; give one of: --down, --delay, --rate, --refuse")
    delay_s = None if delay is None else seconds(delay)
    faults = Lab.named(lab).networks.set(name, down=down, delay_s=delay_s, max_per_s=rate, refuse=refuse)
    print(f"{name}: {_shown(faults)}")


@app.command()
def clear(name: Name, lab: LabName = None) -> None:
    """Mend a network."""
    Lab.named(lab).networks.clear(name)
    print(f"{name}: {_shown('')}")


@app.command()
def ls(
    format: Format = "text",
    lab: LabName = None,
) -> None:
    """List the networks of the lab: who is connected, what waits, what is wrong."""
    found = Lab.named(lab).networks.ls()
    if format == "json":
        print_json(found)
        return
    for each in found:
        status = ", ".join(f"{key} {_plain(value)}" for key, value in each.status.items() if key != "ready")
        print(safe_line(f"{each.name} ({each.kind}): {status}; {_shown(each.faults_in_words)}"))
    if not found:
        print("this lab runs no foreign network")


def _shown(faults: str) -> str:
    return faults or "no faults"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{each} for {key}" for key, each in value.items()) or "0"
    return (", ".join(value) or "none") if isinstance(value, list) else str(value)
