"""Repeated messages: after a crash, a server sends again what was not acknowledged."""

from __future__ import annotations

import hashlib

from cluster.xmpp.namespaces import STANZA_ID
from cluster.xmpp.stanza import Stanza


def key_of(message: Stanza) -> str:
    """A key of 32 letters that is the same for a repetition of the message; empty if a repetition cannot be recognised.

    A message that may be repeated bears the stanza-id of a server (XEP-0359). The `id` that a client chose does not
    count: another message may have it too.
    """
    given = [f"{each.get('by')} {each.get('id')}" for each in message.tree.findall(f"{{{STANZA_ID}}}stanza-id")]
    return hashlib.sha256(f"{message.from_} {message.to} {given}".encode()).hexdigest()[:32] if given else ""
