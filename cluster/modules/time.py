"""Entity Time (XEP-0202)."""

from __future__ import annotations

from cluster.server.context import ModuleContext, ServerModule
from cluster.xmpp import timestamp
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.stanza import Stanza

NS = "urn:xmpp:time"
module = ServerModule("time", ns=NS, xep=202, version="2.0")


@module.on_iq("get", "time", addressed_to=("domain",))
def answer_time(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """The server's clock, in UTC like all of its stamps."""
    time = Element(f"{{{NS}}}time")
    SubElement(time, f"{{{NS}}}tzo").text = "+00:00"
    SubElement(time, f"{{{NS}}}utc").text = timestamp.to_text(ctx.now_utc_s())
    return iq.reply(time)
