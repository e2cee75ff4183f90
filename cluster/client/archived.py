"""What an account's archive has: a type that those who only show it can import without a client."""

from __future__ import annotations

import msgspec


class ArchivedMessage(msgspec.Struct, frozen=True):
    """A message in an archive."""

    id: str
    """Its id in the archive."""
    at_utc: str
    """When it was archived, as XMPP writes times: `2023-11-14T22:13:20.125Z`."""
    from_: str = msgspec.field(name="from")
    to: str
    type: str
    subject: str
    """Empty if it has none; so is the body."""
    body: str
