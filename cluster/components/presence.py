"""The presence of a gateway and of its foreign users (XEP-0100 section 4).

The specification is for gateways that log in to the foreign network in each user's name. Ours translate directly, so
that logging in and out (sections 4.4 and 4.5) has no meaning, and users' presence is ignored. Foreign users are always
available: nothing is known of their presence.
"""

from __future__ import annotations

from cluster.base import reasons
from cluster.components.gateway import GatewayContext, contact_address
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza, make


async def on_presence(ctx: GatewayContext, presence: Stanza) -> None:
    """Answer requests and probes."""
    user, asked = presence.from_, presence.to
    assert user is not None
    assert asked is not None
    match presence.type:
        case "subscribe":  # sections 4.1 and 4.6
            if await _may_see(ctx, user, asked):
                ctx.send(make("presence", from_=asked.bare, to=user.bare, type="subscribed"))
                ctx.send(make("presence", from_=asked.bare, to=user.bare))
        case "probe":
            if await _may_see(ctx, user, asked):
                ctx.send(make("presence", from_=asked.bare, to=user))
        case "unsubscribe":  # RFC 6121 section 3.3.3
            ctx.send(make("presence", from_=asked.bare, to=user.bare, type="unavailable"))


async def _may_see(ctx: GatewayContext, user: Jid, asked: Jid) -> bool:
    """Whether the user may see this address; if not, it has been told why (section 4.6, alternate flow)."""
    try:
        await check_registered(ctx, user)
        if asked.localpart:
            contact_address(ctx.gateway, asked)
    except StanzaError as error:
        status = Element(f"{{{CLIENT}}}status")
        status.text = error.text
        ctx.send(make("presence", from_=asked.bare, to=user.bare, type="unsubscribed", payload=[status]))
        return False
    return True


async def check_registered(ctx: GatewayContext, user: Jid) -> None:
    """Raises StanzaError if the gateway requires registration and this user has not registered (section 4.8)."""
    registrar = ctx.gateway.registrar
    if registrar is not None and registrar.required and await registrar.find(user.bare) is None:
        raise StanzaError(
            Condition.REGISTRATION_REQUIRED, f"register with {ctx.domain} first", reason=reasons.NOT_REGISTERED
        )


async def broadcast(ctx: GatewayContext, type: str | None) -> None:
    """Tell all registered users that the gateway is available, or unavailable (section 8)."""
    registrar = ctx.gateway.registrar
    for user in await registrar.users() if registrar is not None else []:
        ctx.send(make("presence", from_=ctx.jid, to=user, type=type))
