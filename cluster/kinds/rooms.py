"""`rooms`: multi-user chat (XEP-0045) on a subdomain of a server."""

from __future__ import annotations

from cluster.kinds.base.service import ServiceKind

service = ServiceKind(
    "rooms",
    "Rooms for group chat (XEP-0045): `{domain: conference.montague.lit}`, or the domain alone.",
    "conference",
)
