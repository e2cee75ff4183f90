"""All sub-commands, and what happens to their errors."""

from __future__ import annotations

import sys

import typer

from cluster.cli import (
    disturb,
    down,
    export,
    fault,
    graph,
    load,
    logs,
    mail,
    netem,
    network,
    phone,
    ps,
    scale,
    trace,
    up,
    user,
    validate,
    verify,
    watch,
)
from cluster.lab.errors import BadInput, LabError
from cluster.trace.terminal import safe

app = typer.Typer(
    help="A federated XMPP network on one desk.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_COMMANDS = (
    up.up,
    down.down,
    ps.ps,
    logs.logs,
    trace.trace,
    watch.watch,
    validate.validate,
    graph.graph,
    load.load,
    verify.verify,
    phone.phone,
    mail.mail,
    disturb.kill,
    disturb.pause,
    disturb.resume,
    disturb.restart,
    scale.scale,
    netem.netem,
)
for command in _COMMANDS:
    app.command()(command)
app.add_typer(user.app, name="user")
app.add_typer(fault.app, name="fault")
app.add_typer(export.app, name="export")
app.add_typer(network.app, name="network")


def main() -> None:
    """Exit code 0: done; 1: it could not be done; 2: what was asked for makes no sense."""
    try:
        app()
    except BadInput as error:
        _fail(str(error), 2)
    except LabError as error:
        _fail(str(error), 1)


def _fail(message: str, exit_code: int) -> None:
    print(safe(f"xmpplab: {message}"), file=sys.stderr)
    sys.exit(exit_code)
