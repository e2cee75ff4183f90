"""Failures between two servers in random order: nothing is lost or bounced twice, and nothing waits forever."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost

from cluster.base.settled import Settled
from cluster.router.s2s.router import S2sRouter
from cluster.xmpp.stanza import Stanza
from tests.ports.s2s_world import S2sWorld
from tests.ports.worlds import CAPULET, MONTAGUE, Node, chat, text_of

STEPS = 80
HEALED_S = 120


class Troubles:
    """Failures of capulet's server, and of the streams to it."""

    def __init__(self, world: S2sWorld, random: Random) -> None:
        self.safe: set[str] = set()
        """Texts of the stanzas that were delivered and have settled."""
        self._world = world
        self._random = random
        self._on_its_way: list[tuple[Deferred[None], Node, str]] = []
        self._node: Node | None = None
        self._kinds: list[Callable[[], object]] = [self._break_off, self._pause, self._settle, self._fail, self._down]

    async def start(self) -> None:
        """Start capulet's server, unless it runs."""
        if self._node is None:
            self._node = node = await self._world.start(CAPULET)
            node.settled_by = lambda stanza: self._settled_by(node, stanza)

    async def step(self) -> None:
        """Cause one failure, or end one."""
        chosen = self._random.randrange(len(self._kinds) + 4)
        if chosen < len(self._kinds):
            self._kinds[chosen]()
        elif chosen == len(self._kinds):
            await self._world.set_faults(MONTAGUE, CAPULET)
        elif chosen == len(self._kinds) + 1 and self._node is not None:
            crashed, self._node = self._node, None
            await self._world.crash(crashed)
        else:
            await self.start()

    async def heal(self) -> None:
        """Break the streams once more, then end all failures."""
        await self._world.set_faults(MONTAGUE, CAPULET)
        await self.start()
        for _, here, there in self._world.wires.ends:
            here.resumeProducing()
            there.resumeProducing()
        self._break_off()
        self._world.clock.advance(0)
        for _ in range(2 * HEALED_S):
            self._settle()
            self._world.clock.advance(0.5)

    def _settled_by(self, node: Node, stanza: Stanza) -> Settled:
        if self._random.random() < 0.7:
            self.safe.add(text_of(stanza))
            return None
        settled: Deferred[None] = Deferred()
        self._on_its_way.append((settled, node, text_of(stanza)))
        return settled

    def _settle(self) -> None:
        now, self._on_its_way = self._on_its_way, []
        for settled, node, text in now:
            if node is self._node:
                self.safe.add(text)
            settled.callback(None)

    def _fail(self) -> None:
        """The storage is away."""
        if self._on_its_way:
            self._on_its_way.pop(0)[0].errback(ConnectionLost())

    def _break_off(self) -> None:
        up = [here for _, here, _ in self._world.wires.ends if not here.is_over]
        if up:
            self._random.choice(up).break_off()

    def _pause(self) -> None:
        up = [end for _, here, there in self._world.wires.ends for end in (here, there) if not end.is_over]
        if up:
            end = self._random.choice(up)
            self._random.choice([end.pauseProducing, end.resumeProducing])()

    def _down(self) -> None:
        if self._random.random() < 0.3:
            down = self._world.set_faults(MONTAGUE, CAPULET, down="always")
            Deferred.fromCoroutine(down)


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_lost_or_comes_back_twice_whatever_breaks(seed: int, both_ways: bool) -> None:
    random = Random(seed)

    async def scenario(world: S2sWorld) -> None:
        s1, troubles = await world.start(MONTAGUE), Troubles(world, random)
        await troubles.start()
        sent: list[str] = []
        settled: list[Settled] = []
        for _ in range(STEPS):
            for _ in range(random.randrange(4)):
                sent.append(str(len(sent)))
                settled.append(s1.send(chat(sent[-1])))
            await troubles.step()
            world.clock.advance(random.choice([0, 0, 0.01, 0.1, 0.3]))  # a server is not away for as long as QUEUE_S
            await world.turn()
        await troubles.heal()
        bounced = [text_of(stanza) for stanza, _ in s1.bounced]
        assert len(bounced) == len(set(bounced))
        assert [text for text in sent if text not in troubles.safe and text not in bounced] == []
        assert all(each is None or each.called for each in settled)
        assert isinstance(s1.router, S2sRouter)
        assert [pair._count + pair._size_bytes for pair in s1.router._pairs.values() if pair.is_busy] == []

    world = S2sWorld(both_ways=both_ways)
    world.run(scenario)
