"""A room: its settings and affiliations, who is in it, and what was said last. What is sent is decided elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from cluster.services.rooms import nicks
from cluster.services.rooms.history import History
from cluster.services.rooms.privileges import INITIAL_ROLES, MEMBER, MODERATOR, NONE
from cluster.store.rooms import Affiliate, Affiliation, Role, RoomRecord
from cluster.xmpp import element as xml
from cluster.xmpp.extensions.vcard import photo_hash
from cluster.xmpp.jid import Jid

_NOBODY = Affiliate(NONE)


class Payload(msgspec.Struct, frozen=True, gc=False):
    """What the others get of somebody's presence, apart from what the room says of them."""

    raw: bytes = b""
    payloads: tuple[str, ...] = ()


class Session:
    """One client in a room (section 7.2.8): several of one account may share a nick."""

    __slots__ = ("jid", "occupant", "presence")

    def __init__(self, jid: Jid, occupant: Occupant, presence: Payload) -> None:
        self.jid = jid
        """Its real full JID."""
        self.occupant = occupant
        self.presence = presence


class Occupant:
    """Who is in a room under one nick."""

    __slots__ = ("bare", "id", "jid", "nick", "role", "sessions")

    def __init__(self, bare: Jid, jid: Jid, id: str, role: Role) -> None:
        self.bare = bare
        """The real bare JID."""
        self.jid = jid
        """The occupant JID: room@service/nick."""
        self.nick = jid.resourcepart
        self.id = id
        """XEP-0421."""
        self.role = role
        self.sessions: dict[Jid, Session] = {}
        """By real full JID, in the order in which they came."""

    @property
    def last_session(self) -> Session:
        """Whose presence is the occupant's."""
        return next(reversed(self.sessions.values()))


class Room:
    """One room; a `RoomRecord` and who is in it now."""

    def __init__(self, jid: Jid, record: RoomRecord) -> None:
        self.jid = jid
        self.settings = record.settings
        self.affiliates: dict[Jid, Affiliate] = {}
        """By bare JID or domain; changed by `set_affiliate` only."""
        self._reserved: dict[str, Jid] = {}
        """Who has reserved a nick, by `nicks.key`."""
        for bare, affiliate in record.affiliates.items():
            self.set_affiliate(bare, affiliate)
        self.subject = record.subject
        self.vcard = record.vcard
        self.avatar_hash = photo_hash(xml.parse(record.vcard)) if record.vcard else ""
        """Of the photo in the vCard; empty: there is none."""
        self.invited: dict[Jid, Jid] = {}
        """Who invited somebody last, both by bare JIDs: the invited one may decline (section 7.8.2)."""
        self.is_locked = False
        """Its creator has not configured it yet (section 10.1)."""
        self.former: dict[Jid, str] = {}
        """Who was in it when its server was killed: nicks by real full JIDs."""
        self.history = History(jid)
        self.is_awake = False
        """The history is in memory."""
        self.occupants: dict[str, Occupant] = {}
        """By `nicks.key`, in the order in which they came."""
        self.sessions: dict[Jid, Session] = {}
        """All of all occupants, by real full JID, in the order in which they came."""

    # --- who is what

    def affiliate(self, bare: Jid) -> Affiliate:
        """What is kept of somebody: of the address itself, else of its domain (section 9.2)."""
        return self.affiliates.get(bare) or self.affiliates.get(Jid("", bare.domainpart)) or _NOBODY

    def set_affiliate(self, bare: Jid, affiliate: Affiliate | None) -> None:
        """Keep this of somebody; None: nothing."""
        before = self.affiliates.pop(bare, None)
        if before is not None and before.nick and not self.is_reserved(before.nick, bare):
            self._reserved.pop(nicks.key(before.nick), None)
        if affiliate is not None:
            self.affiliates[bare] = affiliate
            if affiliate.nick:
                self._reserved[nicks.key(affiliate.nick)] = bare

    def affiliation(self, bare: Jid) -> Affiliation:
        """What somebody is to the room."""
        return self.affiliate(bare).affiliation

    def initial_role(self, affiliation: Affiliation) -> Role:
        """What somebody is who enters, or whose affiliation has changed to this one (section 5.1.2)."""
        return INITIAL_ROLES[self.settings.is_moderated][affiliation]

    def may_enter(self, bare: Jid) -> bool:
        """Whether somebody is neither banned nor a stranger to a members-only room."""
        affiliation = self.affiliation(bare)
        return affiliation >= (MEMBER if self.settings.is_members_only else NONE)

    def with_affiliation(self, affiliation: Affiliation) -> Iterator[tuple[Jid, Affiliate]]:
        """Who has it, in the order in which they got it."""
        return ((jid, kept) for jid, kept in self.affiliates.items() if kept.affiliation is affiliation)

    # --- nicks

    def occupant(self, nick: str) -> Occupant | None:
        """Who has exactly this nick."""
        found = self.occupants.get(nicks.key(nick))
        return found if found is not None and found.nick == nick else None

    def is_taken(self, nick: str, bare: Jid) -> bool:
        """Somebody else has the nick or one that looks like it, or it is reserved (section 7.2.8)."""
        key = nicks.key(nick)
        occupant = self.occupants.get(key)
        if occupant is not None and occupant.bare != bare:
            return True
        return self.is_reserved(nick, bare)

    def is_reserved(self, nick: str, bare: Jid) -> bool:
        """Somebody else has reserved the nick or one that looks like it (section 7.12)."""
        return self._reserved.get(nicks.key(nick), bare) != bare

    # --- who is there

    def enter(self, session: Session) -> None:
        """Somebody is there."""
        occupant = session.occupant
        self.occupants.setdefault(nicks.key(occupant.nick), occupant)
        occupant.sessions[session.jid] = session
        self.sessions[session.jid] = session

    def leave(self, session: Session) -> None:
        """Somebody is not there any more; the occupant stays while another session of it does."""
        del self.sessions[session.jid]
        occupant = session.occupant
        del occupant.sessions[session.jid]
        if not occupant.sessions:
            del self.occupants[nicks.key(occupant.nick)]

    def rest(self) -> None:
        """Forget what is in the archive too; what a room without one has said stays in memory."""
        if self.settings.is_archived:
            self.history, self.is_awake = History(self.jid), False

    def move(self, session: Session, occupant: Occupant) -> None:
        """The session has another nick from now on."""
        place = session.occupant
        del place.sessions[session.jid]
        if not place.sessions:
            del self.occupants[nicks.key(place.nick)]
        session.occupant = occupant
        self.occupants.setdefault(nicks.key(occupant.nick), occupant)
        occupant.sessions[session.jid] = session

    def sees_addresses(self, viewer: Session) -> bool:
        """Whether this one gets the real addresses of the others (sections 7.2.3 and 7.2.4)."""
        return self.settings.whois == "anyone" or viewer.occupant.role is MODERATOR

    def is_shown(self, role: Role) -> bool:
        """The others get presence of those of this role."""
        return role in self.settings.presence_of

    def moderators(self) -> Iterable[Session]:
        """The sessions of those who moderate."""
        return [session for session in self.sessions.values() if session.occupant.role is MODERATOR]
