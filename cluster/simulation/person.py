"""A simulated person: begins conversations, and has some devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cluster.simulation.chance import Chance
from cluster.simulation.habits import MAX_CHARACTERS, MAX_SMS_CHARACTERS, Habits, in_s
from cluster.simulation.resource import Resource
from cluster.topology.plan import AccountSeed, XmpplabServer
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.stanza import Stanza

if TYPE_CHECKING:
    from cluster.simulation.population import Population


class Person:
    """Talks to its contacts, in rooms, and to phones and mailboxes."""

    __slots__ = (
        "_talks", "chance", "checker", "contacts", "habits", "has_carbons", "jid", "lab", "node", "number",
        "population", "resources", "rooms",
    )  # fmt: skip

    def __init__(
        self, number: int, seed: AccountSeed, node: XmpplabServer, population: Population, rooms: Sequence[Jid]
    ) -> None:
        """`number`: identifies it at the checker; `node`: the first one that its devices connect to."""
        self.number = number
        self.node = node
        self.jid = Jid(seed.localpart, node.domain)
        self.contacts: list[Person] = []
        """The contacts of its roster that are simulated; subscribed both ways."""
        self.rooms = rooms
        """Those that it visits."""
        self.population = population
        self.lab = population.lab
        self.checker = population.checker
        self.habits: Habits = population.habits
        self.chance = Chance(f"{self.lab.seed} {self.jid}")
        self._talks: Any = None
        count = self.habits.devices(self.chance)
        self.has_carbons = count > 1 and "carbons" in node.modules
        self.resources = [self._resource(index, node.domain, seed.password) for index in range(count)]
        if self.has_carbons:
            self.checker.copies.devices[str(number)] = [each.address for each in self.resources]

    def _resource(self, index: int, domain: str, password: str) -> Resource:
        node = self.lab.node_of(domain, self.number + index)
        host = self.lab.network.host(f"{self.jid}/{index}")
        return Resource(self, index, host, (node.name, node.c2s_port), password)

    def begin(self) -> None:
        """Start to act."""
        for resource in self.resources:
            resource.begin()
        self._talk_later()

    def rest(self) -> None:
        """Stop acting; online devices stay online."""
        if self._talks is not None and self._talks.active():
            self._talks.cancel()
        for resource in self.resources:
            resource.rest()

    def come(self) -> None:
        """Go online with all devices, without acting."""
        for resource in self.resources:
            resource.device.come()

    def leave(self) -> None:
        """Log out."""
        for resource in self.resources:
            resource.leave()

    def _talk_later(self) -> None:
        self._talks = self.resources[0].host.callLater(in_s(self.habits.of.conversation, self.chance), self._talk)

    def _talk(self) -> None:
        """Begin a conversation, at one of the devices that somebody is at."""
        here = [resource for resource in self.resources if resource.is_acting]
        if here and self.is_active() and (to := self.population.somebody_for(self)):
            self.write(self.chance.choice(here), to)
        self._talk_later()

    def is_active(self) -> bool:
        """Whether it does now what it does at most at this rate."""
        return self.habits.is_active(self.lab.timeline.seconds(), self.chance)

    def can_reach(self, server: str) -> bool:
        """Whether a link leads from its server to another one, or it is that one."""
        domain = self.lab.plan.server_named(server).domain
        return domain == self.node.domain or self.node.is_joined_to(domain)

    def note_activity(self) -> None:
        """It logs in or sends something: troubles come soon after."""
        self.population.is_active()

    def write(self, resource: Resource, to: str) -> None:
        """Send a message from a device; while its connection is broken, it is sent after the reconnect.

        `to`: the checker's address of a device or a person, or of a phone or mailbox.
        """
        account = to.partition(".")[0]
        longest = MAX_SMS_CHARACTERS if account.startswith("b") else MAX_CHARACTERS
        id = self.checker.new_id(resource.address, account, self.lab.timeline.now_ns)
        self.note_activity()
        resource.device.send(
            [message(self.population.jid_of(account), id, "chat", self.habits.text(self.chance, longest))]
        )

    def say(self, resource: Resource, room: Jid, id: str) -> None:
        """Send a message to a room."""
        self.note_activity()
        resource.device.send([message(room, id, "groupchat", self.habits.text(self.chance))])


def message(to: Jid, id: str, type: str, text: str) -> Stanza:
    """A message that is known by its text."""
    raw = f"<message to={quoteattr(str(to))} id='{id}' type='{type}'><body>{id} {text}</body></message>"
    return Stanza("message", to, None, id, type, (f"{CLIENT} body",), raw.encode())
