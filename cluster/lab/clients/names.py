"""Resolves what a user types: an address, or a name that is unique in the lab."""

from __future__ import annotations

from cluster.kinds.base.values import prepared_domain
from cluster.lab.clients.accounts import known_accounts
from cluster.lab.clients.correspondents import behind_gateways
from cluster.lab.errors import BadInput
from cluster.lab.folder import LabFolder
from cluster.topology.plan import Plan, ServerNode, XmpplabServer
from cluster.xmpp.jid import Jid, JidError


def server_of(plan: Plan, domain: str) -> ServerNode:
    """The server of a domain of the lab, its first node; the domain as it is typed. Raises BadInput."""
    prepared = prepared_domain(domain)
    server = next((server for server in plan.servers if server.domain == prepared), None)
    if server is None:
        known = ", ".join(dict.fromkeys(server.domain for server in plan.servers))
        raise BadInput(f"no server of this lab serves {domain!r} (domains: {known})")
    return server


NOT_MANAGED = (
    "the lab does not manage its accounts; give it those of `accounts` in the topology, or `registration: open` and a "
    "client that registers"
)


def our_server(plan: Plan, domain: str, cannot: str = NOT_MANAGED) -> XmpplabServer:
    """The same, for what only a server of our own kind can be asked. Raises BadInput. `cannot`: its text."""
    server = server_of(plan, domain)
    if not isinstance(server, XmpplabServer):
        raise BadInput(f"{server.name} ({domain}) is of kind {server.kind}: {cannot}")
    return server


def read_jid(text: str) -> Jid:
    """The address of an account, bare or full. Raises BadInput."""
    try:
        jid = Jid.parse(text)
    except JidError as error:
        raise BadInput(f"{error}; write an address such as romeo@montague.lit") from None
    if not jid.localpart:
        raise BadInput(f"{text!r} is a domain; write an address such as romeo@{text}")
    return jid


def account_of(folder: LabFolder, plan: Plan, text: str) -> Jid:
    """The account of an address, or of a name that is unique in the lab, such as romeo, juliet/balcony or fc1.

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
    accounts = {f"{name}@{s.domain}": None for s in plan.servers for seed in s.accounts if seed.localpart == name}
    return [*accounts, *(str(each.jid) for each in behind_gateways(plan) if each.name == name)]


def _added(folder: LabFolder, plan: Plan, name: str) -> list[str]:
    return [each.jid for each in known_accounts(folder, plan) if each.jid.rpartition("@")[0] == name]


def with_resource(jid: Jid, resource: str) -> Jid:
    """The address of one client of the account; an empty resource changes nothing. Raises BadInput."""
    if not resource:
        return jid
    if not jid.is_bare:
        raise BadInput(f"{jid} already names a resource; leave out --to-resource")
    try:
        return jid.with_resource(resource)
    except JidError as error:
        raise BadInput(f"--to-resource: {error}") from None


def first_pair(plan: Plan) -> tuple[Jid, Jid]:
    """The first account with a contact in another domain to which a link leads, and that contact. Raises BadInput."""
    for server in plan.servers:
        for account in server.accounts:
            for contact in account.contacts:
                to = Jid.parse(contact.jid)
                if to.domainpart != server.domain and server.is_joined_to(to.domainpart):
                    return Jid(account.localpart, server.domain), to
    raise BadInput("no account of this topology has a contact in another domain; add one to `accounts`")


def first_behind_gateway(plan: Plan) -> Jid | None:
    """The XMPP address of the first phone or mailbox of the lab; None if it has none."""
    return next((each.jid for each in behind_gateways(plan)), None)
