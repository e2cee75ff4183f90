"""Phones and mailboxes whose owners answer what they get."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cluster.base.request import Refused
from cluster.lab.clients.correspondents import Correspondent, behind_gateways
from cluster.networks.person import Received
from cluster.simulation.chance import Chance
from cluster.simulation.foreign import Asking
from cluster.simulation.habits import MAX_SMS_CHARACTERS
from cluster.simulation.wall_clock import START_UTC_S
from cluster.virtual.timeline import NS

if TYPE_CHECKING:
    from cluster.simulation.population import Population

LOOK_EVERY_S = 5.0
_ID = re.compile(r"\bm[\d.]+-b\d+-\d+\b")


class Box:
    """A phone or a mailbox."""

    def __init__(self, number: int, correspondent: Correspondent, population: Population) -> None:
        self.address = f"b{number}"
        """By which the checker knows it."""
        self.kind = correspondent.gateway.kind
        """Of its gateway."""
        self.jid = correspondent.jid
        self.server = correspondent.gateway.server
        """The name of the gateway's server."""
        self._gateway = correspondent.gateway.domain
        self._population = population
        lab = population.lab
        self._correspondent = correspondent
        self._chance = Chance(f"{lab.seed} {self.address}")
        self._host = lab.network.host(self.address)
        self._read = 0
        self._is_acting = False

    def begin(self) -> None:
        """Start to read and to answer; the lab runs."""
        network, foreign = self._correspondent.network, self._population.lab.foreign
        ask = Asking(foreign.nodes[network.name].program)
        self._person = network.person_at(ask, self._correspondent.address)
        self._is_acting = True
        self._look()

    def rest(self) -> None:
        """Stop answering; what arrives is still read."""
        self._is_acting = False

    def _look(self) -> None:
        for text in self._person.inbox(self._read):
            self._read += 1
            self._on_text(text)
        self._host.callLater(LOOK_EVERY_S, self._look)

    def _on_text(self, text: Received) -> None:
        found = _ID.search(text.text)
        if found is None:
            return
        at_ns = round((text.at_utc_s - START_UTC_S) * NS)
        writer = self._population.checker.arrived(found[0], self.address, at_ns, 0, b"")
        habits = self._population.habits
        if writer is not None and self._is_acting and habits.answers(self._chance):
            self._host.callLater(habits.think_s(self._chance), self._answer, writer.partition(".")[0])

    def _answer(self, account: str) -> None:
        if not self._is_acting:
            return
        checker, habits = self._population.checker, self._population.habits
        id = checker.new_id(self.address, account, self._population.lab.timeline.now_ns)
        text = f"{id} {habits.text(self._chance, MAX_SMS_CHARACTERS)}"
        try:
            self._person.write(str(self._population.jid_of(account)), self._gateway, text, "")
        except Refused as error:
            checker.came_back(id, str(error))


def boxes(population: Population) -> Sequence[Box]:
    """All phones and mailboxes of the lab."""
    return [Box(number, each, population) for number, each in enumerate(behind_gateways(population.lab.plan))]
