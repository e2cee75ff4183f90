"""The subscription states of a contact and all transitions between them: RFC 6121 Appendix A as data.

Nothing else in the code decides how a subscription changes.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

SubscriptionType = Literal["subscribe", "subscribed", "unsubscribe", "unsubscribed"]
TYPES: tuple[SubscriptionType, ...] = ("subscribe", "subscribed", "unsubscribe", "unsubscribed")


class State(Enum):
    """RFC 6121 Appendix A.1: the nine states, seen from the account's side: (subscription, pending out, pending in)."""

    NONE = ("none", False, False)
    NONE_OUT = ("none", True, False)
    NONE_IN = ("none", False, True)
    NONE_OUT_IN = ("none", True, True)
    TO = ("to", False, False)
    TO_IN = ("to", False, True)
    FROM = ("from", False, False)
    FROM_OUT = ("from", True, False)
    BOTH = ("both", False, False)


_S = State
_Changes = dict[State, State]

OUTBOUND: dict[SubscriptionType, _Changes] = {
    # A.2.1: always routed
    "subscribe": {_S.NONE: _S.NONE_OUT, _S.NONE_IN: _S.NONE_OUT_IN, _S.FROM: _S.FROM_OUT},
    # A.2.2: always routed
    "unsubscribe": {
        _S.NONE_OUT: _S.NONE,
        _S.NONE_OUT_IN: _S.NONE_IN,
        _S.TO: _S.NONE,
        _S.TO_IN: _S.NONE_IN,
        _S.FROM_OUT: _S.FROM,
        _S.BOTH: _S.FROM,
    },
    # A.2.3: routed if it changes something; without a request it is a pre-approval (section 3.4)
    "subscribed": {_S.NONE_IN: _S.FROM, _S.NONE_OUT_IN: _S.FROM_OUT, _S.TO_IN: _S.BOTH},
    # A.2.4: routed if it changes something
    "unsubscribed": {
        _S.NONE_IN: _S.NONE,
        _S.NONE_OUT_IN: _S.NONE_OUT,
        _S.TO_IN: _S.TO,
        _S.FROM: _S.NONE,
        _S.FROM_OUT: _S.NONE_OUT,
        _S.BOTH: _S.TO,
    },
}
"""Stanzas of the account, and the resulting states."""

INBOUND: dict[SubscriptionType, _Changes] = {
    # A.3.1: delivered if it changes something; a subscribed contact is answered at once
    "subscribe": {_S.NONE: _S.NONE_IN, _S.NONE_OUT: _S.NONE_OUT_IN, _S.TO: _S.TO_IN},
    # A.3.2
    "unsubscribe": {
        _S.NONE_IN: _S.NONE,
        _S.NONE_OUT_IN: _S.NONE_OUT,
        _S.TO_IN: _S.TO,
        _S.FROM: _S.NONE,
        _S.FROM_OUT: _S.NONE_OUT,
        _S.BOTH: _S.TO,
    },
    # A.3.3
    "subscribed": {_S.NONE_OUT: _S.TO, _S.NONE_OUT_IN: _S.TO_IN, _S.FROM_OUT: _S.BOTH},
    # A.3.4
    "unsubscribed": {
        _S.NONE_OUT: _S.NONE,
        _S.NONE_OUT_IN: _S.NONE_IN,
        _S.TO: _S.NONE,
        _S.TO_IN: _S.NONE_IN,
        _S.FROM_OUT: _S.FROM,
        _S.BOTH: _S.FROM,
    },
}
"""Stanzas of the contact, and the resulting states. A stanza that changes nothing is not delivered."""

ALWAYS_ROUTED: frozenset[SubscriptionType] = frozenset({"subscribe", "unsubscribe"})
"""Outbound types that go to the contact even if they change nothing here, so that two servers can agree again."""
