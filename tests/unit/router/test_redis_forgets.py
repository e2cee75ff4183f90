"""A Redis that has answered and was killed before it had written: on a full disk, or before its replica had it."""

from __future__ import annotations

import os

import pytest

from cluster.router import outbound_link
from tests.harness import Valkey
from tests.ports.worlds import CAPULET, MONTAGUE, RedisWorld, World, chat, text_of


class Disk:
    """Of the Valkey: what it writes from now on can be taken back."""

    def __init__(self, valkey: Valkey) -> None:
        [self._file] = (valkey.folder / "appendonlydir").glob("*.incr.aof")
        self._size = self._file.stat().st_size

    def take_back(self) -> None:
        os.truncate(self._file, self._size)


@pytest.mark.parametrize("is_read", [True, False], ids=["delivered", "waiting"])
def test_what_it_answered_last_is_neither_lost_nor_delivered_twice(own_world: RedisWorld, is_read: bool) -> None:
    valkey = own_world.valkey
    assert isinstance(valkey, Valkey)

    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        texts = [str(number) for number in range(40)]
        for text in texts[:20]:
            await s1.sent(chat(text))
        await world.until_empty(MONTAGUE, CAPULET)
        if not is_read:
            await world.crash(s2)
        disk = Disk(valkey)
        for text in texts[20:]:
            await s1.sent(chat(text))  # acknowledged
        if is_read:
            await world.until_empty(MONTAGUE, CAPULET)
        valkey.kill()
        disk.take_back()
        await world.until(lambda: not own_world.clients[s1].connected)
        valkey.start()
        delivered = list(s2.delivered)
        if not is_read:
            s2 = await world.start(CAPULET)
        await s1.sent(chat("last"))
        await world.until(lambda: s2.delivered and text_of(s2.delivered[-1]) == "last")
        delivered += s2.delivered[len(delivered) if is_read else 0 :]
        assert [text_of(stanza) for stanza in delivered] == [*texts, "last"]
        await world.until_empty(MONTAGUE, CAPULET)
        assert s1.bounced == []

    own_world.run(scenario)


def test_what_is_remembered_for_that_is_bounded(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s1 = await world.start(MONTAGUE)
        for size in (10, 100_000, *[10_000] * 20):
            await s1.sent(chat("x" * size))
            link = s1.router.link(CAPULET)
            kept = [len(batch.entry) for batch in link._answered]
            assert sum(kept) == link._answered_bytes
            assert len(kept) == 1 or sum(kept) <= outbound_link.REMEMBERED_BYTES

    world.run(scenario)
