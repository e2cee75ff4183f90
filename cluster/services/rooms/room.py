"""A room: its settings, affiliations, occupants and last messages. Other modules decide what it sends."""

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
    """The part of an occupant's presence that the client wrote; the room adds role and affiliation."""

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
    """An account in a room under one nick."""

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
        """By real full JID, in the order of entering."""

    @property
    def last_session(self) -> Session:
        """The session whose presence stands for the occupant."""
        return next(reversed(self.sessions.values()))


class Room:
    """One room: its `RoomRecord`, and its present occupants."""

    def __init__(self, jid: Jid, record: RoomRecord) -> None:
        self.jid = jid
        self.settings = record.settings
        self.affiliates: dict[Jid, Affiliate] = {}
        """By bare JID or domain; changed by `set_affiliate` only."""
        self._reserved: dict[str, Jid] = {}
        """Owners of reserved nicks, by `nicks.key`."""
        for bare, affiliate in record.affiliates.items():
            self.set_affiliate(bare, affiliate)
        self.subject = record.subject
        self.vcard = record.vcard
        self.avatar_hash = photo_hash(xml.parse(record.vcard)) if record.vcard else ""
        """SHA-1 of the photo in the vCard; empty without a photo."""
        self.invited: dict[Jid, Jid] = {}
        """The last inviter of each invitee, both by bare JID: the invitee may decline (section 7.8.2)."""
        self.creator: Jid | None = None
        """The bare JID that created it since the service began."""
        self.is_locked = False
        """Its creator has not configured it yet (section 10.1)."""
        self.former: dict[Jid, str] = {}
        """The occupants at the time when the server was killed: nicks by real full JIDs."""
        self.history = History(jid)
        self.is_awake = False
        """The history is in memory."""
        self.occupants: dict[str, Occupant] = {}
        """By `nicks.key`, in the order of entering."""
        self.sessions: dict[Jid, Session] = {}
        """Those of all occupants, by real full JID, in the order of entering."""

    # --- affiliations

    def affiliate(self, bare: Jid) -> Affiliate:
        """The entry for an address, or else for its domain (section 9.2)."""
        return self.affiliates.get(bare) or self.affiliates.get(Jid("", bare.domainpart)) or _NOBODY

    def set_affiliate(self, bare: Jid, affiliate: Affiliate | None) -> None:
        """Set the entry for a bare JID or domain; None removes it."""
        before = self.affiliates.pop(bare, None)
        if before is not None and before.nick and not self.is_reserved(before.nick, bare):
            self._reserved.pop(nicks.key(before.nick), None)
        if affiliate is not None:
            self.affiliates[bare] = affiliate
            if affiliate.nick:
                self._reserved[nicks.key(affiliate.nick)] = bare

    def affiliation(self, bare: Jid) -> Affiliation:
        """The affiliation of an address."""
        return self.affiliate(bare).affiliation

    def initial_role(self, affiliation: Affiliation) -> Role:
        """The role after entering, or after a change to this affiliation (section 5.1.2)."""
        return INITIAL_ROLES[self.settings.is_moderated][affiliation]

    def may_enter(self, bare: Jid) -> bool:
        """Whether an account is neither banned nor kept out by a members-only room."""
        affiliation = self.affiliation(bare)
        return affiliation >= (MEMBER if self.settings.is_members_only else NONE)

    def archives(self, sender: Jid) -> bool:
        """Whether the archive keeps messages of this real address; the room has affiliates in place of a roster
        (XEP-0441 section 2.3)."""
        preferences = self.settings.archive_preferences
        return self.settings.is_archived and preferences.keep(sender, lambda bare: self.affiliation(bare) > NONE)

    def with_affiliation(self, affiliation: Affiliation) -> Iterator[tuple[Jid, Affiliate]]:
        """The entries with this affiliation, oldest first."""
        return ((jid, kept) for jid, kept in self.affiliates.items() if kept.affiliation is affiliation)

    # --- nicks

    def occupant(self, nick: str) -> Occupant | None:
        """The occupant with exactly this nick."""
        found = self.occupants.get(nicks.key(nick))
        return found if found is not None and found.nick == nick else None

    def is_taken(self, nick: str, bare: Jid) -> bool:
        """Whether another account uses or has reserved the nick, or one that looks like it (section 7.2.8)."""
        key = nicks.key(nick)
        occupant = self.occupants.get(key)
        if occupant is not None and occupant.bare != bare:
            return True
        return self.is_reserved(nick, bare)

    def is_reserved(self, nick: str, bare: Jid) -> bool:
        """Whether another account has reserved the nick, or one that looks like it (section 7.12)."""
        return self._reserved.get(nicks.key(nick), bare) != bare

    # --- occupants

    def enter(self, session: Session) -> None:
        """Add a session, and its occupant with the first one."""
        occupant = session.occupant
        self.occupants.setdefault(nicks.key(occupant.nick), occupant)
        occupant.sessions[session.jid] = session
        self.sessions[session.jid] = session

    def leave(self, session: Session) -> None:
        """Remove a session; the occupant stays while it has another session."""
        del self.sessions[session.jid]
        self._leave_nick(session)

    def rest(self) -> None:
        """Free the history if the archive has it; without an archive, it stays in memory."""
        if self.settings.is_archived:
            self.history, self.is_awake = History(self.jid), False

    def move(self, session: Session, occupant: Occupant) -> None:
        """Give the session the nick of this occupant."""
        self._leave_nick(session)
        session.occupant = occupant
        self.enter(session)

    def _leave_nick(self, session: Session) -> None:
        occupant = session.occupant
        del occupant.sessions[session.jid]
        if not occupant.sessions:
            del self.occupants[nicks.key(occupant.nick)]

    def sees_addresses(self, viewer: Session) -> bool:
        """Whether a session gets the real addresses of the others (sections 7.2.3 and 7.2.4)."""
        return self.settings.whois == "anyone" or viewer.occupant.role is MODERATOR

    def is_shown(self, role: Role) -> bool:
        """Whether the presence of occupants with this role is broadcast."""
        return role in self.settings.presence_of

    def moderators(self) -> Iterable[Session]:
        """The sessions of all moderators."""
        return [session for session in self.sessions.values() if session.occupant.role is MODERATOR]
