"""`xmpplab user`: the accounts of a running lab."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.cli.common import LabName
from cluster.cli.completion import accounts
from cluster.cli.output import Format, print_json
from cluster.lab.api import Lab
from cluster.trace.terminal import safe_line

app = typer.Typer(help="Add, change, remove and list accounts.", no_args_is_help=True)

Address = Annotated[str, typer.Argument(metavar="JID", help="Address, such as rosaline@capulet.lit.")]
Known = Annotated[
    str,
    typer.Argument(
        metavar="JID", help="Address, such as rosaline@capulet.lit, or its unique localpart.", autocompletion=accounts
    ),
]
Password = Annotated[
    str,
    typer.Option(prompt=True, hide_input=True, confirmation_prompt=True, help="Password; prompted for if not given."),
]


@app.command()
def add(jid: Address, password: Password, lab: LabName = None) -> None:
    """Create an account."""
    print(f"created {Lab.named(lab).users.add(jid, password)}")


@app.command()
def passwd(jid: Known, password: Password, lab: LabName = None) -> None:
    """Change the password of an account."""
    print(f"changed the password of {Lab.named(lab).users.set_password(jid, password)}")


@app.command("del")
def delete(jid: Known, lab: LabName = None) -> None:
    """Remove an account and its data."""
    print(f"removed {Lab.named(lab).users.delete(jid)}")


@app.command()
def ls(
    domain: Annotated[str | None, typer.Argument(help="Only accounts of this domain.")] = None,
    format: Format = "text",
    lab: LabName = None,
) -> None:
    """List the accounts."""
    found = Lab.named(lab).users.ls(domain)
    if format == "json":
        print_json(found)
        return
    for account in found:
        print(safe_line(account.jid))
