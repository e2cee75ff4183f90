"""The people of a run, and their contacts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, zip_longest
from random import Random

import msgspec

from cluster.simulation.checker import Checker
from cluster.simulation.habits import Habits
from cluster.simulation.lab import SimulatedLab
from cluster.simulation.person import RESOURCE, Person
from cluster.topology.plan import AccountSeed, ContactSeed, Plan, ServerNode
from cluster.xmpp.jid import Jid
from cluster.xmpp.streams.login import Login

KNOWS = 4
"""Contacts that each added person chooses at random. Contacts are mutual, so it has about twice as many."""


class Population:
    """All people of a run."""

    def __init__(self, lab: SimulatedLab, habits: Habits, count: int) -> None:
        """`count`: how many accounts of the plan are simulated, in the order of `accounts`."""
        self.lab = lab
        self.habits = habits
        self.checker = Checker()
        self.when_active: list[Callable[[], None]] = []
        """Called once, when the next person logs in or sends something."""
        played = accounts(lab.plan)[:count]
        self.people = [self._person(number, *each) for number, each in enumerate(played)]
        """The people, by number."""
        by_jid = {str(person.jid): person for person in self.people}
        for person, (_, seed) in zip(self.people, played, strict=True):
            person.contacts = [by_jid[contact.jid] for contact in seed.contacts if contact.jid in by_jid]

    def is_active(self) -> None:
        """A person logs in or sends something."""
        waiting, self.when_active = self.when_active, []
        for call in waiting:
            call()

    def _person(self, number: int, server: ServerNode, seed: AccountSeed) -> Person:
        jid = Jid(seed.localpart, server.domain)
        node = self.lab.node_of(server.domain, number)
        login = Login(jid.with_resource(RESOURCE), seed.password)
        return Person(number, jid, login, self, self.lab.network.host(str(jid)), (node.name, node.c2s_port))


def accounts(plan: Plan) -> list[tuple[ServerNode, AccountSeed]]:
    """The accounts of a plan: the first one of each domain, then the second of each, and so on."""
    of_servers = [[(server, seed) for seed in server.accounts] for server in plan.servers]
    return [each for each in chain.from_iterable(zip_longest(*of_servers)) if each is not None]


def with_people(plan: Plan, count: int, seed: int) -> Plan:
    """The plan with at least `count` accounts; `p1`, `p2` … are added to the domains in turn."""
    servers = [node for node in plan.servers if not node.node_of]
    new = range(count - len(accounts(plan)))
    taken = {f"{each.localpart}@{server.domain}" for server, each in accounts(plan)}
    jids: list[str] = []
    number = 0
    while len(jids) < len(new):
        jid = f"p{number // len(servers) + 1}@{servers[number % len(servers)].domain}"
        number += 1
        if jid not in taken:
            jids.append(jid)
    contacts = _acquainted(jids, Random(f"{seed} acquaintances"))
    made: dict[str, list[AccountSeed]] = {}
    for jid in jids:
        localpart, _, domain = jid.partition("@")
        made.setdefault(domain, []).append(AccountSeed(localpart, "secret", tuple(map(ContactSeed, contacts[jid]))))
    return msgspec.structs.replace(
        plan,
        servers=tuple(
            node
            if node.node_of
            else msgspec.structs.replace(node, accounts=(*node.accounts, *made.get(node.domain, ())))
            for node in plan.servers
        ),
    )


def _acquainted(jids: list[str], chance: Random) -> dict[str, dict[str, None]]:
    """Random mutual contacts of each account."""
    known: dict[str, dict[str, None]] = {jid: {} for jid in jids}
    for jid in jids:
        for _ in range(min(KNOWS, len(jids) - 1)):
            other = chance.choice(jids)
            if other != jid:
                known[jid][other] = known[other][jid] = None
    return known
