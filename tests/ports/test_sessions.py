"""One contract for every store of sessions that can be resumed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cluster.store.memory import MemorySessions
from cluster.store.port import Store
from cluster.store.session import KeptSession, SentStanza, SessionChange, SessionRecord
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import make
from tests.ports.test_store import Check, check

__all__ = ["check"]

YES = msgspec.Raw(msgspec.msgpack.encode(True))
PDA = Jid.parse("romeo@montague.lit/pda")


def record(id: str = "one", jid: Jid = PDA, **fields: Any) -> SessionRecord:
    return SessionRecord(id, jid, 300.0, **fields)


def sent(*numbers: int) -> tuple[SentStanza, ...]:
    return tuple(SentStanza(number, make("message", id=f"m{number}", to=PDA), 7.5, ("orchard",)) for number in numbers)


def change(id: str = "one", handled: int = 0, acknowledged: int = 0, **fields: Any) -> SessionChange:
    return SessionChange(id, "romeo", handled, acknowledged, **fields)


def test_a_session_is_kept_with_all_that_it_is(check: Check) -> None:
    presence = make("presence", from_=PDA)
    full = record(
        presence=presence, farewell=None, priority=-1, broken_utc_s=1.5,
        state={"carbons wants": YES, "sm note": msgspec.Raw(msgspec.msgpack.encode(["a", 1]))},
    )  # fmt: skip

    async def scenario(store: Store) -> None:
        await store.sessions.note([change(handled=3, record=full, sent=sent(1, 2))])
        assert await store.sessions.load("romeo") == [KeptSession(full, 3, 0, sent(1, 2))]
        assert await store.sessions.load("juliet") == []

    check(scenario)


def test_changes_add_up(check: Check) -> None:
    async def scenario(store: Store) -> None:
        sessions = store.sessions
        await sessions.note([change(record=record(), sent=sent(1))])
        await sessions.note([change(handled=1, sent=sent(2, 3))])
        await sessions.note([change(handled=1, acknowledged=2, forgotten=range(1, 2))])
        assert await sessions.load("romeo") == [KeptSession(record(), 1, 2, sent(2, 3))]
        await sessions.note([change(handled=2, acknowledged=2, record=record(state={"carbons wants": YES}))])
        assert await sessions.load("romeo") == [KeptSession(record(state={"carbons wants": YES}), 2, 2, sent(2, 3))]

    check(scenario)


def test_who_has_had_directed_presence_adds_up(check: Check) -> None:
    juliet, nurse, tybalt = (Jid.parse(f"{name}@capulet.lit/x") for name in ("juliet", "nurse", "tybalt"))

    async def scenario(store: Store) -> None:
        sessions = store.sessions
        await sessions.note([change(record=record(), sent=sent(1), directed=frozenset([juliet, nurse]))])
        await sessions.note([change(directed=frozenset([tybalt]), undirected=frozenset([nurse]))])
        assert await sessions.load("romeo") == [KeptSession(record(), 0, 0, sent(1), frozenset([juliet, tybalt]))]
        await sessions.delete("romeo", "one")
        await sessions.note([change(record=record())])
        assert await sessions.load("romeo") == [KeptSession(record(), 0, 0, ())]

    check(scenario)


def test_stanzas_come_in_the_order_of_their_numbers(check: Check) -> None:
    async def scenario(store: Store) -> None:
        await store.sessions.note([change(record=record(), sent=sent(*range(1, 201)))])
        [kept] = await store.sessions.load("romeo")
        assert [each.number for each in kept.sent] == [*range(1, 201)]

    check(scenario)


def test_what_is_noted_twice_is_there_once(check: Check) -> None:
    async def scenario(store: Store) -> None:
        for _ in range(2):
            await store.sessions.note([change(handled=1, record=record(), sent=sent(1))])
        assert await store.sessions.load("romeo") == [KeptSession(record(), 1, 0, sent(1))]

    check(scenario)


def test_many_sessions_at_once(check: Check) -> None:
    orchard = PDA.with_resource("orchard")
    juliet = Jid.parse("juliet@montague.lit/balcony")

    async def scenario(store: Store) -> None:
        await store.sessions.note(
            [
                change(record=record(), sent=sent(1)),
                change("two", handled=2, record=record("two", orchard)),
                SessionChange("three", "juliet", 0, 0, record("three", juliet)),
            ]
        )
        kept = {each.record.id: each for each in await store.sessions.load("romeo")}
        assert kept == {
            "one": KeptSession(record(), 0, 0, sent(1)),
            "two": KeptSession(record("two", orchard), 2, 0, ()),
        }

    check(scenario)


def test_a_session_is_forgotten(check: Check) -> None:
    async def scenario(store: Store) -> None:
        sessions = store.sessions
        await sessions.note([change(record=record(), sent=sent(1)), change("two", record=record("two"))])
        await sessions.delete("romeo", "one")
        await sessions.delete("romeo", "never there")
        assert [each.record.id for each in await sessions.load("romeo")] == ["two"]
        await sessions.delete("romeo", "two")
        assert await sessions.load("romeo") == []

    check(scenario)


@pytest.mark.parametrize("numbers", [(), (1,)])
def test_writes_take_effect_in_the_order_of_the_calls(check: Check, numbers: tuple[int, ...]) -> None:
    async def scenario(store: Store) -> None:
        sessions = store.sessions
        for handled in range(20):
            done = sessions.note([change(handled=handled, record=record(), sent=sent(*numbers))])
        assert (await sessions.load("romeo"))[0].handled == 19
        await done

    check(scenario)


def test_what_cannot_come_again_is_kept_until_it_is_acknowledged(check: Check) -> None:
    """Copies of messages and iqs of others are recognised after a crash. In memory, acknowledged presence and answers
    of the server itself are let go."""
    juliet = Jid.parse("juliet@capulet.lit")
    stanzas = (
        make("message", from_=juliet, id="1"),
        make("presence", from_=juliet, id="2"),
        make("iq", id="3", type="result"),
        make("iq", from_=juliet, id="4", type="get"),
        make("presence", from_=juliet, id="5"),
    )
    all_sent = tuple(SentStanza(number, stanza, 7.5) for number, stanza in enumerate(stanzas, 1))

    async def scenario(store: Store) -> None:
        sessions = store.sessions
        await sessions.note([change(record=record(), sent=all_sent)])
        assert [kept.sent for kept in await sessions.load("romeo")] == [all_sent]
        await sessions.note([change(acknowledged=4)])
        [kept] = await sessions.load("romeo")
        left = all_sent[:1] + all_sent[3:]
        assert (kept.acknowledged, [each for each in kept.sent if each in left]) == (4, [*left])
        if isinstance(sessions, MemorySessions):
            assert kept.sent == left

    check(scenario)
