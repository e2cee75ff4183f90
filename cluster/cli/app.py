"""All sub-commands, and the exit codes of their errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cluster.cli import (
    chat,
    check,
    config,
    disturb,
    down,
    exec,
    export,
    fault,
    graph,
    inbox,
    init,
    interop,
    load,
    logs,
    ls,
    netem,
    network,
    people,
    ps,
    scale,
    send,
    simulate,
    trace,
    up,
    user,
    validate,
    verify,
    watch,
    why,
)
from cluster.kinds import networks
from cluster.lab.api import BadInput, LabError, of_system
from cluster.trace.terminal import safe


class _Grouped(TyperGroup):
    """Lists the commands by their groups; typer does so only with its rich help."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        of_group: dict[str, list[tuple[str, Any]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            of_group.setdefault(command.rich_help_panel, []).append((name, command))
        width = max(map(len, self.commands))
        for group, commands in of_group.items():
            with formatter.section(group):
                rows = [(name, command.get_short_help_str(formatter.width - width - 6)) for name, command in commands]
                formatter.write_dl([(name.ljust(width), text) for name, text in rows])


app = typer.Typer(
    cls=_Grouped,
    no_args_is_help=True,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "XMPPLAB",
        "max_content_width": 120,  # in a terminal of this width; otherwise 80
    },
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
GROUPS: dict[str, dict[str, Callable[..., None] | typer.Typer]] = {
    "The lab": {
        "init": init.init,
        "up": up.up,
        "down": down.down,
        "ps": ps.ps,
        "ls": ls.ls,
        "logs": logs.logs,
        "scale": scale.scale,
        "user": user.app,
        "exec": exec.exec_,
        "check": check.check,
    },
    "Topology files": {
        "validate": validate.validate,
        "config": config.config,
        "graph": graph.graph,
        "export": export.app,
    },
    "Messages and routes": {
        "trace": trace.trace,
        "watch": watch.watch,
        "why": why.why,
        "chat": chat.chat,
        "send": send.send,
        "inbox": inbox.inbox,
        **{kind.command.name: people.command(kind) for kind in networks().values() if kind.command},
    },
    "Faults": {
        "kill": disturb.kill,
        "pause": disturb.pause,
        "resume": disturb.resume,
        "restart": disturb.restart,
        "fault": fault.app,
        "network": network.app,
        "netem": netem.netem,
    },
    "Measuring": {
        "verify": verify.verify,
        "simulate": simulate.simulate,
        "load": load.load,
        "interop": interop.interop,
    },
}
"""The commands as `--help` and README.md list them."""

for _group, _commands in GROUPS.items():
    for _name, _command in _commands.items():
        if isinstance(_command, typer.Typer):
            app.add_typer(_command, name=_name, rich_help_panel=_group)
        else:
            app.command(_name, rich_help_panel=_group)(_command)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

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
    """Run typer's command; only the options of sub-commands have environment variables."""
    whole = typer.main.get_command(app)
    for option in whole.params:
        option.allow_from_autoenv = False  # type: ignore[attr-defined]
    whole()


def run() -> int:
    """Run the command line; returns the exit code."""
    try:
        code = _done()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except OSError as error:  # the reader of its output has gone, or the disk that it writes to is full
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)  # Python writes what is left at its end
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
