"""Logins to a running lab as one of its accounts, with errors for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from cluster.client.blocking import BlockingClient
from cluster.client.managed import BROKEN
from cluster.lab.clients.names import server_of
from cluster.lab.control.ask import ask
from cluster.lab.control.requests import UserLs
from cluster.lab.driver import check_up, driver_of
from cluster.lab.errors import BadInput, LabError, Unreachable
from cluster.lab.folder import LabFolder
from cluster.topology.plan import Plan, XmpplabServer
from cluster.xmpp.jid import Jid
from cluster.xmpp.streams.login import Login, Resumption, StreamFailed


def password_of(plan: Plan, jid: Jid) -> str | None:
    """The password that the topology gives to an account of the lab."""
    server = next((server for server in plan.servers if server.domain == jid.domainpart), None)
    accounts = server.accounts if server else ()
    return next((account.password for account in accounts if account.localpart == jid.localpart), None)


def known_password(folder: LabFolder, plan: Plan, jid: Jid, given: str | None) -> str:
    """The given password, otherwise the topology's. Raises BadInput, and LabError if there is no such account."""
    server_of(plan, jid.domainpart)
    password = given or password_of(plan, jid)
    if password is None:
        check_exists(folder, plan, jid)
        raise BadInput(f"the topology has no password for {jid}; pass --password")
    return password


def check_exists(folder: LabFolder, plan: Plan, jid: Jid) -> None:
    """Raises LabError if the server of this account has no such account; one that is not ours is not asked."""
    server = server_of(plan, jid.domainpart)
    if isinstance(server, XmpplabServer) and jid.localpart not in ask(folder, plan, server, UserLs()):
        raise LabError(
            f"no account {jid.bare}; `xmpplab user add {jid.bare}` creates it, `xmpplab user ls` lists the accounts"
        )


def log_in(folder: LabFolder, plan: Plan, jid: Jid, password: str) -> BlockingClient:
    """Log in with the resource of `jid`. Raises LabError with the remedy."""
    with explained(folder, plan, jid):
        return connector(folder, plan, jid, password)(None)


def connector(folder: LabFolder, plan: Plan, jid: Jid, password: str) -> Callable[[Resumption | None], BlockingClient]:
    """A function that logs in as an account of the lab, and raises what BlockingClient raises: for a client that tries
    again."""
    nodes = [server for server in plan.servers if server.domain == jid.domainpart]
    login, ca_file = Login(jid, password), None if nodes[0].tls == "off" else str(folder.ca_file)

    def connect(resumption: Resumption | None) -> BlockingClient:
        """Connect to the first of the domain's nodes that accepts, as clients do with SRV records (RFC 6120 section
        3.2.1)."""
        for node in nodes[:-1]:
            with suppress(*BROKEN):
                return BlockingClient((node.host, node.c2s_port), login, ca_file, resumption=resumption)
        return BlockingClient((nodes[-1].host, nodes[-1].c2s_port), login, ca_file, resumption=resumption)

    return connect


@contextmanager
def explained(folder: LabFolder, plan: Plan, jid: Jid) -> Iterator[None]:
    """Turn the error of a login inside into a LabError."""
    server = server_of(plan, jid.domainpart)
    try:
        yield
    except StreamFailed as error:
        check_exists(folder, plan, jid)
        raise LabError(f"{jid.bare} cannot log in: {error}; pass the right --password") from None
    except OSError as error:
        check_up(folder, driver_of(folder))
        raise Unreachable(
            f"{jid.bare} cannot connect to {server.c2s}: {error}; see `xmpplab ps` and `xmpplab logs {server.name}`"
        ) from None
