"""The answers that all gateways give alike: each extension is a module, as in a server."""

from __future__ import annotations

import platform
from importlib.metadata import version

from cluster.components.gateway import VCARD, GatewayContext, contact_address, contact_jid
from cluster.host.disco import INFO, ITEMS, add_features, add_identities
from cluster.host.module import Identity, Module
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.stanza import Stanza

PING = "urn:xmpp:ping"
VERSION = "jabber:iq:version"
LAST = "jabber:iq:last"
GATEWAY = "jabber:iq:gateway"
ESCAPING = r"jid\20escaping"

_GatewayModule = Module[GatewayContext]

disco = _GatewayModule("disco", ns=INFO, xep=30, version="2.5rc3")
ping = _GatewayModule("ping", ns=PING, xep=199, version="2.0.1")
software = _GatewayModule("version", ns=VERSION, xep=92, version="1.1")
last = _GatewayModule("last", ns=LAST, xep=12, version="2.0")
vcard = _GatewayModule("vcard", ns=VCARD, xep=54, version="1.2")
prompt = _GatewayModule("gateway", ns=GATEWAY, xep=100, version="1.0")
prompt.features.add(ESCAPING)  # XEP-0106 section 6

GENERAL = [disco, ping, software, last, vcard, prompt]


@disco.on_iq("get", "query", addressed_to=("domain",))
def service_info(ctx: GatewayContext, iq: Stanza) -> Stanza:
    """The gateway and its features (XEP-0100 section 4.1)."""
    service = ctx.gateway.service
    return iq.reply(_info(iq, ("gateway", service.type), service.name, ctx.host.features))


@disco.on_iq("get", "query", addressed_to=("account",))
def contact_info(ctx: GatewayContext, iq: Stanza) -> Stanza:
    """A user of the foreign network."""
    service = ctx.gateway.service
    address = _address(ctx, iq)
    return iq.reply(_info(iq, service.contact_identity, address, {INFO, ITEMS, VCARD, *service.contact_features}))


def _info(iq: Stanza, identity: tuple[str, str], name: str, features: set[str]) -> Element:
    query = _without_node(iq, INFO)
    add_identities(query, [Identity(*identity, name)])
    add_features(query, features)
    return query


@disco.on_iq("get", "query", ns=ITEMS, addressed_to=("domain", "account"))
def items(ctx: GatewayContext, iq: Stanza) -> Stanza:
    """None: a gateway does not list the users of the foreign network."""
    return iq.reply(_without_node(iq, ITEMS))


def _without_node(iq: Stanza, namespace: str) -> Element:
    if iq.payload().get("node"):
        raise StanzaError(Condition.ITEM_NOT_FOUND, "nothing here has disco nodes")
    return Element(f"{{{namespace}}}query")


@ping.on_iq("get", "ping", addressed_to=("domain",))
def answer_ping(ctx: GatewayContext, iq: Stanza) -> Stanza:
    """The gateway answers (XEP-0199 section 4); whether a user of the foreign network can be reached is not known."""
    return iq.reply()


@software.on_iq("get", "query", addressed_to=("domain",))
def answer_version(ctx: GatewayContext, iq: Stanza) -> Stanza:
    """Name, version and operating system (XEP-0092 section 3)."""
    query = Element(f"{{{VERSION}}}query")
    SubElement(query, f"{{{VERSION}}}name").text = f"xmpplab {ctx.gateway.service.name} gateway"
    SubElement(query, f"{{{VERSION}}}version").text = version("xmpplab")
    SubElement(query, f"{{{VERSION}}}os").text = platform.system()
    return iq.reply(query)


@last.on_iq("get", "query", addressed_to=("domain",))
def answer_last(ctx: GatewayContext, iq: Stanza) -> Stanza:
    """For how long the gateway has been up (XEP-0012 section 5)."""
    return iq.reply(Element(f"{{{LAST}}}query", seconds=str(int(ctx.uptime_s()))))


@vcard.on_iq("get", "vCard", addressed_to=("domain", "account"))
def answer_vcard(ctx: GatewayContext, iq: Stanza) -> Stanza:
    """Of the gateway, or of a user of the foreign network (XEP-0054 section 3.1)."""
    assert iq.to is not None
    if iq.to.localpart:
        return iq.reply(ctx.gateway.vcard(_address(ctx, iq)))
    card = Element(f"{{{VCARD}}}vCard")
    SubElement(card, f"{{{VCARD}}}FN").text = f"{ctx.gateway.service.name} gateway"
    SubElement(card, f"{{{VCARD}}}DESC").text = ctx.gateway.service.description
    return iq.reply(card)


@prompt.on_iq("get", "query", addressed_to=("domain",))
def show_prompt(ctx: GatewayContext, iq: Stanza) -> Stanza:
    """What a client asks its user for (XEP-0100 section 6.3)."""
    query = Element(f"{{{GATEWAY}}}query")
    SubElement(query, f"{{{GATEWAY}}}desc").text = ctx.gateway.service.description
    SubElement(query, f"{{{GATEWAY}}}prompt").text = ctx.gateway.service.prompt
    return iq.reply(query)


@prompt.on_iq("set", "query", addressed_to=("domain",))
def tell_jid(ctx: GatewayContext, iq: Stanza) -> Stanza:
    """The JID for the address that the user wrote (XEP-0100 section 6.3)."""
    written = (xml.text_of(iq.payload(), f"{{{GATEWAY}}}prompt") or "").strip()
    if not written:
        raise StanzaError(Condition.NOT_ACCEPTABLE, ctx.gateway.service.description)
    query = Element(f"{{{GATEWAY}}}query")
    SubElement(query, f"{{{GATEWAY}}}jid").text = str(contact_jid(ctx.gateway, ctx.domain, written))
    return iq.reply(query)


def _address(ctx: GatewayContext, iq: Stanza) -> str:
    assert iq.to is not None
    return contact_address(ctx.gateway, iq.to)
