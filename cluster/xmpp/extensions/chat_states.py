"""Chat State Notifications (XEP-0085): messages that only say whether somebody is typing or paying attention."""

from __future__ import annotations

from cluster.xmpp.namespaces import CLIENT, DELIVERY, HINTS, STANZA_ID
from cluster.xmpp.stanza import Stanza

CHAT_STATE = "a chat state"
"""The detail of the first hop of a message that is nothing else."""
_STATE = "http://jabber.org/protocol/chatstates "
_BESIDES = (_STATE, f"{HINTS} ", f"{STANZA_ID} ", f"{DELIVERY} ", f"{CLIENT} thread")


def is_chat_state(stanza: Stanza) -> bool:
    """Whether the message has no other content; hints, ids and the thread do not count (section 5.1)."""
    payloads = stanza.payloads
    return (
        stanza.kind == "message" and stanza.type != "error" and any(each.startswith(_STATE) for each in payloads)
        and all(each.startswith(_BESIDES) for each in payloads)
    )  # fmt: skip
