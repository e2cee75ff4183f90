"""The rooms that the topology names."""

from __future__ import annotations

from cluster.base.settled import Settled, all_of
from cluster.services.rooms.directory import Rooms
from cluster.services.rooms.room import Room
from cluster.services.rooms.settings import RoomSeed
from cluster.services.rooms.stanzas import archived, message
from cluster.services.rooms.subject import SUBJECT_PAYLOAD
from cluster.store.rooms import Affiliate, Affiliation, RoomRecord, RoomSettings, Subject
from cluster.xmpp.jid import Jid
from cluster.xmpp.quoting import escape


def make_rooms(rooms: Rooms) -> Settled:
    """Create the missing ones; existing rooms stay as their owners configured them."""
    missing = {name: seed for name, seed in rooms.settings.rooms.items() if name not in rooms.rooms}
    return all_of([_make(rooms, name, seed) for name, seed in missing.items()])


def _make(rooms: Rooms, name: str, seed: RoomSeed) -> Settled:
    jid = Jid(name, rooms.ctx.domain)
    settings = RoomSettings(
        title=seed.title, description=seed.description, password=seed.password, is_public=seed.public,
        is_members_only=seed.members_only, is_moderated=seed.moderated, is_archived=seed.archived, whois=seed.whois,
        is_persistent=True,
    )  # fmt: skip
    people = (
        (seed.outcasts, Affiliation.OUTCAST), (seed.members, Affiliation.MEMBER), (seed.admins, Affiliation.ADMIN),
        (seed.owners, Affiliation.OWNER),
    )  # fmt: skip
    affiliates = {Jid.parse(each): Affiliate(affiliation) for jids, affiliation in people for each in jids}
    subject = None
    if seed.subject:
        content = f"<subject>{escape(seed.subject)}</subject>".encode()
        stanza = message(jid, rooms.ctx.new_id(), content, (SUBJECT_PAYLOAD,))
        subject = Subject(archived(stanza, jid), rooms.ctx.now_utc_s())
    room = rooms.rooms[name] = Room(jid, RoomRecord(settings, subject, affiliates))
    return rooms.note(room, settings=settings, subject=subject, affiliates=dict(affiliates))
