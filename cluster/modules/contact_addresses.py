"""Contact Addresses (XEP-0157): the contact of a server, if its topology gives one."""

from __future__ import annotations

from urllib.parse import quote

from cluster.host.disco import result_form
from cluster.server.context import ModuleContext, ServerModule
from cluster.xmpp.element import Element

SERVER_INFO = "http://jabber.org/network/serverinfo"

module = ServerModule("contact_addresses", ns=SERVER_INFO, xep=157, version="1.1.1")


@module.form
def admin_addresses(ctx: ModuleContext) -> Element | None:
    """The operator's account (section 3). Nothing is invented: a lab has no mailbox and no web page."""
    if not ctx.admin:
        return None
    return result_form(SERVER_INFO, {"admin-addresses": [f"xmpp:{quote(ctx.admin, safe='@')}"]})
