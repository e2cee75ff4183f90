"""Entity Capabilities (XEP-0115): a hash of the server's features, so that clients need not ask at each login.

What clients put into their presence passes through as it is; pep.py reads it.
"""

from __future__ import annotations

from cluster.host.disco import describe
from cluster.server.context import ModuleContext, ServerModule
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.caps import CAPS as NS
from cluster.xmpp.extensions.caps import verification

NODE = "urn:xmpplab"
"""Names the software; the project has no page on the web that it could name."""

module = ServerModule("caps", ns=NS, xep=115, version="1.6.0")
module.features.add(NS)


@module.stream_feature("after login")
def advertise(ctx: ModuleContext) -> Element:
    """The server's own capabilities (section 6.3)."""
    return Element(f"{{{NS}}}c", hash="sha-1", node=NODE, ver=verification(describe(ctx.host, ctx)))


@module.node
def node(ctx: ModuleContext) -> str:
    """The node at which a client asks for the meaning of the hash (section 6.2)."""
    return f"{NODE}#{verification(describe(ctx.host, ctx))}"
