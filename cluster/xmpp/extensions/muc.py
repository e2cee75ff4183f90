"""Multi-User Chat (XEP-0045): namespaces, and readers of join presence, invitations and administrators' requests."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp import timestamp
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid, JidError

MUC = "http://jabber.org/protocol/muc"
USER = f"{MUC}#user"
ADMIN = f"{MUC}#admin"
OWNER = f"{MUC}#owner"
CONFIG = f"{MUC}#roomconfig"
INFO = f"{MUC}#roominfo"
REQUEST = f"{MUC}#request"
REGISTER_FORM = f"{MUC}#register"
OCCUPANT_ID = "urn:xmpp:occupant-id:0"
CONFERENCE = "jabber:x:conference"
MODERATE = "urn:xmpp:message-moderate:1"
RETRACT = "urn:xmpp:message-retract:1"
RETRACT_PAYLOAD = f"{RETRACT} retract"
TOMBSTONE_PAYLOAD = f"{RETRACT} retracted"

JOIN_PAYLOAD = f"{MUC} x"
USER_PAYLOAD = f"{USER} x"
OCCUPANT_ID_PAYLOAD = f"{OCCUPANT_ID} occupant-id"


class HistoryRequest(msgspec.Struct, frozen=True):
    """The limits of history that a newcomer asks for (section 7.2.14); None: no limit but the room's."""

    max_characters: int | None = None
    max_stanzas: int | None = None
    seconds: int | None = None
    since_utc_s: float | None = None


class Join(msgspec.Struct, frozen=True):
    """The contents of a join presence (section 7.2)."""

    password: str = ""
    history: HistoryRequest = HistoryRequest()


def read_join(presence: Element) -> Join:
    """Read the `<x/>` in a join presence. Raises StanzaError for invalid numbers and times."""
    x = presence.find(f"{{{MUC}}}x")
    if x is None:
        return Join()
    history = x.find(f"{{{MUC}}}history")
    return Join(
        xml.text_of(x, f"{{{MUC}}}password") or "", HistoryRequest() if history is None else _read_history(history)
    )


def _read_history(history: Element) -> HistoryRequest:
    numbers: dict[str, int | None] = {}
    for name in ("maxchars", "maxstanzas", "seconds"):
        text = history.get(name)
        if text is not None and not (text.isascii() and text.isdigit() and len(text) < 19):
            raise StanzaError(Condition.BAD_REQUEST, f"{name}={text!r} is not a number")
        numbers[name] = None if text is None else int(text)
    since = history.get("since")
    try:
        since_utc_s = None if since is None else timestamp.parse(since)
    except ValueError as error:
        raise StanzaError(Condition.BAD_REQUEST, str(error)) from None
    return HistoryRequest(numbers["maxchars"], numbers["maxstanzas"], numbers["seconds"], since_utc_s)


class AdminItem(msgspec.Struct, frozen=True):
    """One `<item/>` of a request of a moderator, admin or owner (sections 8 to 10); None: absent."""

    affiliation: str | None
    role: str | None
    nick: str | None
    jid: Jid | None
    reason: str


def read_admin_items(query: Element) -> list[AdminItem]:
    """All items of the `<query/>`. Raises StanzaError."""
    items = [
        AdminItem(
            item.get("affiliation"),
            item.get("role"),
            item.get("nick"),
            read_jid(item.get("jid")),
            xml.text_of(item, f"{{{ADMIN}}}reason") or "",
        )
        for item in query.iterfind(f"{{{ADMIN}}}item")
    ]
    if not items:
        raise StanzaError(Condition.BAD_REQUEST, "the query has no item")
    for item in items:
        if (item.affiliation is None) == (item.role is None):  # section 17.4 rule 4
            raise StanzaError(Condition.BAD_REQUEST, "an item has an affiliation or a role, not both")
    return items


class Invitation(msgspec.Struct, frozen=True):
    """A mediated invitation, or its refusal (section 7.8.2)."""

    is_declined: bool
    to: Jid
    element: Element
    """As received; its `to` is for the room."""


def read_invitations(message: Element) -> Iterator[Invitation]:
    """Read the invitations and refusals in a message to a room. Raises StanzaError."""
    for name in ("invite", "decline"):
        for element in message.iterfind(f"{{{USER}}}x/{{{USER}}}{name}"):
            to = read_jid(element.get("to"))
            if to is None:
                raise StanzaError(Condition.BAD_REQUEST, f"whom the {name} is for is missing")
            yield Invitation(name == "decline", to, element)


def read_jid(text: str | None) -> Jid | None:
    """The address in an attribute, None without it. Raises StanzaError for an invalid one."""
    try:
        return None if text is None else Jid.parse(text)
    except JidError as error:
        raise StanzaError(Condition.JID_MALFORMED, str(error)) from None
