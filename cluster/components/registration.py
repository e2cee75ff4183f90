"""Registration with a gateway (XEP-0100 sections 4.1 to 4.3, by XEP-0077)."""

from __future__ import annotations

from cluster.components.gateway import GatewayContext, Registrar
from cluster.host.module import Module
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import REGISTER
from cluster.xmpp.stanza import Stanza, make

registration = Module[GatewayContext]("register", ns=REGISTER, xep=100, version="1.0")


@registration.on_iq("get", "query", addressed_to=("domain",))
async def show_form(ctx: GatewayContext, iq: Stanza) -> Stanza:
    """The required fields, or the user's registration."""
    registrar, user = _registrar(ctx), _user(iq)
    known = await registrar.find(user)
    query = Element(f"{{{REGISTER}}}query")
    if known is not None:
        SubElement(query, f"{{{REGISTER}}}registered")
    SubElement(query, f"{{{REGISTER}}}instructions").text = registrar.instructions
    for field in registrar.fields:
        SubElement(query, f"{{{REGISTER}}}{field}").text = (known or {}).get(field)
    return iq.reply(query)


@registration.on_iq("set", "query", addressed_to=("domain",))
async def change(ctx: GatewayContext, iq: Stanza) -> Stanza:
    """Register, change or remove a registration; the gateway and the user then see each other's presence, or no longer
    do."""
    registrar, user = _registrar(ctx), _user(iq)
    query = iq.payload()
    known = await registrar.find(user)
    if query.find(f"{{{REGISTER}}}remove") is not None:
        if known is None:
            raise StanzaError(Condition.REGISTRATION_REQUIRED, "you are not registered here")
        await registrar.remove(user)
        ctx.soon(lambda: _tell(ctx, user, "unsubscribe", "unsubscribed", "unavailable"))
        return iq.reply()
    answers = {field: xml.text_of(query, f"{{{REGISTER}}}{field}") or "" for field in registrar.fields}
    missing = [field for field, answer in answers.items() if not answer]
    if missing:
        raise StanzaError(Condition.NOT_ACCEPTABLE, f"{', '.join(missing)} is missing; {registrar.instructions}")
    await registrar.register(user, answers)
    if known is None:
        ctx.soon(lambda: _tell(ctx, user, "subscribe"))
    return iq.reply()


async def _tell(ctx: GatewayContext, user: Jid, *types: str) -> None:
    for type_ in types:
        ctx.send(make("presence", from_=ctx.jid, to=user, type=type_))


def _registrar(ctx: GatewayContext) -> Registrar:
    assert ctx.gateway.registrar is not None, "the module is loaded only where there is one"
    return ctx.gateway.registrar


def _user(iq: Stanza) -> Jid:
    assert iq.from_ is not None
    return iq.from_.bare
