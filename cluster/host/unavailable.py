"""The error for a request that the storage cannot serve now."""

from __future__ import annotations

from cluster.base import reasons
from cluster.base.storage import is_away, is_refusal
from cluster.xmpp.errors import Condition, StanzaError

TEXT = "the server cannot reach its storage now; try again"


def refusal(error: BaseException | None) -> StanzaError | None:
    """The error with which a failed request is answered; None if the code failed, which is to be logged."""
    if isinstance(error, StanzaError):
        return error
    if not is_away(error):
        return None
    reason = reasons.STORAGE_REFUSES if is_refusal(error) else reasons.REDIS_AWAY
    return StanzaError(Condition.RESOURCE_CONSTRAINT, TEXT, reason=reason)  # RFC 6120 section 8.3.3.18
