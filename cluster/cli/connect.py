"""`xmpplab connect`: start a client program as an account of the lab."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.cli.common import LabName, Password
from cluster.cli.completion import accounts, clients
from cluster.cli.output import Format, print_json
from cluster.cli.table import print_table
from cluster.cli.web import PAGE, open_chat
from cluster.lab.api import BadInput, Lab, client_programs


def connect(
    client: Annotated[
        str | None,
        typer.Argument(
            metavar="CLIENT", help="Program, such as profanity or gajim; page: a browser.", autocompletion=clients
        ),
    ] = None,
    who: Annotated[
        str | None,
        typer.Argument(metavar="ACCOUNT", help="Account, such as romeo or romeo/pda.", autocompletion=accounts),
    ] = None,
    password: Password = None,
    format: Format = "text",
    lab: LabName = None,
) -> None:
    """Start a client program, logged in as an account of the lab. Needs Linux, but no root.

    The client has a profile of its own in the lab's folder, and finds the lab's domains and trusts its CA, as with
    `xmpplab exec`. `page` is the chat of the lab's page, in your browser. Without arguments, the programs are listed.
    Example: `xmpplab connect gajim juliet`.
    """
    if client is None:
        _list(format)
    elif who is None:
        raise BadInput(f"name the account, such as romeo: `xmpplab connect {client} ACCOUNT`")
    elif client == PAGE:
        open_chat(Lab.named(lab), who, password or "")
    else:
        Lab.named(lab).connect(client, who, password)


def _list(format: Format) -> None:
    found = client_programs()
    if format == "json":
        print_json(found)
        return
    rows = [
        (each.name, "window" if each.is_graphical else "terminal", each.path or f"no: apt install {each.package}")
        for each in found
    ]
    rows.append((PAGE, "browser", "a part of xmpplab"))
    print_table(["CLIENT", "RUNS IN A", "INSTALLED"], rows)
    print("\nto start one: `xmpplab connect CLIENT ACCOUNT`; `xmpplab ps` shows the accounts")
