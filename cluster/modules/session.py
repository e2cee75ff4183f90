"""Session establishment (RFC 3921 section 3), which RFC 6121 removed: older clients still request it."""

from __future__ import annotations

from cluster.server.context import ModuleContext, ServerModule
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.stanza import Stanza

NS = "urn:ietf:params:xml:ns:xmpp-session"

module = ServerModule("session", ns=NS)


@module.stream_feature("after login")
def offer(ctx: ModuleContext) -> Element:
    """For clients that insist on it; newer ones see that it is optional."""
    session = Element(f"{{{NS}}}session")
    SubElement(session, f"{{{NS}}}optional")
    return session


@module.on_iq("set", "session", addressed_to=("own", "domain"))
def establish(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """A bound resource has its session already."""
    return iq.reply()
