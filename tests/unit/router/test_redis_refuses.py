"""A Redis that is there and refuses what would be written: each stanza is either delivered or bounced."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred, fail

from cluster.base.settled import Settled
from cluster.base.turn import Turn
from cluster.redisio.refusal import error_reply
from cluster.redisio.retrying_writer import RetryingWriter
from cluster.router import guard
from cluster.router.redis import RedisRouter
from cluster.xmpp.errors import Condition
from cluster.xmpp.stanza import Stanza
from tests.ports.worlds import CAPULET, MONTAGUE, Node, RedisWorld, World, chat, text_of

OOM = error_reply("OOM command not allowed when used memory > 'maxmemory'.")


def texts(stanzas: list[Stanza]) -> list[str]:
    return [text_of(stanza) for stanza in stanzas]


def test_what_is_refused_is_bounced_and_what_is_not_is_delivered(own_world: RedisWorld) -> None:
    admin = own_world.valkey.admin

    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await s1.sent(chat("before"))
        await world.until(lambda: s2.delivered)
        sent = ["before"]
        for turn in range(60):
            if turn % 20 == 10:
                admin.config_set("maxmemory", 1)
            if turn % 20 == 19:
                admin.config_set("maxmemory", 0)
            sent.append(str(turn))
            await s1.sent(chat(sent[-1]))
        await world.until_empty(MONTAGUE, CAPULET)
        bounced = texts([stanza for stanza, _ in s1.bounced])
        assert sorted(texts(s2.delivered) + bounced) == sorted(sent)
        assert texts(s2.delivered) == [text for text in sent if text not in bounced]
        assert len(bounced) == 27
        assert {error.condition for _, error in s1.bounced} == {Condition.REMOTE_SERVER_TIMEOUT}

    own_world.run(scenario)


def test_what_was_written_before_its_reply_was_lost_is_not_bounced_when_redis_refuses_now(
    own_world: RedisWorld,
) -> None:
    admin = own_world.valkey.admin

    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await s1.sent(chat("opens the link"))
        own_world.clients[s1].post("CLIENT", "REPLY", "OFF")
        written = s1.send(chat("written"))
        await world.until(lambda: len(s2.delivered) == 2)
        await world.until_empty(MONTAGUE, CAPULET)
        admin.config_set("maxmemory", 1)
        refused = s1.send(chat("refused"))
        await world.turn()
        admin.execute_command("CLIENT", "KILL", "USER", own_world.user(MONTAGUE))
        assert written is not None
        assert refused is not None
        await written
        await refused
        assert texts([stanza for stanza, _ in s1.bounced]) == ["refused"]
        assert texts(s2.delivered) == ["opens the link", "written"]

    admin.execute_command("ACL", "SETUSER", own_world.user(MONTAGUE), "+client|reply")
    own_world.run(scenario)


def test_what_a_storage_refuses_is_offered_again_and_nothing_else_of_its_entry(
    world: RedisWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "REFUSED_S", 0.01)

    async def scenario(_: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        refusals = 5

        def settled_by(stanza: Stanza) -> Settled:
            nonlocal refusals
            if text_of(stanza) == "kept" and refusals:
                refusals -= 1
                return fail(OOM)
            return None

        s2.settled_by = settled_by
        for text in ("first", "kept"):
            s1.send(chat(text))  # in one entry
        await s1.sent(chat("last"))
        await world.until_empty(MONTAGUE, CAPULET)
        assert texts(s2.delivered) == ["first", "kept", "last"] + 5 * ["kept"]
        assert len(set(s2.places)) == 3
        await s1.sent(chat("behind"))
        await world.until(lambda: texts(s2.delivered)[-1] == "behind")

    world.run(scenario)


def test_while_a_storage_refuses_the_link_is_not_read_on(world: RedisWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "REFUSED_S", 0.01)

    async def scenario(_: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await s1.sent(chat("opens the link"))
        await world.until(lambda: s2.delivered)
        s2.settled_by = lambda stanza: fail(OOM)
        await s1.sent(chat("refused"))
        await world.until(lambda: len(s2.delivered) >= 2)
        await s1.sent(chat("behind it"))
        await world.until(lambda: len(s2.delivered) >= 6)
        assert texts(s2.delivered[2:]) == ["refused"] * len(s2.delivered[2:])
        s2.settled_by = lambda stanza: None
        await world.until(lambda: texts(s2.delivered)[-1] == "behind it")
        await world.until_empty(MONTAGUE, CAPULET)

    world.run(scenario)


def test_a_reader_that_is_refused_goes_on_when_it_is_not(own_world: RedisWorld) -> None:
    """As on a full disk, where nothing may be read from a stream or acknowledged either."""
    user, link = own_world.user(CAPULET), own_world.keys.link(CAPULET, MONTAGUE)

    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await s1.sent(chat("before"))
        await world.until_empty(MONTAGUE, CAPULET)
        own_world.valkey.make_user(user, ["-xreadgroup", "-xack"])
        await s1.sent(chat("acknowledged later"))
        await world.until(lambda: len(s2.delivered) == 2)
        await s1.sent(chat("x" * 100_000))  # to be read
        await own_world.clients[s2].flush()
        assert len(s2.delivered) == 2
        own_world.valkey.make_user(user, ["+xreadgroup", "+xack"])
        await world.until(lambda: len(s2.delivered) == 3)
        await world.until_empty(MONTAGUE, CAPULET)
        assert own_world.valkey.admin.xlen(link) == 0

    own_world.run(scenario)


def test_what_is_kept_beside_a_delivery_does_not_fail_it(own_world: RedisWorld) -> None:
    """An archive that is refused its copy makes no bounce of what was delivered."""

    async def scenario(world: World) -> None:
        s1 = await world.start(MONTAGUE)
        insistent = RetryingWriter(own_world.clients[s1])
        own_world.valkey.admin.config_set("maxmemory", 1)
        key = own_world.keys.accounts(MONTAGUE)
        refused: list[Deferred[object]] = [insistent.write([("HSET", key, "a", str(n))]) for n in range(3)]
        assert [await each for each in refused] == [None] * 3
        own_world.valkey.admin.config_set("maxmemory", 0)
        assert await insistent.write([("HSET", key, "a", "3")]) == 1

    own_world.run(scenario)


def test_a_part_of_what_is_kept_that_is_refused_is_not_kept(own_world: RedisWorld) -> None:
    async def scenario(world: World) -> None:
        s1 = await world.start(MONTAGUE)
        insistent, key = RetryingWriter(own_world.clients[s1]), own_world.keys.accounts(MONTAGUE)
        own_world.valkey.make_user(own_world.user(MONTAGUE), ["-hdel"])
        parts = [("HDEL", key, "b"), ("HSET", key, "a", "1")]
        written = [insistent.write(parts), insistent.write(parts[1:]), insistent.write(parts)]
        assert [await each for each in written] == [None, 0, None]

    own_world.run(scenario)


def test_nothing_is_acknowledged_that_is_not_kept(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s1, s2 = await world.start(MONTAGUE), Node(world.reactor)
        client = world.clients[s2] = await world.client(CAPULET)
        turn, kept = Turn(world.reactor), Deferred[None]()
        asked: list[None] = []

        def not_kept() -> Deferred[None]:
            asked.append(None)
            return kept

        turn.kept = not_kept
        s2.router = RedisRouter(
            world.reactor, client, world.keys, domain=CAPULET, tracer=s2.tracer, max_backlog=50,
            now_utc_s=world.reactor.seconds, turn=turn,
        )  # fmt: skip
        await s2.router.start(s2)
        await s1.sent(chat("1"))
        await world.until(lambda: s2.delivered and asked)
        await client.flush()
        assert world.valkey.admin.xlen(world.keys.link(CAPULET, MONTAGUE)) == 1
        turn.kept = lambda: None
        kept.callback(None)
        await world.until_empty(MONTAGUE, CAPULET)

    world.run(scenario)


def test_nor_what_came_later_when_the_first_of_it_is(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s1, s2 = await world.start(MONTAGUE), Node(world.reactor)
        client = world.clients[s2] = await world.client(CAPULET)
        turn, kept = Turn(world.reactor), list[Deferred[None]]()

        def not_kept() -> Deferred[None]:
            kept.append(Deferred())
            return kept[-1]

        turn.kept = not_kept
        s2.router = RedisRouter(
            world.reactor, client, world.keys, domain=CAPULET, tracer=s2.tracer, max_backlog=50,
            now_utc_s=world.reactor.seconds, turn=turn,
        )  # fmt: skip
        await s2.router.start(s2)
        for number in (1, 2):
            await s1.sent(chat(str(number)))
            await world.until(lambda number=number: len(kept) == number)
        kept[0].callback(None)
        await world.until(lambda: world.valkey.admin.xlen(world.keys.link(CAPULET, MONTAGUE)) == 1)
        turn.kept = lambda: None
        kept[1].callback(None)
        await world.until_empty(MONTAGUE, CAPULET)

    world.run(scenario)
