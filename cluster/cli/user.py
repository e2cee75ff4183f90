"""`xmpplab user`: the accounts of a running lab."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.cli.common import LabName
from cluster.cli.common import Password as LoginPassword
from cluster.cli.completion import accounts
from cluster.cli.output import Format, print_json
from cluster.cli.table import print_table
from cluster.lab.api import Lab
from cluster.trace.terminal import safe_line

app = typer.Typer(help="Accounts: add, change, remove, list; their sessions.", no_args_is_help=True)

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


@app.command()
def sessions(
    who: Annotated[
        str, typer.Argument(metavar="WHO", help="Account, or domain: all of its accounts.", autocompletion=accounts)
    ],
    format: Format = "text",
    lab: LabName = None,
) -> None:
    """List the clients that are logged in."""
    found = Lab.named(lab).users.sessions(who)
    if format == "json":
        print_json(found)
    elif found:
        rows = [(safe_line(each.jid), each.node, each.state, each.priority) for each in found]
        print_table(["CLIENT", "NODE", "STATE", "PRIORITY"], rows)
    else:
        print("nobody is logged in")


@app.command()
def disconnect(
    client: Annotated[str, typer.Argument(metavar="CLIENT", help="Full address, such as romeo@montague.lit/pda.")],
    lab: LabName = None,
) -> None:
    """End the session of a client; it may log in again."""
    print(safe_line(f"ended the session of {Lab.named(lab).users.end_session(client)}"))


@app.command()
def roster(
    jid: Known,
    add: Annotated[str, typer.Option(metavar="JID", help="Add this contact, and ask for its presence.")] = "",
    remove: Annotated[str, typer.Option(metavar="JID", help="Remove this contact, with both subscriptions.")] = "",
    format: Format = "text",
    password: LoginPassword = None,
    lab: LabName = None,
) -> None:
    """Show the contacts of an account; with an option, change them first."""
    account = Lab.named(lab).account(jid, password)
    if add:
        account.add_contact(add)
    if remove:
        account.remove_contact(remove)
    found = account.roster()
    if format == "json":
        print_json(found)
    elif found:
        rows = [(safe_line(each.jid), safe_line(each.name), each.subscription, _yes(each.is_asked)) for each in found]
        print_table(["CONTACT", "NAME", "SUBSCRIPTION", "ASKED"], rows)
    else:
        print("the roster is empty")


def _yes(value: bool) -> str:
    return "yes" if value else ""
