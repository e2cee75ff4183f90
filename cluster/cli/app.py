"""All sub-commands, and the exit codes of their errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import CodeType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from cluster.base.version import version
from cluster.lab.api import LabError, of_system
from cluster.trace.terminal import safe

GROUPS: dict[str, dict[str, str]] = {
    "The lab": {
        "init": "init.init",
        "up": "up.up",
        "down": "down.down",
        "ps": "ps.ps",
        "ls": "ls.ls",
        "logs": "logs.logs",
        "scale": "scale.scale",
        "user": "user.app",
        "connect": "connect.connect",
        "exec": "exec.exec_",
        "shell": "shell.shell",
        "check": "check.check",
        "web": "web.web",
    },
    "Topology files": {
        "generate": "generate.generate",
        "validate": "validate.validate",
        "config": "config.config",
        "graph": "graph.graph",
        "export": "export.app",
    },
    "Messages and routes": {
        "trace": "trace.trace",
        "watch": "watch.watch",
        "why": "why.why",
        "chat": "chat.chat",
        "send": "send.send",
        "inbox": "inbox.inbox",
        "search": "search.search",
    },
    "Faults": {
        "kill": "disturb.kill",
        "pause": "disturb.pause",
        "resume": "disturb.resume",
        "restart": "disturb.restart",
        "fault": "fault.app",
        "network": "network.app",
        "netem": "netem.netem",
    },
    "Measuring": {
        "verify": "verify.verify",
        "timeline": "timeline.timeline",
        "simulate": "simulate.simulate",
        "load": "load.load",
        "interop": "interop.interop",
    },
}
"""The commands as `--help` and README.md list them, with their places in `cluster.cli`; those of kinds, such as
`phone`, are in addition."""
CLASSES = {"load": "load_options.LoadCommand"}
"""Of commands that are more than their functions."""
OF_KINDS = "Messages and routes"
"""The group of the commands of kinds."""


@cache
def _of_kinds() -> dict[str, Any]:
    from cluster.cli.people import command
    from cluster.kinds import networks

    return {kind.command.name: command(kind) for kind in networks().values() if kind.command}


def groups() -> dict[str, list[str]]:
    """The names of all commands, by their groups."""
    return {group: [*names, *(_of_kinds() if group == OF_KINDS else ())] for group, names in GROUPS.items()}


def _place(name: str) -> str | None:
    """Of a command in `cluster.cli`; None if it is one of a kind, or there is no such command."""
    return next((names[name] for names in GROUPS.values() if name in names), None)


def _found(name: str) -> Any:
    """The function of a command, or the `Typer` of a command with sub-commands. Raises KeyError."""
    place = _place(name)
    return _of_kinds()[name] if place is None else _imported(place)


def _imported(place: str) -> Any:
    module, attribute = place.split(".")
    return getattr(import_module(f"cluster.cli.{module}"), attribute)


class _Commands(Mapping[str, Any]):
    """typer's commands by their names. Each is imported when it is used, so that none waits for what others need."""

    def __getitem__(self, name: str) -> Any:
        found, one = _found(name), typer.Typer(rich_markup_mode=None)
        if isinstance(found, typer.Typer):
            one.add_typer(found, name=name)
        else:
            one.command(name, cls=_imported(CLASSES[name]) if name in CLASSES else None)(found)
        return typer.main.get_group(one).commands[name]

    def __iter__(self) -> Iterator[str]:
        return (name for names in groups().values() for name in names)

    def __len__(self) -> int:
        return sum(map(len, groups().values()))


class _Grouped(TyperGroup):
    """Lists the commands by their groups; typer does so only with its rich help."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: Any = _Commands()

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(map(len, self.commands))
        for group, names in groups().items():
            with formatter.section(group):
                rows = [(name.ljust(width), _about(name, formatter.width - width - 6)) for name in names]
                formatter.write_dl(rows)


def _about(name: str, width: int) -> str:
    """What a command does, in a line; its options, which take longer to make, are not needed for that."""
    place = _place(name)
    text = _docstring(place) if place else None
    if text is None:
        found = _found(name)
        text = found.info.help if isinstance(found, typer.Typer) else found.__doc__
    return TyperCommand(name, help=text).get_short_help_str(width)


def _docstring(place: str) -> str | None:
    """Of a function in `cluster.cli`, from the compiled file, which is not run: it would import what the command needs.
    None if the place is not a function's."""
    module, function = place.split(".")
    spec = find_spec(f"cluster.cli.{module}")
    assert spec is not None  # it is one of GROUPS
    for each in spec.loader.get_code(spec.name).co_consts:  # type: ignore[union-attr]  # Python's own, which has it
        if isinstance(each, CodeType) and each.co_name == function and isinstance(each.co_consts[0], str):
            return each.co_consts[0]
    return None


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


def _tell_version(wanted: bool) -> None:
    if wanted:
        print(version())
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
    except LabError as error:
        return _failed(str(error), error.exit_code)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _failed(of_system(error), 1)
    return 0


def _failed(message: str, exit_code: int) -> int:
    print(safe(f"xmpplab: {message}"), file=sys.stderr)
    return exit_code
