"""The options of `xmpplab load` that its scenario brings along: they are known once the scenario is."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer
from typer.core import TyperCommand

from cluster.lab.api import BadInput, LabError
from cluster.lab.catalogue import load_scenario_path, load_scenarios

SCENARIO = "chat"
"""If none is named."""
_PARAMETERS, _GIVEN = "options of the scenario", "their values"
_DESCRIBED_WITHIN_S = 60


class LoadCommand(TyperCommand):
    """Has the options of its scenario in addition to its own; `given` returns their values."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Find the scenario, and then its options."""
        parameters: list[Any] = []
        try:
            parameters = _parameters(load_file(self._scenario(ctx, args)))
        except LabError:  # a completion shows no error, and help is always there
            if not ctx.resilient_parsing and not {"-h", "--help"} & set(args):
                raise
        ctx.meta[_PARAMETERS] = parameters
        rest: list[str] = super().parse_args(ctx, args)
        ctx.meta[_GIVEN] = {each.opts[-1]: ctx.params.pop(each.name, None) for each in parameters}
        return rest

    def get_params(self, ctx: Any) -> list[Any]:
        """Those of the scenario after its own, before `--help`."""
        *params, help = super().get_params(ctx)
        return [*params, *ctx.meta.get(_PARAMETERS, ()), help]

    def _scenario(self, ctx: Any, args: list[str]) -> str:
        """What names a scenario or a file, of what belongs to none of the command's own options."""
        ctx.ignore_unknown_options = True
        try:
            values, rest, _ = self.make_parser(ctx).parse_args(list(args))
        finally:
            ctx.ignore_unknown_options = False
        words = [word for word in (values.get("scenario"), *rest) if isinstance(word, str)]
        names = load_scenarios()
        return next((word for word in words if word in names or word.endswith(".py")), SCENARIO)


def given(ctx: typer.Context) -> dict[str, Any]:
    """The values of the scenario's options by their flags; None where one is not given."""
    values: dict[str, Any] = ctx.meta[_GIVEN]
    return values


def as_arguments(values: dict[str, Any]) -> list[str]:
    """The options as a command line."""
    found: list[str] = []
    for flag, value in values.items():
        if value is True:
            found.append(flag)
        elif isinstance(value, (list, tuple)):
            found += [f"{flag}={each}" for each in value]
        elif value is not None and value is not False:
            found.append(f"{flag}={value}")
    return found


def load_file(scenario: str) -> Path:
    """The locust file. Raises BadInput, and LabError without locust."""
    if find_spec("locust") is None:
        raise LabError("locust is not installed; `pip install '.[load]'` in the checkout of xmpplab")
    file = load_scenario_path(scenario)
    if not file.is_file():
        raise BadInput(f"no file {file}; name a locust file, or a load scenario such as {SCENARIO}")
    return file


class _Option(NamedTuple):
    """As `loadtests.describe` prints it: locust, which it needs, changes the process that imports it."""

    name: str
    flag: str
    help: str
    metavar: str | None
    choices: list[str]
    is_list: bool
    is_switch: bool

    def parameter(self) -> inspect.Parameter:
        """As an argument of a command's function."""
        type_: Any = Literal[tuple(self.choices)] if self.choices else str
        type_ = bool if self.is_switch else list[type_] if self.is_list else type_
        metavar = None if self.is_switch or self.choices else self.metavar or self.name.upper()
        annotation = Annotated[type_ | None, typer.Option(self.flag, help=self.help, metavar=metavar)]
        default = False if self.is_switch else None
        return inspect.Parameter(self.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _parameters(file: Path) -> list[Any]:
    """The options that the locust file adds to those of locust, as typer makes them. Raises BadInput."""
    argv = [sys.executable, "-P", "-m", "loadtests.describe", str(file)]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_DESCRIBED_WITHIN_S, check=False)
    except subprocess.TimeoutExpired:
        raise BadInput(f"{file} cannot be loaded: it does not end within {_DESCRIBED_WITHIN_S} s") from None
    if done.returncode:
        why = done.stderr.strip().rpartition("\n")[2]
        raise BadInput(f"{file} cannot be loaded: {why}; try `python {file}`")
    parameters = [_Option(**option).parameter() for option in json.loads(done.stdout)]

    def scenario() -> None: ...

    scenario.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    scenario.__annotations__ = {each.name: each.annotation for each in parameters}
    app = typer.Typer(add_completion=False)
    app.command()(scenario)
    command: Any = typer.main.get_command(app)
    return list(command.params)
