"""Software Version (XEP-0092)."""

from __future__ import annotations

import platform
from importlib.metadata import version

from cluster.server.context import ModuleContext, ServerModule
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.stanza import Stanza

NS = "jabber:iq:version"
module = ServerModule("version", ns=NS, xep=92, version="1.1")


@module.on_iq("get", "query", addressed_to=("domain",))
def answer_version(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """Name, version and operating system of the server (XEP-0092 section 3)."""
    query = Element(f"{{{NS}}}query")
    SubElement(query, f"{{{NS}}}name").text = "xmpplab"
    SubElement(query, f"{{{NS}}}version").text = version("xmpplab")
    SubElement(query, f"{{{NS}}}os").text = platform.system()
    return iq.reply(query)
