"""A service that says again what it is told."""

from __future__ import annotations

from twisted.internet.defer import fail

from cluster.base.settled import Settled
from cluster.host.disco import INFO, add_features, result_form
from cluster.host.module import Item
from cluster.server.services.service import Service, ServiceContext, ServiceModule, ServiceState
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza, make

ping = ServiceModule("ping", ns="urn:xmpp:ping", xep=199, version="2.0.1")
ping.identity("component", "generic", "Echo")
service = Service("echo", (ping,))


@ping.on_iq("get", "ping", addressed_to=("domain",))
def answer_ping(ctx: ServiceContext, iq: Stanza) -> Stanza:
    return iq.reply()


@ping.form
def caves(ctx: ServiceContext) -> Element:
    return result_form("urn:example:echo", {"caves": ["2"]})


@ping.disco_items(addressed_to=("domain",))
async def places(ctx: ServiceContext, about: None) -> list[Item]:
    return [Item(Jid("cave", ctx.domain), name="The cave")]


@service.on_message
def say_again(ctx: ServiceContext, message: Stanza) -> Settled:
    """`die`, `die later` and `refuse later` show what becomes of a stanza whose handler fails."""
    if message.type == "error":
        return None
    body = xml.text_of(message.tree, f"{{{CLIENT}}}body")
    if body == "die":
        raise RuntimeError("the echo has died away")
    if body == "die later":
        return fail(RuntimeError("the echo has died away"))
    if body == "refuse later":
        return fail(StanzaError(Condition.NOT_ACCEPTABLE))
    if not body:
        raise StanzaError(Condition.NOT_ACCEPTABLE, "there is nothing to say again")
    return ctx.route(make("message", from_=message.to, to=message.from_, type=message.type, payload=[*message.tree]))


@service.on_presence
def greet(ctx: ServiceContext, presence: Stanza) -> Settled:
    if presence.type not in (None, "unavailable"):
        return None
    return ctx.route(make("presence", from_=presence.to, to=presence.from_, type=presence.type))


@service.disco_info_of_nodes
async def what_a_cave_is(ctx: ServiceContext, iq: Stanza, node: str) -> Element:
    if node != "cave":
        raise StanzaError(Condition.ITEM_NOT_FOUND)
    query = Element(f"{{{INFO}}}query")
    add_features(query, ["urn:example:echo"])
    return query


@service.disco_items_of_nodes
async def below_a_cave(ctx: ServiceContext, iq: Stanza, node: str) -> list[Item]:
    assert iq.from_ is not None
    return [Item(iq.from_.bare, name="who asks")] if node == "cave" else []


calls: ServiceState[list[str]] = ServiceState(lambda ctx: [])
"""What was done at each address."""


@service.on_start
async def begin(ctx: ServiceContext) -> None:
    calls.of(ctx).append("started")


@service.on_stop
def end(ctx: ServiceContext) -> None:
    assert calls.of(ctx) == ["started"]
    ctx.route(make("message", from_=Jid("", ctx.domain), to=Jid("romeo", ctx.server_domain), type="headline"))
