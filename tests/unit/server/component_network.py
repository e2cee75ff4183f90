"""A network whose montague.lit has components, how they join, and what is said to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.components import ComponentPeer
from tests.network import MONTAGUE, Network, watched_log

SMS, MAIL, SECRET = "sms.montague.lit", "mail.montague.lit", "hush"
PHONE = f"+39333@{SMS}"


def with_components() -> Iterator[Network]:
    """montague.lit with two components, and capulet.lit; a failure that a server logs fails the test."""
    with watched_log() as failures:
        yield Network(components={SMS: SECRET, MAIL: "other"})
    assert not failures


def join(
    network: Network, domain: str = SMS, secret: str = SECRET, *, acknowledges: bool = True, until: Any = None
) -> ComponentPeer:
    peer = ComponentPeer(network.servers[MONTAGUE].components, domain, secret, acknowledges)
    peer.until = until
    network.add(peer)
    network.settle()
    return peer


def text(to: str, body: str = "hi", from_: str = "") -> str:
    attribute = f" from='{from_}'" if from_ else ""
    return f"<message{attribute} to='{to}' type='chat'><body>{body}</body></message>"
