"""Messages that come again: after a crash the server sends what it has no acknowledgement of."""

from __future__ import annotations

import hashlib

from cluster.xmpp.namespaces import STANZA_ID
from cluster.xmpp.stanza import Stanza


def key_of(message: Stanza) -> str:
    """The same for a message that comes again, of 32 letters; empty where nothing tells that.

    What can come twice bears the stanza-id of a server (XEP-0359). An id that a client chose is no such thing: another
    message may have it too.
    """
    given = [f"{each.get('by')} {each.get('id')}" for each in message.tree.findall(f"{{{STANZA_ID}}}stanza-id")]
    return hashlib.sha256(f"{message.from_} {message.to} {given}".encode()).hexdigest()[:32] if given else ""
