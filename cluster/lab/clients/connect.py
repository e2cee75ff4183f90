"""Starts a client program as an account of the lab."""

from __future__ import annotations

import os
from secrets import token_hex
from typing import NoReturn

from cluster.lab.clients.login import check_exists, known_password, log_in
from cluster.lab.clients.names import server_of
from cluster.lab.clients.profiles import lock
from cluster.lab.errors import BadInput, LabError, NoProgram
from cluster.lab.folder import LabFolder
from cluster.lab.private import make_folder
from cluster.lab.processes.namespace import become
from cluster.lab.programs import named
from cluster.lab.programs.base.program import ClientLogin, ClientProgram
from cluster.topology.plan import Plan, ServerNode
from cluster.xmpp.jid import Jid

C2S_PORT, DNS_PORT = 5222, 53
_ALONE = {"DBUS_SESSION_BUS_ADDRESS": "disabled:"}
"""Without the session bus: on it, a second process of most programs with a window only shows the first one."""


def connect(folder: LabFolder, plan: Plan, name: str, jid: Jid, given_password: str | None) -> NoReturn:
    """Run the client program in place of this process. Raises LabError, and BadInput for a program that there is not.

    A resource of `jid` is that of the client; otherwise it is the name of the program.
    """
    client = named(name)
    path, server = _installed(client), server_of(plan, jid.domainpart)
    _check_ways(client, plan, server)
    password = _right_password(folder, plan, jid.bare, given_password)
    profile = folder.profile(client.name, str(jid.bare))
    make_folder(profile)
    if not lock(profile):
        raise LabError(f"{client.name} is running already as {jid.bare}; end it first, or connect another account")
    full = jid.with_resource(client.name) if jid.is_bare else jid
    start = client.prepare(profile, ClientLogin(full, password, server.host, server.c2s_port, server.tls != "off"))
    environment = {**(_ALONE if client.is_graphical else {}), **start.environment}
    become(folder, plan, [path, *start.arguments], environment)


def _installed(client: ClientProgram) -> str:
    if client.path is None:
        raise NoProgram(f"{client.name} is not installed; on Debian: `apt install {client.package}`")
    if client.is_graphical and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise BadInput(f"{client.name} needs a display (DISPLAY is not set); `xmpplab connect` lists those that do not")
    return client.path


def _check_ways(client: ClientProgram, plan: Plan, server: ServerNode) -> None:
    """Raises BadInput for a server that the program cannot connect to."""
    if client.needs_tls and server.tls == "off":
        raise BadInput(
            f"{client.name} connects with TLS only, and {server.domain} has `tls: off`; choose another client"
        )
    told_by_dns = plan.name_server is not None and plan.name_server[1] == DNS_PORT
    if not client.takes_address and server.c2s_port != C2S_PORT and not told_by_dns:
        raise BadInput(f"{client.name} connects to port {C2S_PORT} only, not to {server.c2s}; choose another client")


def _right_password(folder: LabFolder, plan: Plan, account: Jid, given: str | None) -> str:
    """The password, after a login with it: a client program tells less of what is wrong."""
    check_exists(folder, plan, account)
    password = known_password(folder, plan, account, given)
    with log_in(folder, plan, account.with_resource(f"connect-{token_hex(4)}"), password):
        return password
