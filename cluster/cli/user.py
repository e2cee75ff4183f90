"""`xmpplab user`: the accounts of a running lab."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cluster.cli.common import LabName, account, chosen, read_jid, server_of
from cluster.lab.errors import LabError
from cluster.trace.terminal import safe_line

app = typer.Typer(help="Accounts of the running lab.", no_args_is_help=True)

Address = Annotated[str, typer.Argument(metavar="JID", help="Such as rosaline@capulet.lit.")]
Password = Annotated[
    str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True, help="Asked for where it is not given.")
]


@app.command()
def add(jid: Address, password: Password, lab: LabName = None) -> None:
    """Make an account."""
    _ask(lab, jid, "user_add", password=password)
    print(f"{jid} is made")


@app.command()
def passwd(jid: Address, password: Password, lab: LabName = None) -> None:
    """Change an account's password."""
    _ask(lab, jid, "user_passwd", password=password)
    print(f"{jid} has a new password")


@app.command("del")
def delete(jid: Address, lab: LabName = None) -> None:
    """Remove an account and all that belongs to it."""
    _ask(lab, jid, "user_del")
    print(f"{jid} is removed")


@app.command()
def ls(
    domain: Annotated[str | None, typer.Argument(help="Only this domain.")] = None,
    lab: LabName = None,
) -> None:
    """List the accounts."""
    from cluster.lab.ask import ask

    folder = chosen(lab)
    plan = folder.plan()
    firsts = [server for server in plan.servers if not server.node_of]  # its further nodes have the same accounts
    for server in firsts if domain is None else [server_of(plan, domain)]:
        for localpart in ask(folder, plan, server, "user_ls", {}):
            print(safe_line(f"{localpart}@{server.domain}"))


def _ask(lab: str | None, jid: str, verb: str, **args: str) -> Any:
    from cluster.lab import driver
    from cluster.lab.ask import ask

    folder = chosen(lab)
    plan = folder.plan()
    address = read_jid(jid) if verb == "user_add" else account(folder, plan, jid)
    server = server_of(plan, address.domainpart)
    if not driver.of(folder).is_up(folder):
        raise LabError(f"lab {folder.name} is down; bring it up with `xmpplab up {plan.topology} -d`")
    return ask(folder, plan, server, verb, {"localpart": address.localpart, **args})
