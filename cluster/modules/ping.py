"""XMPP Ping (XEP-0199)."""

from __future__ import annotations

from cluster.server.context import ModuleContext, ServerModule
from cluster.xmpp.stanza import Stanza

module = ServerModule("ping", ns="urn:xmpp:ping", xep=199, version="2.0.1")


@module.on_iq("get", "ping", addressed_to=("domain", "own", "account"))
def answer_ping(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """The server answers for itself and for its accounts (XEP-0199 section 4)."""
    return iq.reply()
