"""What tracing needs to know of a lab: its journal, and its accounts as the topology has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cluster.lab.errors import BadInput
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.redis_client import connected
from cluster.redisio.keys import Keys
from cluster.topology.plan import Plan
from cluster.trace.reader import JournalReader
from cluster.xmpp.jid import Jid


@contextmanager
def journal(folder: LabFolder, plan: Plan, timeout_s: float | None = None) -> Iterator[JournalReader]:
    """The lab's journal, to read; `timeout_s` as for `connected`. Raises LabError."""
    with connected(folder.secrets()[ADMIN], timeout_s) as redis:
        yield JournalReader(redis, Keys.of_lab(plan.name))


def first_pair(plan: Plan) -> tuple[Jid, Jid]:
    """The first account with a contact in another domain to which a link leads, and that contact. Raises BadInput."""
    for server in plan.servers:
        for account in server.accounts:
            for contact in account.contacts:
                to = Jid.parse(contact.jid)
                if to.domainpart != server.domain and server.is_joined_to(to.domainpart):
                    return Jid(account.localpart, server.domain), to
    raise BadInput("no account of this topology has a contact in another domain; add one to `accounts`")


def first_phone(plan: Plan) -> Jid | None:
    """The first phone of the lab, as XMPP knows it; None without one."""
    for gateway in plan.gateways:
        for number in plan.network(gateway.network).phones.values():
            return Jid(number, gateway.domain)
    return None
