"""`rooms`: multi-user chat (XEP-0045) on a subdomain of a server."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge

from cluster.kinds.base.key import Key, Sections
from cluster.kinds.base.service import ServiceKind
from cluster.kinds.base.values import AccountJid, Text, XmlText
from cluster.xmpp.jid import JidError, prepare_localpart


def _name(text: str) -> str:
    try:
        return prepare_localpart(text)
    except JidError as error:
        raise ValueError(f"{text!r} cannot be the name of a room: {error}") from None


_People = list[AccountJid]

_ROOM = Sections(
    "Room",
    "A persistent room that is there from the start; what its owners change of it later stays.",
    Annotated[str, Text(_name, "^[^@/ ]+$")],
    (
        Key("title", XmlText, "What people call it.", ""),
        Key("description", XmlText, "What it is for.", ""),
        Key("subject", XmlText, "What it is about now.", ""),
        Key("password", XmlText, "What one needs to enter; empty: nothing.", ""),
        Key("public", bool, "Whether the service lists it.", True),
        Key("members_only", bool, "Whether only members may enter.", False),
        Key("moderated", bool, "Whether only those with voice may speak.", False),
        Key("archived", bool, "Whether what is said can be read again (XEP-0313).", True),
        Key("whois", Literal["anyone", "moderators"], "Who sees the real addresses of the others.", "moderators"),
        Key("owners", _People, "Who configures it.", []),
        Key("admins", _People, "Who makes members, bans and moderates.", []),
        Key("members", _People, "Who may enter if it is for members only, and has voice if it is moderated.", []),
        Key("outcasts", _People, "Who may not enter.", []),
    ),
)

service = ServiceKind(
    "rooms",
    "Rooms for group chat (XEP-0045): `{domain: conference.montague.lit}`, or the domain alone.",
    "conference",
    (
        Key("rooms", _ROOM, "Rooms that are there from the start, by their names, such as `verona`.", {}),
        Key(
            "creation",
            Literal["anyone", "local", "nobody"],
            "Who may create rooms: `anyone`, accounts of the server's own domain only, or `nobody`.",
            "anyone",
        ),
        Key("max_rooms", Annotated[int, Ge(1)], "How many rooms there can be.", 10_000),
        Key("max_occupants", Annotated[int, Ge(1)], "How many clients can be in one room.", 2_000),
    ),
)
