"""Non-SASL Authentication (XEP-0078), which is obsolete: to study clients from before 2004. Not loaded by default.

By password only: the digest needs the password itself, and the server stores only SCRAM keys.
"""

from __future__ import annotations

from cluster.host.module import Peer
from cluster.server.context import ModuleContext, ServerModule
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import JidError, prepare_localpart
from cluster.xmpp.namespaces import LEGACY_AUTH
from cluster.xmpp.stanza import Stanza

FIELDS = ("username", "password", "resource")

module = ServerModule("legacy_auth", ns=LEGACY_AUTH, xep=78, version="2.5")


@module.stream_feature("before login in private")
def offer(ctx: ModuleContext) -> Element:
    """Offered only if nobody else can read the password (sections 4 and 7)."""
    return Element("{http://jabber.org/features/iq-auth}auth")


@module.on_iq("get", "query", addressed_to=("stream",))
def show_fields(ctx: ModuleContext, iq: Stanza, peer: Peer) -> Stanza:
    """The required fields; the same for every name, known or not (section 3.1)."""
    _check_private(peer)
    query = Element(f"{{{LEGACY_AUTH}}}query")
    for field in FIELDS:
        SubElement(query, f"{{{LEGACY_AUTH}}}{field}")
    return iq.reply(query)


@module.on_iq("set", "query", addressed_to=("stream",))
async def log_in(ctx: ModuleContext, iq: Stanza, peer: Peer) -> Stanza:
    """Check the password, and bind the resource (section 3.1)."""
    _check_private(peer)
    query = iq.payload()
    name, password, resource = (xml.text_of(query, f"{{{LEGACY_AUTH}}}{field}") for field in FIELDS)
    if not name or not password or not resource:
        raise StanzaError(Condition.NOT_ACCEPTABLE, f"needed: {', '.join(FIELDS)}")
    try:
        localpart = prepare_localpart(name)
    except JidError:
        raise StanzaError(Condition.NOT_AUTHORIZED) from None
    if not await ctx.credentials.check(localpart, password):
        raise StanzaError(Condition.NOT_AUTHORIZED)
    await peer.log_in(localpart, resource)
    return iq.reply()


def _check_private(peer: Peer) -> None:
    if not peer.is_private:
        raise StanzaError(Condition.SERVICE_UNAVAILABLE, "passwords are accepted over TLS only")
