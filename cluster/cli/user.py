"""`xmpplab user`: the accounts of a running lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.common import LabName, account, chosen, read_jid, server_of
from cluster.cli.completion import accounts
from cluster.cli.output import Format, print_json
from cluster.lab.errors import LabError
from cluster.trace.terminal import safe_line

if TYPE_CHECKING:
    from cluster.lab.folder import LabFolder
    from cluster.topology.plan import Plan, ServerNode
    from cluster.xmpp.jid import Jid

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
    print(f"created {_ask(lab, jid, 'user_add', password=password)}")


@app.command()
def passwd(jid: Known, password: Password, lab: LabName = None) -> None:
    """Change the password of an account."""
    print(f"changed the password of {_ask(lab, jid, 'user_passwd', password=password)}")


@app.command("del")
def delete(jid: Known, lab: LabName = None) -> None:
    """Remove an account and its data."""
    print(f"removed {_ask(lab, jid, 'user_del')}")


@app.command()
def ls(
    domain: Annotated[str | None, typer.Argument(help="Only accounts of this domain.")] = None,
    format: Format = "text",
    lab: LabName = None,
) -> None:
    """List the accounts."""
    folder = chosen(lab)
    plan = folder.plan()
    firsts = [server for server in plan.servers if not server.node_of]  # its further nodes have the same accounts
    asked = firsts if domain is None else [server_of(plan, domain)]
    found = [(f"{name}@{server.domain}", server.name) for server in asked for name in _names(folder, plan, server)]
    if format == "json":
        from cluster.cli.documents import AccountView

        print_json([AccountView(jid, server) for jid, server in found])
        return
    for jid, _ in found:
        print(safe_line(jid))


def _names(folder: LabFolder, plan: Plan, server: ServerNode) -> list[str]:
    from cluster.lab.ask import ask

    return list(ask(folder, plan, server, "user_ls", {}))


def _ask(lab: str | None, jid: str, verb: str, **args: str) -> Jid:
    """The account that it was done to."""
    from cluster.lab import driver
    from cluster.lab.ask import ask

    folder = chosen(lab)
    plan = folder.plan()
    address = read_jid(jid) if verb == "user_add" else account(folder, plan, jid)
    server = server_of(plan, address.domainpart)
    if not driver.of(folder).is_up(folder):
        raise LabError(f"lab {folder.name} is down; bring it up with `xmpplab up {plan.topology} -d`")
    ask(folder, plan, server, verb, {"localpart": address.localpart, **args})
    return address
