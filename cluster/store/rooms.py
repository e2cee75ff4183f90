"""The stored state of rooms (XEP-0045), which survives a restart of the server."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

import msgspec

from cluster.xmpp.extensions.mam_prefs import Preferences
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza


class Affiliation(IntEnum):
    """The long-lived association of an account with a room (XEP-0045 section 5.2), lowest first."""

    OUTCAST = 0
    NONE = 1
    MEMBER = 2
    ADMIN = 3
    OWNER = 4

    @property
    def word(self) -> str:
        """As it stands on the wire: `owner`."""
        return self.name.lower()


class Role(IntEnum):
    """The privileges of an occupant during a visit (section 5.1), lowest first."""

    NONE = 0
    VISITOR = 1
    PARTICIPANT = 2
    MODERATOR = 3

    @property
    def word(self) -> str:
        """As it stands on the wire: `moderator`."""
        return self.name.lower()


class RoomSettings(msgspec.Struct, frozen=True):
    """The configuration of a room (section 10.2); the defaults are those of an instant room."""

    title: str = ""
    description: str = ""
    lang: str = ""
    pubsub_node: str = ""
    """The XMPP URI (RFC 5122) of a publish-subscribe node that belongs to the room."""
    password: str = ""
    """Empty: no password is needed."""
    is_archived: bool = True
    """Messages are archived (XEP-0313), and newcomers are told so."""
    archive_preferences: Preferences = Preferences()
    """Whose messages are (XEP-0441), by real address."""
    is_public: bool = True
    """The service lists it."""
    is_persistent: bool = False
    """The room stays when nobody is in it."""
    is_moderated: bool = False
    is_members_only: bool = False
    subject_is_free: bool = False
    """Participants may change the subject, not only moderators."""
    members_may_invite: bool = True
    """In a members-only room, members too may invite, which makes the invitee a member; otherwise only admins may."""
    private_messages: Literal["anyone", "participants", "moderators", "none"] = "anyone"
    whois: Literal["anyone", "moderators"] = "moderators"
    """Who sees real addresses; `anyone`: the room is non-anonymous, `moderators`: semi-anonymous."""
    presence_of: frozenset[Role] = frozenset((Role.VISITOR, Role.PARTICIPANT, Role.MODERATOR))
    """The roles whose presence is broadcast."""
    member_list_for: frozenset[Role] = frozenset((Role.MODERATOR,))
    max_occupants: int = 0
    """0: the maximum of the service."""
    history_messages: int = 20
    """The most that a newcomer gets."""


class Affiliate(msgspec.Struct, frozen=True):
    """The entry of a bare JID or domain in a room's lists."""

    affiliation: Affiliation
    nick: str = ""
    """The reserved nick; empty: none."""
    reason: str = ""


class Subject(msgspec.Struct, frozen=True):
    """The subject of a room."""

    stanza: Stanza
    """The message that set it, from an occupant's address, without a `to` in its bytes."""
    changed_utc_s: float


class RoomRecord(msgspec.Struct, frozen=True):
    """The stored state of a room, without its archive."""

    settings: RoomSettings
    subject: Subject | None = None
    affiliates: dict[Jid, Affiliate] = {}
    """By bare JID, or by domain."""
    occupants: dict[Jid, str] = {}
    """The occupants: nicks by full JIDs."""
    vcard: bytes = b""
    """Its vCard (XEP-0054), as a document."""


class RoomChange(msgspec.Struct, frozen=True):
    """A change of a room; a room exists in the storage once its settings are stored."""

    room: str
    """Its localpart."""
    settings: RoomSettings | None = None
    """None: unchanged."""
    subject: Subject | None = None
    """None: unchanged."""
    vcard: bytes | None = None
    """None: unchanged."""
    affiliates: dict[Jid, Affiliate | None] = {}
    """Changed entries; None removes one."""
    entered: dict[Jid, str] = {}
    """New occupants, or old ones with a new nick: nicks by full JIDs."""
    left: tuple[Jid, ...] = ()
