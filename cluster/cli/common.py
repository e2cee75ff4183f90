"""What several sub-commands share: the lab that is meant, and reading what the user typed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.completion import labs_here, topologies
from cluster.lab.errors import BadInput

if TYPE_CHECKING:
    from cluster.lab.folder import LabFolder
    from cluster.lab.verify.read import ScenarioFile
    from cluster.topology.plan import Plan, ServerNode
    from cluster.xmpp.jid import Jid

LabName = Annotated[
    str | None,
    typer.Option(
        "--lab",
        envvar="XMPPLAB_LAB",
        metavar="NAME",
        help="Name of the lab; needed if this folder has several.",
        autocompletion=labs_here,
    ),
]
Password = Annotated[
    str | None, typer.Option(help="Password of the account that logs in, if the topology does not give it.")
]


def _found(file: Path | None) -> Path | None:
    from cluster.lab.catalogue import topology_path

    return None if file is None else topology_path(str(file))


TOPOLOGY_HELP = "Topology file (YAML), or the name of a topology that is included, such as rfc3920"
TopologyFile = Annotated[
    Path, typer.Argument(metavar="FILE", help=f"{TOPOLOGY_HELP}.", autocompletion=topologies, callback=_found)
]
OptionalTopologyFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        help=f"{TOPOLOGY_HELP}; default: the only *.yaml here.",
        autocompletion=topologies,
        callback=_found,
    ),
]


def chosen(name: str | None) -> LabFolder:
    """The lab that the command means. Raises BadInput."""
    from cluster.lab.folder import choose

    return choose(Path.cwd(), name)


def read_plans(file: Path, redis_url: str = "") -> list[Plan]:
    """The plans of a topology file for this folder. Raises BadInput with all that is wrong with it."""
    from cluster.lab import plans
    from cluster.topology.problem import TopologyError

    try:
        return plans.read_plans(file, Path.cwd(), redis_url)
    except TopologyError as error:
        raise BadInput(f"{file} is not valid:\n{error}") from None


def read_scenario(text: str, duration: str = "") -> ScenarioFile:
    """A scenario by its path or its name. Raises BadInput with all that is wrong with it.

    `duration`: of all its flows, instead of what the file says.
    """
    from cluster.lab.catalogue import scenario_path
    from cluster.lab.verify.read import read
    from cluster.lab.verify.values import duration_s
    from cluster.topology.problem import TopologyError

    try:
        so_long_s = duration_s(duration) if duration else None
    except ValueError as error:
        raise BadInput(f"--duration: {error}") from None
    path = scenario_path(text)
    try:
        return read(path, so_long_s)
    except TopologyError as error:
        raise BadInput(f"{path} is not valid:\n{error}") from None


def read_jid(text: str) -> Jid:
    """An address of an account, bare or full. Raises BadInput."""
    from cluster.xmpp.jid import Jid, JidError

    try:
        jid = Jid.parse(text)
    except JidError as error:
        raise BadInput(f"{error}; write an address such as romeo@montague.lit") from None
    if not jid.localpart:
        raise BadInput(f"{text!r} is a domain; write an address such as romeo@{text}")
    return jid


def account(folder: LabFolder, plan: Plan, text: str) -> Jid:
    """Whom the user means: an address, or a name that is unique in the lab, such as romeo, juliet/balcony or fc1.

    Names are those of the topology: accounts, phones and mailboxes; then those of accounts that were added. Raises
    BadInput.
    """
    name, slash, resource = text.partition("/")
    if "@" in name or not name or any(name == server.domain for server in plan.servers):
        return read_jid(text)
    found = _named(plan, name) or _added(folder, plan, name)
    if len(found) > 1:
        raise BadInput(f"{name!r} is ambiguous: {' or '.join(found)}; write the full address")
    if not found:
        raise BadInput(
            f"no account, phone or mailbox {name!r} in this lab; write a name, or an address such as romeo@montague.lit"
        )
    return read_jid(f"{found[0]}{slash}{resource}")


def _named(plan: Plan, name: str) -> list[str]:
    from cluster.lab.accounts import behind_gateways

    accounts = {f"{name}@{s.domain}": None for s in plan.servers for seed in s.accounts if seed.localpart == name}
    return [*accounts, *(str(each.jid) for each in behind_gateways(plan) if each.name == name)]


def _added(folder: LabFolder, plan: Plan, name: str) -> list[str]:
    from cluster.lab.accounts import known_accounts

    return [each.jid for each in known_accounts(folder, plan) if each.jid.rpartition("@")[0] == name]


def known_password(plan: Plan, jid: Jid, given: str | None) -> str:
    """The one that was given, else the topology's. Raises BadInput, also where the account is not the lab's."""
    from cluster.lab.login import password_of

    server_of(plan, jid.domainpart)
    password = given or password_of(plan, jid)
    if password is None:
        raise BadInput(f"the topology has no password for {jid}; pass --password")
    return password


def server_of(plan: Plan, domain: str) -> ServerNode:
    """The server of a domain of the lab. Raises BadInput."""
    server = next((server for server in plan.servers if server.domain == domain), None)
    if server is None:
        known = ", ".join(server.domain for server in plan.servers)
        raise BadInput(f"no server of this lab serves {domain!r} (domains: {known})")
    return server
