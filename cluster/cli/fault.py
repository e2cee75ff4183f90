"""`xmpplab fault`: set and clear faults of the links between servers while the lab runs."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.common import LabName
from cluster.cli.completion import servers
from cluster.cli.output import Format, print_json
from cluster.lab.api import BadInput, Lab, link_faults
from cluster.trace.terminal import safe_line

if TYPE_CHECKING:
    from cluster.lab.answers import LinkState

app = typer.Typer(help="Set, clear and list faults of links between servers.", no_args_is_help=True)

From = Annotated[
    str, typer.Argument(metavar="FROM", help="Sending server: its name (s1) or domain.", autocompletion=servers)
]
To = Annotated[str, typer.Argument(metavar="TO", help="Receiving server.", autocompletion=servers)]
Both = Annotated[bool, typer.Option("--both", help="Both directions.")]


def set_(from_: From, to: To, both: Both = False, lab: LabName = None, **faults: str | None) -> None:
    """Add faults to a link, or change them; `none` removes one. Times count from now."""
    given = {key: text for key, text in faults.items() if text is not None}
    if not given:
        raise BadInput(f"no fault given; give one of: {', '.join(f'--{key}' for key in link_faults())}")
    for link in Lab.named(lab).faults.set(from_, to, given, both=both):
        _tell(link)


def _with_an_option_for_each_fault(command: Any) -> Any:
    """A signature with an option for each registered fault; typer makes the options from it."""
    signature = inspect.signature(command, eval_str=True)
    options = [
        inspect.Parameter(
            key,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[str | None, typer.Option(f"--{key}", metavar="VALUE", help=meaning)],
        )
        for key, meaning in link_faults().items()
    ]
    others = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    command.__signature__ = signature.replace(parameters=[*others, *options])
    command.__annotations__ = {each.name: each.annotation for each in (*others, *options)}
    return command


app.command("set")(_with_an_option_for_each_fault(set_))


@app.command()
def clear(
    from_: Annotated[
        str | None,
        typer.Argument(metavar="FROM", help="Sending server; without it: all links.", autocompletion=servers),
    ] = None,
    to: Annotated[str | None, typer.Argument(metavar="TO", help="Receiving server.", autocompletion=servers)] = None,
    both: Both = False,
    lab: LabName = None,
) -> None:
    """Clear the faults of one link, or of all."""
    if from_ is not None and to is None:
        raise BadInput(f"a link has two ends; write `xmpplab fault clear {from_} TO`, or no server for all links")
    mended = Lab.named(lab).faults.clear(from_, to, both=both)
    for link in mended:
        _tell(link)
    if not mended:
        print("no link has a fault")


@app.command()
def ls(
    format: Format = "text",
    lab: LabName = None,
) -> None:
    """List the links that have faults, and how many stanzas each fault has lost."""
    links = Lab.named(lab).faults.ls()
    if format == "json":
        print_json(links)
        return
    for link in links:
        lost = f" ({link.lost} lost so far)" if link.lost else ""
        print(f"{_way(link)}: {_shown(link)}{lost}")
    if not links:
        print("no link has a fault")


def _tell(link: LinkState) -> None:
    later = "" if link.heard_by else f" ({link.to} is not running; applies when it starts)"
    print(f"{_way(link)}: {_shown(link)}{later}")


def _way(link: LinkState) -> str:
    return f"{link.from_} → {link.to}"


def _shown(link: LinkState) -> str:
    return safe_line(", ".join(f"{key} {text}" for key, text in link.faults.items())) or "no faults"
