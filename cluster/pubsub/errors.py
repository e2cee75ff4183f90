"""Namespaces of publish-subscribe (XEP-0060 section 16.1), and its own error conditions (section 17.2)."""

from __future__ import annotations

from cluster.base import reasons
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, ErrorType, StanzaError

PUBSUB = "http://jabber.org/protocol/pubsub"
ERRORS = f"{PUBSUB}#errors"
EVENT = f"{PUBSUB}#event"
OWNER = f"{PUBSUB}#owner"


_NO_ACCESS = frozenset(
    ("closed-node", "not-subscribed", "not-in-roster-group", "pending-subscription", "presence-subscription-required")
)


def refusal(condition: Condition, name: str, text: str, type: ErrorType | None = None) -> StanzaError:
    """An error with the RFC's condition and this one of publish-subscribe."""
    reason = reasons.NO_ACCESS if name in _NO_ACCESS else None
    reason = reasons.PRECONDITION if name == "precondition-not-met" else reason
    return StanzaError(condition, text, type, f"{{{ERRORS}}}{name}", reason=reason)


def unsupported(feature: str, text: str) -> StanzaError:
    """The node or the service does not have this feature (section 10)."""
    detail = Element(f"{{{ERRORS}}}unsupported", feature=feature)
    return StanzaError(Condition.FEATURE_NOT_IMPLEMENTED, text, detail=detail)


def forbidden(text: str) -> StanzaError:
    """The entity may not do this."""
    return StanzaError(Condition.FORBIDDEN, text, reason=reasons.NO_ACCESS)


def no_node(name: str) -> StanzaError:
    """There is no such node."""
    return StanzaError(Condition.ITEM_NOT_FOUND, f"there is no node {name}", reason=reasons.NO_NODE)
