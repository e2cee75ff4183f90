"""The people of a run, their contacts, and the rooms that they visit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, zip_longest
from random import Random

import msgspec

from cluster import kinds
from cluster.kinds.base.key import Sections
from cluster.simulation.boxes import Box, boxes
from cluster.simulation.checker import Checker
from cluster.simulation.habits import Habits
from cluster.simulation.lab import SimulatedLab
from cluster.simulation.person import Person
from cluster.simulation.resource import Resource
from cluster.topology.plan import AccountSeed, ContactSeed, Plan, ServerNode, ServiceSeed
from cluster.topology.population import population
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

KNOWS = 4
"""Contacts that each added person chooses at random. Contacts are mutual, so it has about twice as many."""
ROOMS = "rooms"
"""The kind of services with rooms."""
_FROM_PERSON = re.compile(r"m(\d+)\.")
"""The begin of the id of a message from a device: see `Checker.new_id`."""


class Population:
    """All people of a run."""

    def __init__(self, lab: SimulatedLab, numbers: Iterable[int]) -> None:
        """`numbers`: of the people that are simulated, in the order of `accounts`."""
        self.lab = lab
        self.habits = Habits(population(lab.plan.population))
        self.checker = Checker(self._are_over_streams)
        self._by_streams = {(node.domain, peer.domain) for node in lab.plan.ours for peer in node.s2s_peers}
        self.when_active: list[Callable[[], None]] = []
        """Called once, when the next person logs in or sends something."""
        known, rooms = accounts(lab.plan), made_rooms(lab.plan)
        self._at = {service.domain: node for node in lab.plan.servers for service in node.services}
        self.room_numbers = {room: number for number, room in enumerate(rooms)}
        nodes = {node.domain: node for node in reversed(lab.plan.ours)}
        self.by_number: dict[int, Person] = {}
        for number in numbers:
            server, seed = known[number]
            visited = self._rooms_of(seed, server, rooms)
            self.by_number[number] = Person(number, seed, nodes[server.domain], self, visited)
        self.people: Sequence[Person] = [*self.by_number.values()]
        self.resources: Sequence[Resource] = [each for person in self.people for each in person.resources]
        lab.on_ignored = self.came_back_to_nobody
        self.boxes = boxes(self)
        self._by_address = {box.address: box for box in self.boxes}
        by_jid = {str(person.jid): person for person in self.people}
        for person in self.people:
            _, seed = known[person.number]
            person.contacts = [by_jid[contact.jid] for contact in seed.contacts if contact.jid in by_jid]

    def _rooms_of(self, seed: AccountSeed, server: ServerNode, rooms: Sequence[Jid]) -> Sequence[Jid]:
        """Some of the rooms within reach; each has about as many occupants."""
        chance = Random(f"{self.lab.seed} rooms {seed.localpart}@{server.domain}")
        if server.peers is not None:
            rooms = [room for room in rooms if _are_joined(server, self._at[room.domainpart])]
        return chance.sample(rooms, min(self.habits.of.rooms, len(rooms)))

    def _are_over_streams(self, from_: str, to: str) -> bool:
        sender, receiver = self.by_number[int(from_)], self.by_number[int(to)]
        return (sender.jid.domainpart, receiver.jid.domainpart) in self._by_streams

    def is_active(self) -> None:
        """A person logs in or sends something."""
        waiting, self.when_active = self.when_active, []
        for call in waiting:
            call()

    def came_back_to_nobody(self, error: Stanza) -> None:
        """A server has ignored an error: its message came back, if the device that has sent it is gone."""
        id = error.id or ""
        found = _FROM_PERSON.match(id)
        person = self.by_number.get(int(found[1])) if found is not None else None
        if person is not None and any(each.jid == error.to and not each.device.is_online for each in person.resources):
            self.checker.came_back(id, "its sender had gone")

    def somebody_for(self, person: Person) -> str:
        """With whom a person begins a conversation: the checker's address; empty: nobody."""
        if self.boxes and (box := self._box_for(person)):
            return box.address
        return str(person.chance.choice(person.contacts).number) if person.contacts else ""

    def _box_for(self, person: Person) -> Box | None:
        """A phone or a mailbox, with the probabilities of their kinds."""
        drawn, of = person.chance.random(), self.habits.of
        kind = "sms" if drawn < of.sms else "mail" if drawn < of.sms + of.mail else ""
        known = [box for box in self.boxes if box.kind == kind and person.can_reach(box.server)]
        return person.chance.choice(known) if known else None

    def jid_of(self, account: str) -> Jid:
        """The address of somebody, by the address that the checker has."""
        box = self._by_address.get(account)
        return box.jid if box is not None else self.by_number[int(account)].jid


def accounts(plan: Plan) -> list[tuple[ServerNode, AccountSeed]]:
    """The accounts of a plan: the first one of each domain, then the second of each, and so on."""
    of_servers = [[(server, seed) for seed in server.accounts] for server in plan.servers]
    return [each for each in chain.from_iterable(zip_longest(*of_servers)) if each is not None]


def made_rooms(plan: Plan) -> list[Jid]:
    """The rooms that `with_people` has added."""
    return [
        Jid(name, service.domain)
        for node in plan.servers
        for service in node.services
        if service.kind == ROOMS
        for name in service.settings["rooms"]
        if name.startswith("people-")
    ]


def with_people(plan: Plan, count: int, seed: int) -> Plan:
    """The plan with at least `count` accounts, and with their rooms; `p1`, `p2` … are added to the domains in turn."""
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
    contacts = _acquainted(jids, _within_reach(servers, jids), Random(f"{seed} acquaintances"))
    made: dict[str, list[AccountSeed]] = {}
    for jid in jids:
        localpart, _, domain = jid.partition("@")
        made.setdefault(domain, []).append(AccountSeed(localpart, "secret", tuple(map(ContactSeed, contacts[jid]))))
    peopled = tuple(
        node if node.node_of else msgspec.structs.replace(node, accounts=(*node.accounts, *made.get(node.domain, ())))
        for node in plan.servers
    )
    return _with_rooms(msgspec.structs.replace(plan, servers=peopled), count)


def _with_rooms(plan: Plan, people: int) -> Plan:
    """The plan with rooms for this number of people, in all services in turn."""
    of = population(plan.population)
    services = [each.domain for node in plan.servers for each in node.services if each.kind == ROOMS]
    count = max(1, round(people * of.rooms / of.occupants)) if of.rooms and services else 0
    names = {domain: [f"people-{number + 1}" for number in range(at, count, len(services))]
             for at, domain in enumerate(services)}  # fmt: skip
    servers = [
        msgspec.structs.replace(
            node, services=tuple(_with_named_rooms(each, names.get(each.domain, [])) for each in node.services)
        )
        for node in plan.servers
    ]
    return msgspec.structs.replace(plan, servers=tuple(servers))


def _with_named_rooms(service: ServiceSeed, names: Sequence[str]) -> ServiceSeed:
    if not names:
        return service
    [of_rooms] = [key.type for key in kinds.services()[service.kind].keys if key.name == "rooms"]
    assert isinstance(of_rooms, Sections)
    usual = {key.name: key.default for key in of_rooms.keys}
    rooms = {**service.settings["rooms"], **dict.fromkeys(names, usual)}
    return msgspec.structs.replace(service, settings={**service.settings, "rooms": rooms})


def _within_reach(servers: Sequence[ServerNode], jids: Sequence[str]) -> dict[str, Sequence[str]]:
    """By domain: whom of these its people can know, as they are there or a link leads there and back."""
    of_domain: dict[str, list[str]] = {server.domain: [] for server in servers}
    for jid in jids:
        of_domain[jid.partition("@")[2]].append(jid)
    if all(server.peers is None for server in servers):
        return dict.fromkeys(of_domain, jids)
    by_domain = {server.domain: server for server in servers}
    within_reach: dict[str, Sequence[str]] = {}
    for server in servers:
        near = by_domain if server.peers is None else (server.domain, *server.peers)
        joined = [domain for domain in near if domain in by_domain and _are_joined(server, by_domain[domain])]
        within_reach[server.domain] = [jid for domain in joined for jid in of_domain[domain]]
    return within_reach


def _are_joined(one: ServerNode, other: ServerNode) -> bool:
    """Links lead there and back, or it is the same one."""
    return one is other or (one.is_joined_to(other.domain) and other.is_joined_to(one.domain))


def _acquainted(
    jids: Sequence[str], within_reach: Mapping[str, Sequence[str]], chance: Random
) -> dict[str, dict[str, None]]:
    """Random mutual contacts of each account."""
    known: dict[str, dict[str, None]] = {jid: {} for jid in jids}
    for jid in jids:
        others = within_reach[jid.partition("@")[2]]
        for _ in range(min(KNOWS, len(others) - 1)):
            other = chance.choice(others)
            if other != jid:
                known[jid][other] = known[other][jid] = None
    return known
