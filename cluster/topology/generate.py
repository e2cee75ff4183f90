"""Topologies of any size, from a seed: domains in a shape, accounts, and contacts along its links."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Literal

Shape = Literal["ring", "star", "mesh", "tree", "scale-free"]
MAX_ACCOUNTS = 1_000_000
CHILDREN = 3
"""Of each domain of a tree."""
ATTACHED = 2
"""Links of each new domain to earlier ones, in a scale-free network."""
CONTACTS = 3
"""Contacts that each account chooses; they are mutual, so it has about twice as many."""
ABROAD = 0.5
"""Probability that a contact is in another domain, which a link joins with the own one."""


def topology(name: str, domains: int, users: int, shape: Shape, seed: int) -> Iterator[str]:
    """The lines of the file. `users`: accounts of each domain. The same arguments give the same lines."""
    chance = Random(f"{seed} {shape} {domains} {users}")
    links = [*_links(shape, domains, chance)]
    yield f"name: {name}"
    yield "servers:"
    for number in range(1, domains + 1):
        yield f"  s{number}: {{domain: d{number}.example}}"
    if shape != "mesh":
        yield "mesh: false"
        if links:
            yield "links:"
        for one, other in links:
            yield f"  - {{between: [s{one}, s{other}]}}"
    if users:
        yield "accounts:"
        yield from _accounts(domains, users, None if shape == "mesh" else links, chance)


def _links(shape: Shape, domains: int, chance: Random) -> Iterator[tuple[int, int]]:
    """The pairs of domains that are joined, by their numbers from 1; none for a mesh, which joins all."""
    match shape:
        case "ring":
            yield from ((number, number + 1) for number in range(1, domains))
            if domains > 2:
                yield 1, domains
        case "star":
            yield from ((1, number) for number in range(2, domains + 1))
        case "tree":
            yield from (((number - 2) // CHILDREN + 1, number) for number in range(2, domains + 1))
        case "scale-free":
            yield from _preferential(domains, chance)
        case "mesh":
            return


def _preferential(domains: int, chance: Random) -> Iterator[tuple[int, int]]:
    """Each new domain joins earlier ones with a probability in proportion to their links.

    A.-L. Barabási, R. Albert: Emergence of Scaling in Random Networks, 1999.
    """
    ends = [1]
    for number in range(2, domains + 1):
        chosen = {chance.choice(ends) for _ in range(ATTACHED)}
        for other in sorted(chosen):
            ends += (other, number)
            yield other, number


def _accounts(domains: int, users: int, links: list[tuple[int, int]] | None, chance: Random) -> Iterator[str]:
    """`links`: None where all domains are joined."""
    neighbours: dict[int, list[int]] = {}
    for one, other in links or ():
        neighbours.setdefault(one, []).append(other)
        neighbours.setdefault(other, []).append(one)
    for domain in range(1, domains + 1):
        near = range(1, domains + 1) if links is None else neighbours.get(domain, [domain])
        for user in range(1, users + 1):
            contacts = {
                (chance.choice(near) if chance.random() < ABROAD else domain, chance.randint(1, users))
                for _ in range(CONTACTS)
            } - {(domain, user)}
            names = ", ".join(f"u{other}@d{at}.example" for at, other in sorted(contacts))
            yield f"  u{user}@d{domain}.example: {{contacts: [{names}]}}"
