"""The settings of a service of rooms in the topology, and its limits."""

from __future__ import annotations

from typing import Literal

import msgspec

MAX_AFFILIATES = 10_000
"""In one room; further ones are refused with `resource-constraint`."""
SHARE_OF_ACCOUNT = 10
"""One account may create a tenth of the rooms that the service may have; further ones are refused."""
SHARE_OF_DOMAIN = 2
"""The accounts of another domain together may create half of them."""
MAX_ITEMS = 1_000
"""In one request of an administrator."""
MAX_TEXT = 2_048
"""Characters of a name, description, password or reason."""
MAX_VCARD_BYTES = 131_072
"""Of a room's vCard with its avatar."""
MAX_WAITING = 1_000
"""Stanzas for a room whose history is being read."""
MAX_REQUESTS = 10_000
"""Unanswered requests between occupants; beyond this, the oldest are answered with an error."""
MAX_REQUESTS_BYTES = 33_554_432
"""Of all unanswered requests, in the same way."""
REQUEST_TIMEOUT_S = 60.0
"""The time in which a request between occupants must be answered."""
DESERTED_S = 600.0
"""The time for which a temporary room stays empty after a crash of its server before it is removed."""


class RoomSeed(msgspec.Struct, frozen=True):
    """A room that exists from the start."""

    title: str = ""
    description: str = ""
    subject: str = ""
    password: str = ""
    public: bool = True
    members_only: bool = False
    moderated: bool = False
    archived: bool = True
    whois: Literal["anyone", "moderators"] = "moderators"
    owners: list[str] = []
    """Bare JIDs, as in the other lists."""
    admins: list[str] = []
    members: list[str] = []
    outcasts: list[str] = []


class RoomsSettings(msgspec.Struct, frozen=True):
    """Of one service."""

    rooms: dict[str, RoomSeed] = {}
    """By localpart."""
    creation: Literal["anyone", "local", "nobody"] = "anyone"
    """Who may create rooms; `local`: accounts of the server's own domain."""
    max_rooms: int = 10_000
    max_occupants: int = 2_000
    """Sessions in one room; admins and owners get in beyond it, up to a tenth more."""
