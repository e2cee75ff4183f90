"""`xmpplab shell`: a Python prompt with the lab in it."""

from __future__ import annotations

import code
import sys
import traceback
from contextlib import suppress

import typer

from cluster.cli.common import LabName
from cluster.lab.api import BadInput, Lab, LabError


def shell(lab: LabName = None) -> None:
    """Open a Python prompt in which `lab` is the lab (docs/python.md). Runs a script from standard input, too."""
    opened = Lab.named(lab)
    opened.check_up()
    names: dict[str, object] = {"__name__": "__console__", "lab": opened}
    if not sys.stdin.isatty():
        _run(sys.stdin.read(), names)
        return
    with suppress(ImportError):  # Python may have been built without readline: then there is no history
        import readline
        import rlcompleter

        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab: complete")
    _Prompt(names).interact(_banner(opened), exitmsg="")


def _run(script: str, names: dict[str, object]) -> None:
    """Run a script. An error of its own ends the command, with the lines of the script alone in the traceback."""
    try:
        exec(compile(script, "<stdin>", "exec"), names)
    except LabError:
        raise
    except Exception as error:
        traceback.print_exception(error.with_traceback(error.__traceback__ and error.__traceback__.tb_next))
        raise typer.Exit(1) from None


class _Prompt(code.InteractiveConsole):
    """Shows an error of the lab as a command does."""

    def showtraceback(self) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, LabError):
            self.write(f"{error}\n")
        else:
            super().showtraceback()


def _banner(lab: Lab) -> str:
    try:
        from_, to = lab.demonstration()[0]
    except BadInput:  # no contact of this topology is in another domain
        tried = ["lab.users.ls()", "lab.nodes()", 'lab.check("DOMAIN")']
    else:
        link = f'"{from_.domainpart}", "{to.domainpart}"'
        tried = [
            f'lab.account("{from_}").send("{to}", "But, soft!")',
            "lab.why().outcome",
            f'lab.faults.set({link}, {{"delay": "200ms"}})',
        ]
    return "\n".join(
        [f"lab {lab.name} is `lab`; Tab completes names, Ctrl-D ends. Try:", *(f"    {it}" for it in tried)]
    )
