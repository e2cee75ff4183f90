"""One contract for every storage of rooms (XEP-0045)."""

from __future__ import annotations

from cluster.store.archive import ArchivedMessage
from cluster.store.limits import Limit
from cluster.store.port import Store
from cluster.store.rooms import (
    Affiliate,
    Affiliation,
    Role,
    RoomChange,
    RoomRecord,
    RoomSettings,
    Subject,
)
from cluster.xmpp.extensions.mam import Query
from cluster.xmpp.extensions.mam_prefs import Preferences
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import make
from tests.ports import test_store
from tests.ports.test_store import Check

check = test_store.check
ROOM = Jid.parse("verona@conference.montague.lit")
ROMEO, JULIET = Jid.parse("romeo@montague.lit"), Jid.parse("juliet@capulet.lit")
PREFERENCES = Preferences("roster", always=frozenset((JULIET,)))
SETTINGS = RoomSettings(
    title="Verona", is_persistent=True, presence_of=frozenset((Role.MODERATOR,)), archive_preferences=PREFERENCES
)
SUBJECT = Subject(make("message", from_=ROOM.with_resource("romeo"), type="groupchat"), 7.0)
MANY = Limit(100, 1_000_000)


def message(number: int, text: str = "") -> ArchivedMessage:
    stanza = make("message", from_=ROOM.with_resource("romeo"), to=ROOM, id=text or None)
    return ArchivedMessage(f"m{number}", float(number), stanza)


def test_a_room_is_there_with_its_settings(check: Check) -> None:
    async def scenario(store: Store) -> None:
        assert await store.rooms.names() == []
        assert await store.rooms.load("verona") is None
        await store.rooms.note(RoomChange("verona", SETTINGS, affiliates={ROMEO: Affiliate(Affiliation.OWNER)}))
        assert await store.rooms.names() == ["verona"]
        record = RoomRecord(SETTINGS, affiliates={ROMEO: Affiliate(Affiliation.OWNER)})
        assert await store.rooms.load("verona") == record

    check(scenario)


def test_changes_are_kept_in_their_order(check: Check) -> None:
    async def scenario(store: Store) -> None:
        store.rooms.note(RoomChange("verona", RoomSettings(), affiliates={ROMEO: Affiliate(Affiliation.OWNER)}))
        store.rooms.note(RoomChange("verona", SETTINGS, SUBJECT, b"<vCard/>"))
        member = Affiliate(Affiliation.MEMBER, "jule", "one of us")
        store.rooms.note(RoomChange("verona", affiliates={JULIET: member, ROMEO: None}))
        pda, chamber = ROMEO.with_resource("pda"), JULIET.with_resource("chamber")
        store.rooms.note(RoomChange("verona", entered={pda: "romeo", chamber: "jule"}))
        await store.rooms.note(RoomChange("verona", left=(chamber,)))
        kept = RoomRecord(SETTINGS, SUBJECT, {JULIET: member}, {pda: "romeo"}, b"<vCard/>")
        assert await store.rooms.load("verona") == kept

    check(scenario)


def test_a_room_is_forgotten_with_its_archive(check: Check) -> None:
    async def scenario(store: Store) -> None:
        await store.rooms.note(RoomChange("verona", SETTINGS))
        store.room_archives.append("verona", message(1), MANY)
        await store.rooms.delete("verona")
        assert await store.rooms.names() == []
        assert await store.rooms.load("verona") is None
        assert (await store.room_archives.query(ROOM, Query())).count == 0

    check(scenario)


def test_archives_of_rooms_and_of_accounts_are_apart(check: Check) -> None:
    async def scenario(store: Store) -> None:
        await store.room_archives.append("romeo", message(1), MANY)
        assert (await store.archives.query(ROMEO, Query())).count == 0

    check(scenario)


def test_an_archived_message_is_replaced_in_its_place(check: Check) -> None:
    async def scenario(store: Store) -> None:
        for number in range(3):
            store.room_archives.append("verona", message(number), MANY)
        await store.room_archives.replace("verona", message(1, "taken back"))
        await store.room_archives.replace("verona", message(9, "never there"))
        page = await store.room_archives.query(ROOM, Query())
        assert page.messages == [message(0), message(1, "taken back"), message(2)]

    check(scenario)
