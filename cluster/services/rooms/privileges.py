"""Who may do what in a room: the tables of XEP-0045 section 5 as data."""

from __future__ import annotations

from enum import Enum, auto

from cluster.store.rooms import Affiliation, Role, RoomSettings
from cluster.xmpp.errors import Condition, StanzaError

OUTCAST, NONE, MEMBER, ADMIN, OWNER = Affiliation
NOBODY, VISITOR, PARTICIPANT, MODERATOR = Role


class Privilege(Enum):
    """An action that a role permits (section 5.1.1). All in a room hear all and have a presence."""

    CHANGE_NICK = auto()
    SEND_PRIVATE_MESSAGES = auto()
    INVITE = auto()
    SPEAK = auto()
    CHANGE_SUBJECT = auto()
    KICK = auto()
    GRANT_VOICE = auto()
    REVOKE_VOICE = auto()


LEAST_ROLES: dict[Privilege, Role] = {
    Privilege.CHANGE_NICK: VISITOR,
    Privilege.SEND_PRIVATE_MESSAGES: VISITOR,
    Privilege.INVITE: VISITOR,
    Privilege.SPEAK: PARTICIPANT,
    Privilege.CHANGE_SUBJECT: MODERATOR,
    Privilege.KICK: MODERATOR,
    Privilege.GRANT_VOICE: MODERATOR,
    Privilege.REVOKE_VOICE: MODERATOR,
}
"""Section 5.1.1; the configuration of a room may differ."""

_SENDERS_OF_PRIVATE_MESSAGES = {"anyone": VISITOR, "participants": PARTICIPANT, "moderators": MODERATOR, "none": None}


def least_role(privilege: Privilege, settings: RoomSettings) -> Role | None:
    """The lowest role with this privilege under these settings; None: no role has it."""
    if privilege is Privilege.CHANGE_SUBJECT and settings.subject_is_free:
        return PARTICIPANT
    if privilege is Privilege.SEND_PRIVATE_MESSAGES:
        return _SENDERS_OF_PRIVATE_MESSAGES[settings.private_messages]
    return LEAST_ROLES[privilege]


def may(role: Role, privilege: Privilege, settings: RoomSettings) -> bool:
    """Whether a role has this privilege under these settings."""
    least = least_role(privilege, settings)
    return least is not None and role >= least


INITIAL_ROLES: dict[bool, dict[Affiliation, Role]] = {
    False: {NONE: PARTICIPANT, MEMBER: PARTICIPANT, ADMIN: MODERATOR, OWNER: MODERATOR},
    True: {NONE: VISITOR, MEMBER: PARTICIPANT, ADMIN: MODERATOR, OWNER: MODERATOR},
}
"""Section 5.1.2: by whether the room is moderated."""

LEAST_CHANGERS: dict[tuple[Affiliation, Affiliation], Affiliation] = {
    (old, new): OWNER if max(old, new) >= ADMIN else ADMIN
    for old in Affiliation
    for new in Affiliation
    if old is not new
}
"""Section 5.2.2: who changes an affiliation. Only owners make and unmake admins and owners."""


def check_change_of_affiliation(actor: Affiliation, old: Affiliation, new: Affiliation) -> None:
    """Raises StanzaError if the affiliation `actor` does not permit this change."""
    if actor < ADMIN:  # section 9, before its first example
        raise StanzaError(Condition.FORBIDDEN, "only admins and owners of the room change affiliations")
    if old is not new and actor < LEAST_CHANGERS[old, new]:
        if old > actor:  # sections 9.1 and 9.2
            raise StanzaError(Condition.NOT_ALLOWED, f"an {actor.word} cannot change what an {old.word} is")
        raise StanzaError(Condition.FORBIDDEN, "only owners of the room make and unmake admins and owners")


def _to_change(old: Role, new: Role) -> Privilege:
    if new is NOBODY:
        return Privilege.KICK
    return Privilege.GRANT_VOICE if new > old else Privilege.REVOKE_VOICE


def check_change_of_role(actor: tuple[Role, Affiliation], other: tuple[Role, Affiliation], new: Role) -> None:
    """Raises StanzaError if `actor` cannot give `other` the role (sections 5.1.3, 8.2 to 8.5 and 9.6 to 9.8)."""
    (role, affiliation), (old, others_affiliation) = actor, other
    if MODERATOR in (old, new) and old is not new and new is not NOBODY:
        if affiliation < ADMIN:
            raise StanzaError(Condition.FORBIDDEN, "only admins and owners of the room change who is a moderator")
        if others_affiliation >= ADMIN:
            raise StanzaError(Condition.NOT_ALLOWED, "admins and owners are always moderators")
        return
    if role < LEAST_ROLES[_to_change(old, new)]:
        raise StanzaError(Condition.FORBIDDEN, "only moderators change roles")
    if new is NOBODY:  # section 8.2
        if others_affiliation > affiliation:
            raise StanzaError(Condition.NOT_ALLOWED, f"an {others_affiliation.word} cannot be kicked by you")
        if old is MODERATOR and affiliation < ADMIN:  # section 5.1.3
            raise StanzaError(Condition.NOT_ALLOWED, "only admins and owners of the room kick moderators")
    elif new is VISITOR and (others_affiliation >= ADMIN or others_affiliation > affiliation):  # section 8.4
        raise StanzaError(Condition.NOT_ALLOWED, "this occupant cannot lose voice")
