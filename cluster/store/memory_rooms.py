"""The rooms in memory."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed

from cluster.store.rooms import RoomChange, RoomRecord, RoomSettings


class MemoryRooms:
    """A `RoomStore`."""

    def __init__(self, forget_archive: Callable[[str], None]) -> None:
        self._rooms: dict[str, RoomRecord] = {}
        self._forget_archive = forget_archive

    async def names(self) -> list[str]:
        """The localparts of all rooms, sorted."""
        return sorted(self._rooms)

    async def load(self, room: str) -> RoomRecord | None:
        """The stored state of a room, None if there is none."""
        return self._rooms.get(room)

    def note(self, change: RoomChange) -> Deferred[None]:
        """Store a change of a room."""
        kept = self._rooms.get(change.room)
        if kept is None and change.settings is None:
            return succeed(None)
        record = kept or RoomRecord(RoomSettings())
        affiliates = {**record.affiliates, **change.affiliates}
        self._rooms[change.room] = RoomRecord(
            change.settings or record.settings,
            change.subject or record.subject,
            {jid: affiliate for jid, affiliate in affiliates.items() if affiliate is not None},
            {jid: nick for jid, nick in {**record.occupants, **change.entered}.items() if jid not in change.left},
            record.vcard if change.vcard is None else change.vcard,
        )
        return succeed(None)

    def delete(self, room: str) -> Deferred[None]:
        """Delete a room and its archive."""
        self._rooms.pop(room, None)
        self._forget_archive(room)
        return succeed(None)
