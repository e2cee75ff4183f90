"""`xmpplab exec`: run a program that uses the names of the lab."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.cli.common import LabName
from cluster.lab.api import Lab

Command = Annotated[list[str], typer.Argument(help="Program and its arguments; write `--` before one with options.")]


def exec_(command: Command, lab: LabName = None) -> None:
    """Run a program that finds the lab's domains and trusts its CA. Needs Linux, but no root.

    For clients and servers that only ask the system: /etc/hosts, /etc/resolv.conf and the bundle of trusted
    certificates are the lab's for this program alone. Example: `xmpplab exec -- profanity -a juliet@capulet.lit`.
    """
    Lab.named(lab).become(command)
