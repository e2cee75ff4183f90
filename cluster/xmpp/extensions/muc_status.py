"""Status codes of Multi-User Chat (XEP-0045 section 16.6)."""

from __future__ import annotations

from cluster.xmpp.element import Element
from cluster.xmpp.extensions.muc import USER

NON_ANONYMOUS = 100
CONFIGURED = 104
SELF = 110
ARCHIVED = 170
NOT_ARCHIVED = 171
NOW_NON_ANONYMOUS = 172
NOW_SEMI_ANONYMOUS = 173
CREATED = 201
NICK_MODIFIED = 210
BANNED = 301
NICK_CHANGED = 303
KICKED = 307
LOST_AFFILIATION = 321
NOW_MEMBERS_ONLY = 322
SHUTDOWN = 332
TECHNICAL = 333


def codes(stanza: Element) -> set[int]:
    """The status codes in a stanza of a room."""
    found = (each.get("code", "") for each in stanza.iter(f"{{{USER}}}status"))
    return {int(code) for code in found if code.isdecimal()}
