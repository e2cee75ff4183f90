"""`xmpplab check`: a domain of the lab, as another server and a client see it."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.cli.common import LabName
from cluster.cli.output import Format, print_json
from cluster.cli.table import print_verdict
from cluster.lab.api import Lab, LabError


def check(
    domain: Annotated[str, typer.Argument(help="Domain of a server, component or service of the lab.")],
    format: Format = "text",
    lab: LabName = None,
) -> None:
    """Check a domain as another server and a client see it.

    Step by step: names, TLS, certificates, logins. Stops at the first step that fails, with exit code 1 and the remedy.
    """
    done = []
    for step in Lab.named(lab).check(domain):
        done.append(step)
        if format == "text":
            print_verdict(f"{step.side.ljust(10)}  {step.name.ljust(11)}  {step.found}", ok=step.ok, indent=31)
    if format == "json":
        print_json(done)
    if not done[-1].ok:
        raise LabError(f"{domain}: {done[-1].name} for {done[-1].side}: {done[-1].found}; {done[-1].remedy}")
