"""`xmpplab phone`, `xmpplab mail` and other commands of kinds of foreign networks: act as one of their people."""

from __future__ import annotations

from contextlib import nullcontext
from inspect import Parameter, Signature
from typing import Annotated, Any, Literal

import typer

from cluster.cli.common import LabName
from cluster.cli.completion import people
from cluster.cli.interrupt import interruptible
from cluster.cli.output import print_json
from cluster.kinds.base.network import NetworkNode
from cluster.lab.api import BadInput, Lab


def command(kind: type[NetworkNode]) -> Any:
    """The command of a kind, for typer, which makes arguments and options from its signature."""
    told = kind.command
    assert told is not None

    def run(**given: Any) -> None:
        person, action = Lab.named(given["lab"]).person(kind, given[told.who[0]]), given["action"]
        if given["format"] == "json" and action == "inbox":
            print_json(person.inbox())
            return
        with interruptible() if action is None else nullcontext():
            try:
                told.run(person, action, given["words"] or [])
            except ValueError as error:
                raise BadInput(str(error)) from None

    run.__name__, run.__doc__ = told.name, told.about
    run.__signature__ = _signature(kind)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in _signature(kind).parameters.values()}
    return run


def _signature(kind: type[NetworkNode]) -> Signature:
    told = kind.command
    assert told is not None
    who, who_help = told.who
    words, words_help = told.words
    action: Any = Literal[told.actions] if told.usual_action else Literal[told.actions] | None
    arguments: list[tuple[str, Any, Any]] = [
        (who, Annotated[str, typer.Argument(help=who_help, autocompletion=people(kind))], Parameter.empty),
        ("action", Annotated[action, typer.Argument(help=told.action_help)], told.usual_action),
        ("words", Annotated[list[str] | None, typer.Argument(metavar=words, help=words_help)], None),
        ("format", Annotated[Literal["text", "json"], typer.Option("--format", help="Format of the inbox.")], "text"),
        ("lab", LabName, None),
    ]
    return Signature(
        [
            Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=annotation)
            for name, annotation, default in arguments
        ]
    )
