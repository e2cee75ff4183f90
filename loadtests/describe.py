# mypy: allow-untyped-calls
# (locust annotates only some of its functions)
"""Prints the options of a load scenario as JSON, for commands that offer them: `python -m loadtests.describe FILE`."""

from __future__ import annotations

import contextlib
import gc
import sys

import msgspec
from locust import events
from locust.argument_parser import get_empty_argument_parser
from locust.util.load_locustfile import load_locustfile


class Option(msgspec.Struct, frozen=True):
    """An option, as argparse has it."""

    name: str
    """Of its value in the parsed options."""
    flag: str
    help: str
    metavar: str | None
    choices: list[str]
    is_list: bool
    """It may be given several times."""
    is_switch: bool
    """It has no value."""


def options(file: str) -> list[Option]:
    """The options that a locust file, and what it imports, add to those of locust."""
    load_locustfile(file)
    parser = get_empty_argument_parser(add_help=False)
    before = len(parser._actions)
    events.init_command_line_parser.fire(parser=parser)
    return [
        Option(
            action.dest,
            action.option_strings[-1],
            action.help or "",
            action.metavar,
            [str(each) for each in action.choices or ()],
            isinstance(action.default, list),
            action.nargs == 0,
        )
        for action in parser._actions[before:]
        if action.option_strings
    ]


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):  # of what the file prints
        found = options(sys.argv[1])
    print(msgspec.json.encode(found).decode())
    gc.freeze()  # at its end Python would go through all that locust imports, a quarter of this
