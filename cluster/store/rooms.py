"""What is kept of a room (XEP-0045), so that it outlives the process of its server."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

import msgspec

from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza


class Affiliation(IntEnum):
    """What somebody is to a room for good (XEP-0045 section 5.2), the lowest first."""

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
    """What somebody may do while in the room (section 5.1), the lowest first."""

    NONE = 0
    VISITOR = 1
    PARTICIPANT = 2
    MODERATOR = 3

    @property
    def word(self) -> str:
        """As it stands on the wire: `moderator`."""
        return self.name.lower()


class RoomSettings(msgspec.Struct, frozen=True):
    """How a room is configured (section 10.2); the defaults are those of an instant room."""

    title: str = ""
    description: str = ""
    lang: str = ""
    password: str = ""
    """Empty: none is needed."""
    is_archived: bool = True
    """What is said can be read again (XEP-0313), and whoever enters is told so."""
    is_public: bool = True
    """The service lists it."""
    is_persistent: bool = False
    """It stays when nobody is in it."""
    is_moderated: bool = False
    is_members_only: bool = False
    subject_is_free: bool = False
    """Participants may change the subject, not only moderators."""
    members_may_invite: bool = True
    """In a members-only room, others than its admins too, who make the invited one a member."""
    private_messages: Literal["anyone", "participants", "moderators", "none"] = "anyone"
    whois: Literal["anyone", "moderators"] = "moderators"
    """Who sees real addresses: with `anyone` the room is non-anonymous, else semi-anonymous."""
    presence_of: frozenset[Role] = frozenset((Role.VISITOR, Role.PARTICIPANT, Role.MODERATOR))
    """Whose presence the others get."""
    member_list_for: frozenset[Role] = frozenset((Role.MODERATOR,))
    max_occupants: int = 0
    """0: as many as the service allows."""
    history_messages: int = 20
    """Most that somebody gets who enters."""


class Affiliate(msgspec.Struct, frozen=True):
    """Somebody whose affiliation is kept."""

    affiliation: Affiliation
    nick: str = ""
    """Reserved; empty: none."""
    reason: str = ""


class Subject(msgspec.Struct, frozen=True):
    """What the room is about."""

    stanza: Stanza
    """The message that set it, from an occupant's address, without a `to` in its bytes."""
    changed_utc_s: float


class RoomRecord(msgspec.Struct, frozen=True):
    """All that is kept of a room beside its archive."""

    settings: RoomSettings
    subject: Subject | None = None
    affiliates: dict[Jid, Affiliate] = {}
    """By bare JID, or by domain."""
    occupants: dict[Jid, str] = {}
    """Who was in it: nicks by full JIDs."""
    vcard: bytes = b""
    """Its vCard (XEP-0054), as a document."""


class RoomChange(msgspec.Struct, frozen=True):
    """What is new of a room; a room is there once its settings were kept."""

    room: str
    """Its localpart."""
    settings: RoomSettings | None = None
    """None where they are as they were."""
    subject: Subject | None = None
    """None where it is as it was."""
    vcard: bytes | None = None
    """None where it is as it was."""
    affiliates: dict[Jid, Affiliate | None] = {}
    """Those that changed; None: it is nobody's affiliation any more."""
    entered: dict[Jid, str] = {}
    """Who is in it now: nicks by full JIDs."""
    left: tuple[Jid, ...] = ()
