"""Sessions that a server keeps for its next process, and what their clients get of them."""

from __future__ import annotations

from typing import Any

from cluster.store.memory import MemorySessions
from cluster.xmpp import element as xml
from tests.network import CAPULET, Network
from tests.phone import Phone

BALCONY, CHAMBER = "juliet@capulet.lit/balcony", "juliet@capulet.lit/chamber"


def messages(client: Any) -> list[str]:
    return [line.rpartition(" ")[2] for line in client.take() if line.startswith("message/chat")]


def kept(network: Network, domain: str = CAPULET) -> MemorySessions:
    sessions = network.servers[domain].store.sessions
    assert isinstance(sessions, MemorySessions)
    return sessions


def h_of(client: Phone) -> int:
    return int(client.got[0].get("h", ""))


def refused(client: Phone) -> bool:
    return "item-not-found" in xml.serialize(client.last("failed")).decode()
