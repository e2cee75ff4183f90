"""The accounts of the servers, changed while the lab is running."""

from __future__ import annotations

from collections.abc import Callable

from cluster.base.request import Request
from cluster.lab.answers import AccountView
from cluster.lab.clients.names import account_of, our_server, read_jid, server_of
from cluster.lab.control.ask import ask
from cluster.lab.control.requests import UserAdd, UserDel, UserLs, UserPasswd
from cluster.lab.folder import LabFolder
from cluster.topology.plan import Plan, ServerNode, XmpplabServer
from cluster.xmpp.jid import Jid


class Users:
    """Lists and changes accounts. Raises LabError, and BadInput for an unknown name."""

    def __init__(self, folder: LabFolder, plan: Plan, check_up: Callable[[], None]) -> None:
        """`check_up` raises LabError if the lab is not running: nothing is changed then."""
        self._folder = folder
        self._plan = plan
        self._check_up = check_up

    def ls(self, domain: str | None = None) -> list[AccountView]:
        """All accounts, or those of one domain."""
        # further nodes of a domain have the same accounts
        firsts = [server for server in self._plan.servers if not server.node_of]
        asked = firsts if domain is None else [server_of(self._plan, domain)]
        return [AccountView(f"{name}@{each.domain}", each.name) for each in asked for name in self._localparts(each)]

    def _localparts(self, server: ServerNode) -> list[str]:
        """Of a server that is not ours, those of the topology: it may have more."""
        if isinstance(server, XmpplabServer):
            return ask(self._folder, self._plan, server, UserLs())
        return [seed.localpart for seed in server.accounts]

    def add(self, text: str, password: str) -> Jid:
        """Create the account of this address."""
        jid = read_jid(text)
        self._change(jid, UserAdd(jid.localpart, password))
        return jid

    def set_password(self, text: str, password: str) -> Jid:
        """Change the password of this account."""
        jid = account_of(self._folder, self._plan, text)
        self._change(jid, UserPasswd(jid.localpart, password))
        return jid

    def delete(self, text: str) -> Jid:
        """Remove this account and all its data."""
        jid = account_of(self._folder, self._plan, text)
        self._change(jid, UserDel(jid.localpart))
        return jid

    def _change(self, jid: Jid, request: Request[None]) -> None:
        server = our_server(self._plan, jid.domainpart)
        self._check_up()
        ask(self._folder, self._plan, server, request)
