"""Readers of a link that share it with others, and what Redis says of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cluster.base.turn import Turn
from cluster.router.redis import RedisRouter
from tests.ports.worlds import CAPULET, MONTAGUE, Node, RedisWorld, World, chat, text_of


class Handed:
    """A `LinkAssignment` that the test gives and takes."""

    def __init__(self, has: bool) -> None:
        self.has = has
        self.sure = True
        self.given_back: list[str] = []

    def is_ours(self, link: str) -> bool:
        return self.has

    async def take(self, link: str) -> bool:
        return self.has

    def give_back(self, link: str) -> None:
        self.given_back.append(link)

    def holds_lease(self) -> bool:
        return self.sure


async def reader(world: RedisWorld, share: Handed) -> Node:
    """A further process that serves capulet.lit."""
    node = Node(world.reactor)
    client = world.clients[node] = await world.client(CAPULET)
    node.router = RedisRouter(
        world.reactor, client, world.keys, domain=CAPULET, tracer=node.tracer, max_backlog=50,
        now_utc_s=world.reactor.seconds, share=share,
        turn=Turn(world.reactor),
    )  # fmt: skip
    await node.router.start(node)
    return node


def given(world: RedisWorld) -> int:
    """How many entries Redis has given to the reader, and not got back."""
    groups = world.valkey.admin.xinfo_groups(world.keys.link(CAPULET, MONTAGUE))
    return sum(group["pending"] for group in groups)


async def all_arrive_once_in_order(world: World, disturb: dict[int, Callable[[Node], Awaitable[None]]]) -> None:
    """Sends three messages in each of 90 turns, and does in some of them what is in `disturb`, given the sender."""
    s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
    sent: list[str] = []
    for turn in range(90):
        for _ in range(3):
            sent.append(str(len(sent)))
            s1.send(chat(sent[-1]))
        if turn in disturb:
            await disturb[turn](s1)
        await world.turn()
    await s1.sent(chat("last"))
    await world.until(lambda: s2.delivered and text_of(s2.delivered[-1]) == "last")
    assert [text_of(stanza) for stanza in s2.delivered] == [*sent, "last"]
    await world.until_empty(MONTAGUE, CAPULET)
    assert s1.bounced == []
