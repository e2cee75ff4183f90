"""`xmpplab network`: break and mend the foreign networks behind the gateways while the lab runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.common import LabName, chosen
from cluster.cli.completion import networks
from cluster.cli.output import Format
from cluster.lab.errors import BadInput
from cluster.trace.terminal import safe_line

if TYPE_CHECKING:
    from cluster.lab.folder import LabFolder
    from cluster.topology.plan import NetworkNode, Plan

app = typer.Typer(help="Set, clear and list faults of foreign networks.", no_args_is_help=True)

Name = Annotated[
    str,
    typer.Argument(metavar="NETWORK", help="Network, such as fn1; see `xmpplab network ls`.", autocompletion=networks),
]


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
        typer.Option(
            metavar="ANSWER",
            help="Refuse each message with this answer: '451 4.7.1 come back later', or ESME_RSYSERR for SMS.",
        ),
    ] = None,
    lab: LabName = None,
) -> None:
    """Add faults to a foreign network."""
    wanted = {
        "down": down or None,
        "delay_s": _seconds(delay) if delay is not None else None,
        "max_per_s": rate,
        "refuse": refuse,
    }
    given = {key: value for key, value in wanted.items() if value is not None}
    if not given:
        raise BadInput("no fault given; give one of: --down, --delay, --rate, --refuse")
    folder, plan, network = _find(lab, name)
    print(f"{name}: {_shown(_ask(folder, plan, network, 'fault_set', given))}")


@app.command()
def clear(name: Name, lab: LabName = None) -> None:
    """Clear the faults of a foreign network."""
    folder, plan, network = _find(lab, name)
    _ask(folder, plan, network, "fault_clear", {})
    print(f"{name}: {_shown({})}")


@app.command()
def ls(
    format: Format = "text",
    lab: LabName = None,
) -> None:
    """List the foreign networks: connections, waiting messages, faults."""
    import json

    folder = chosen(lab)
    plan = folder.plan()
    found: list[dict[str, Any]] = []
    for network in plan.networks:
        if not network.is_external:
            status = _ask(folder, plan, network, "status", {})
            faults = _ask(folder, plan, network, "fault_ls", {})
            found.append({"name": network.name, "kind": network.kind, "status": status, "faults": faults})
    if format == "json":
        print(json.dumps(found, indent=2))
        return
    for each in found:
        status = ", ".join(f"{key} {_plain(value)}" for key, value in each["status"].items() if key != "ready")
        print(safe_line(f"{each['name']} ({each['kind']}): {status}; {_shown(each['faults'])}"))
    if not found:
        print("this lab has no foreign network")


def _find(lab: str | None, name: str) -> tuple[LabFolder, Plan, NetworkNode]:
    """The network, if the lab runs it. Raises BadInput."""
    folder = chosen(lab)
    plan = folder.plan()
    known = {network.name: network for network in plan.networks if not network.is_external}
    if name not in known:
        raise BadInput(f"no network {name!r} in this lab (networks: {', '.join(known) or 'none'})")
    return folder, plan, known[name]


def _ask(folder: LabFolder, plan: Plan, network: NetworkNode, verb: str, arguments: dict[str, Any]) -> Any:
    from cluster.lab.ask import ask

    return ask(folder, plan, network, verb, arguments)


def _seconds(text: str) -> float:
    from cluster.base.units import DURATION

    try:
        return DURATION.parse(text) or 0.0
    except ValueError as error:
        raise BadInput(str(error)) from None


def _shown(faults: dict[str, Any]) -> str:
    from cluster.networks.faults import in_words

    return in_words(faults) or "no faults"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{each} for {key}" for key, each in value.items()) or "0"
    return (", ".join(value) or "none") if isinstance(value, list) else str(value)
