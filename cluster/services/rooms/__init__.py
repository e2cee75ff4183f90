"""Rooms for group chat (XEP-0045)."""

from __future__ import annotations

from cluster.server.services.service import Service, ServiceModule

module = ServiceModule("rooms", ns="http://jabber.org/protocol/muc", xep=45, version="1.35.3")
module.identity("conference", "text", "Rooms")
service = Service("rooms", (module,))
