"""What a scenario works with: the two servers and their accounts."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cluster.lab.api import Lab
from cluster.lab.interop.exchange import Exchange
from cluster.lab.interop.person import Person, comes_from, is_
from cluster.topology.plan import ServerNode
from cluster.xmpp.element import Element

Fits = Callable[[Element], bool]


class Sides(NamedTuple):
    """The lab of a cell."""

    lab: Lab
    here: ServerNode
    there: ServerNode
    exchange: Exchange

    def person(self, name: str, server: ServerNode) -> Person:
        """An account: `friend`, a contact of the other server's `friend`; `stranger` or `away`, without contacts."""
        return Person(self.lab.folder, self.lab.plan, f"{name}@{server.domain}", self.exchange)

    def ends(self, name: str) -> tuple[Person, Person]:
        """The accounts of this name, here and there."""
        return self.person(name, self.here), self.person(name, self.there)


class Scenario(NamedTuple):
    """One of the grid's columns."""

    name: str
    rule: str
    """The rule that it tests, with its section."""
    run: Callable[[Sides], str]
    """Returns a remark, often empty. Raises Broken."""


def meet(*people: Person) -> None:
    """Each becomes available, and sees that the others are."""
    for who in people:
        who.presence()
    are_seen(*people)


def are_seen(*people: Person) -> None:
    """Each sees the others' presence."""
    for who in people:
        for other in people:
            if who is not other:
                who.see(f"presence of {other.full}", presence_of(other.full))


def presence_of(who: object, type: str | None = None) -> Fits:
    """Fits presence of this type; None: available."""
    return lambda each: is_(each, "presence") and comes_from(each, who) and each.get("type") == type
