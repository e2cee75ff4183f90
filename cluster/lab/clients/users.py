"""The accounts of the servers, changed while the lab is running."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from cluster.base.request import Request
from cluster.kinds.base.foreign import Accounts, ForeignServerNode
from cluster.lab.answers import AccountView, SessionView
from cluster.lab.clients.names import account_of, our_server, read_jid, server_of
from cluster.lab.control.ask import ask
from cluster.lab.control.requests import (
    ACCOUNTS_AT_ONCE,
    SessionEnd,
    SessionLs,
    UserAdd,
    UserDel,
    UserLs,
    UserPasswd,
    UsersAdd,
    UsersDel,
)
from cluster.lab.errors import BadInput, LabError
from cluster.lab.folder import LabFolder
from cluster.topology.plan import Plan, ServerNode, XmpplabServer
from cluster.xmpp import passwords
from cluster.xmpp.jid import Jid

NOT_SEEN = "the lab does not see the sessions of its clients; `xmpplab logs` of it tells who logs in"

DOMAINS_AT_ONCE = 8
"""Domains in which accounts are created or removed at the same time."""


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
        """Of a server whose accounts the lab does not know, those of the topology: it may have more."""
        if isinstance(server, XmpplabServer):
            return ask(self._folder, self._plan, server, UserLs())
        accounts = self._foreign(server)
        return [seed.localpart for seed in server.accounts] if accounts is None else accounts.names()

    def _foreign(self, server: ServerNode) -> Accounts | None:
        """The accounts of a server of another kind; None if they cannot be changed from outside."""
        if not isinstance(server, ForeignServerNode) or server.server_program.accounts is None:
            return None
        return server.server_program.accounts(self._folder.path / server.name, server.domain)

    def add(self, text: str, password: str) -> Jid:
        """Create the account of this address."""
        jid = read_jid(text)
        if (accounts := self._foreign(server_of(self._plan, jid.domainpart))) is None:
            self._change(jid, UserAdd(jid.localpart, password))
            return jid
        self._check_up()
        if jid.localpart in accounts.names():
            raise LabError(f"{jid.bare} exists already; `user passwd` changes its password")
        _store(accounts, jid, password)
        return jid

    def set_password(self, text: str, password: str) -> Jid:
        """Change the password of this account."""
        jid = account_of(self._folder, self._plan, text)
        if (accounts := self._existing(jid)) is not None:
            _store(accounts, jid, password)
        else:
            self._change(jid, UserPasswd(jid.localpart, password))
        return jid

    def delete(self, text: str) -> Jid:
        """Remove this account and all its data."""
        jid = account_of(self._folder, self._plan, text)
        if (accounts := self._existing(jid)) is not None:
            accounts.delete(jid.localpart)
        else:
            self._change(jid, UserDel(jid.localpart))
        return jid

    def can_change(self, domain: str) -> bool:
        """Whether the accounts of this domain can be changed; otherwise clients register there, if that is open."""
        server = server_of(self._plan, domain)
        return isinstance(server, XmpplabServer) or self._foreign(server) is not None

    def add_all(self, jids: Sequence[Jid], password: str) -> None:
        """Create accounts that share a password, in all domains at the same time; existing ones may keep theirs."""
        self._change_all(jids, lambda names: UsersAdd(names, password), lambda its, name: its.store(name, password))

    def delete_all(self, jids: Sequence[Jid]) -> None:
        """Remove accounts and all their data, in all domains at the same time; those that are gone are fine."""
        self._change_all(jids, UsersDel, lambda its, name: its.delete(name))

    def _change_all(
        self,
        jids: Sequence[Jid],
        request: Callable[[list[str]], Request[None]],
        change: Callable[[Accounts, str], object],
    ) -> None:
        """By requests to our servers, one for many accounts; one account after the other at servers of other kinds."""
        self._check_up()
        of_domain: dict[str, list[str]] = {}
        for jid in jids:
            of_domain.setdefault(jid.domainpart, []).append(jid.localpart)

        def change_domain(domain: str) -> None:
            names = of_domain[domain]
            if (accounts := self._foreign(server_of(self._plan, domain))) is not None:
                for name in names:
                    change(accounts, name)
                return
            server = our_server(self._plan, domain)
            for begin in range(0, len(names), ACCOUNTS_AT_ONCE):
                ask(self._folder, self._plan, server, request(names[begin : begin + ACCOUNTS_AT_ONCE]))

        with ThreadPoolExecutor(DOMAINS_AT_ONCE) as pool:
            for _ in pool.map(change_domain, of_domain):
                pass

    def _existing(self, jid: Jid) -> Accounts | None:
        """The accounts of a server of another kind, which this one is among; None for all other servers."""
        accounts = self._foreign(server_of(self._plan, jid.domainpart))
        if accounts is not None:
            self._check_up()
            if jid.localpart not in accounts.names():
                raise LabError(f"no account {jid.bare}; `xmpplab user ls` lists the accounts")
        return accounts

    def sessions(self, who: str) -> list[SessionView]:
        """The clients that are logged in as an account, or at a domain."""
        jid = None if self._plan.server(who) is not None else account_of(self._folder, self._plan, who)
        server = our_server(self._plan, who if jid is None else jid.domainpart, NOT_SEEN)
        request = SessionLs(jid.localpart if jid is not None else "")
        found = [(node, each) for node in self._nodes(server) for each in ask(self._folder, self._plan, node, request)]
        return [SessionView(node=node.name, **each) for node, each in found]

    def end_session(self, text: str) -> Jid:
        """End the session of this full JID, by a stream error."""
        jid = account_of(self._folder, self._plan, text)
        if not jid.resourcepart:
            raise BadInput(f"{jid} has no resource; `xmpplab user sessions {jid}` lists the clients")
        self._check_up()
        request = SessionEnd(jid.localpart, jid.resourcepart)
        for node in self._nodes(our_server(self._plan, jid.domainpart, NOT_SEEN)):
            if ask(self._folder, self._plan, node, request):
                return jid
        raise LabError(f"{jid} is not logged in; `xmpplab user sessions {jid.bare}` lists the clients")

    def _nodes(self, server: XmpplabServer) -> list[XmpplabServer]:
        return [node for node in self._plan.ours if node.domain == server.domain]

    def _change(self, jid: Jid, request: Request[None]) -> None:
        server = our_server(self._plan, jid.domainpart)
        self._check_up()
        ask(self._folder, self._plan, server, request)


def _store(accounts: Accounts, jid: Jid, password: str) -> None:
    try:
        passwords.check(password)
    except ValueError as error:
        raise LabError(str(error)) from None
    try:
        accounts.store(jid.localpart, password)
    except OSError as error:
        raise LabError(f"the account {jid.bare} cannot be stored: {error.strerror}") from None
