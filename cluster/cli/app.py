"""All sub-commands, and what happens to their errors."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from cluster.cli import (
    chat,
    config,
    disturb,
    down,
    export,
    fault,
    graph,
    inbox,
    load,
    logs,
    ls,
    netem,
    network,
    people,
    ps,
    scale,
    send,
    trace,
    up,
    user,
    validate,
    verify,
    watch,
)
from cluster.kinds import networks
from cluster.lab.errors import BadInput, LabError, of_system
from cluster.trace.terminal import safe

app = typer.Typer(
    no_args_is_help=True,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "XMPPLAB",
        "max_content_width": 120,  # of a terminal that is as wide; else 80, and most summaries end in "..."
    },
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_COMMANDS = (
    up.up,
    down.down,
    ps.ps,
    ls.ls,
    logs.logs,
    trace.trace,
    watch.watch,
    chat.chat,
    send.send,
    inbox.inbox,
    validate.validate,
    config.config,
    graph.graph,
    load.load,
    verify.verify,
    *(people.command(kind) for kind in networks().values() if kind.command),
    disturb.kill,
    disturb.pause,
    disturb.resume,
    disturb.restart,
    scale.scale,
    netem.netem,
)
for _command in _COMMANDS:
    app.command()(_command)
app.add_typer(user.app, name="user")
app.add_typer(fault.app, name="fault")
app.add_typer(export.app, name="export")
app.add_typer(network.app, name="network")


def _tell_version(wanted: bool) -> None:
    if wanted:
        print(f"xmpplab {version('xmpplab')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version, and exit.")
    ] = False,
) -> None:
    """A federated XMPP network on one desk.

    Options have environment variables: XMPPLAB_PS_FORMAT=json is `ps --format json`; XMPPLAB_LAB is --lab everywhere.
    """


def command() -> None:
    """All of it; only the options of sub-commands have environment variables."""
    whole = typer.main.get_command(app)
    for option in whole.params:
        option.allow_from_autoenv = False  # type: ignore[attr-defined]
    whole()


def run() -> int:
    """Do what the command line says; the exit code."""
    try:
        code = _done()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except OSError as error:  # nobody reads what it prints, or the disk that it is written to is full
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)  # where Python writes what is left, at its end
        return 1 if isinstance(error, BrokenPipeError) else _failed(f"standard output: {of_system(error)}", 1)
    return code


def _done() -> int:
    try:
        command()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BadInput as error:
        return _failed(str(error), 2)
    except LabError as error:
        return _failed(str(error), 1)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _failed(of_system(error), 1)
    return 0


def _failed(message: str, exit_code: int) -> int:
    print(safe(f"xmpplab: {message}"), file=sys.stderr)
    return exit_code
