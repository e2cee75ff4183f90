"""What load users write to each other."""

from __future__ import annotations

from typing import Literal

from cluster.xmpp.jid import Jid
from cluster.xmpp.quoting import escape, quoteattr

BODY = (
    "But, soft! what light through yonder window breaks? It is the east, and Juliet is the sun. "
    "Arise, fair sun, and kill the envious moon"
)
"""It fits into one short message."""


def kind_of(sender: Jid, receiver: Jid) -> Literal["local", "cross-domain"]:
    """Whether a message between users stays in its domain."""
    return "local" if sender.domainpart == receiver.domainpart else "cross-domain"


def message(to: Jid, id: str, body: str, *, type: str = "chat") -> bytes:
    """A message, ready for the wire."""
    return f"<message to={quoteattr(str(to))} id='{id}' type='{type}'><body>{escape(body)}</body></message>".encode()
