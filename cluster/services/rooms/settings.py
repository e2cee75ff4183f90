"""What the topology says of a service of rooms, and how much of each thing it has."""

from __future__ import annotations

from typing import Literal

import msgspec

MAX_AFFILIATES = 10_000
"""Of one room; further ones are refused with `resource-constraint`."""
MAX_ITEMS = 1_000
"""Of one request of an administrator."""
MAX_TEXT = 2_048
"""Characters of a name, description, password or reason."""
MAX_VCARD_BYTES = 131_072
"""Of a room's vCard with its avatar."""
MAX_WAITING = 1_000
"""Stanzas for a room whose history is being read."""
MAX_REQUESTS = 10_000
"""Requests between occupants that are not answered yet; the oldest of more are answered with an error."""
MAX_REQUESTS_BYTES = 33_554_432
"""Of them all, in the same way."""
REQUEST_TIMEOUT_S = 60.0
"""How long a request between occupants waits for its answer."""
DESERTED_S = 600.0
"""How long a temporary room that lost everybody with its server waits for somebody to come back."""


class RoomSeed(msgspec.Struct, frozen=True):
    """A room that is there from the start."""

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
    """Bare JIDs, as the others."""
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
