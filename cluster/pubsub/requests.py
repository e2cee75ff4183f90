"""The requests of XEP-0060: which function answers which element."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from cluster.pubsub import owning, publishing, retrieving, subscribing
from cluster.pubsub.configuration import PUBLISH_OPTIONS, read_boolean, read_form
from cluster.pubsub.errors import OWNER, PUBSUB, refusal, unsupported
from cluster.pubsub.publishing import Publication
from cluster.pubsub.service import PubsubService
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

_ITEM = f"{{{PUBSUB}}}item"
_PUBLISH_OPTIONS = f"{{{PUBSUB}}}publish-options"
_BESIDE = {f"{{{PUBSUB}}}{name}" for name in ("configure", "options", "publish-options")}
"""Children that go with the one that names the operation; `options` may name it too."""


class Request(msgspec.Struct, frozen=True):
    """One request."""

    iq: Stanza
    entity: Jid
    """Who asks."""
    pubsub: Element
    asked: Element
    """The child that names the operation."""
    repeated_id: str = ""
    """The same each time that the request is read; empty for one that is read once."""


Answer = Stanza | Element | None
"""The reply, its payload, or None where it has none."""
Handler = Callable[[PubsubService, Request], Answer | Awaitable[Answer]]


async def handle(service: PubsubService, iq: Stanza, entity: Jid, repeated_id: str = "") -> Stanza:
    """The reply to a request (a `<pubsub>` of either namespace). Raises StanzaError."""
    pubsub = iq.payload()
    children = [*pubsub]
    asked = next((each for each in children if each.tag not in _BESIDE), children[0] if children else None)
    handler = _HANDLERS.get((iq.type or "", asked.tag)) if asked is not None else None
    if handler is None or asked is None:
        raise _unknown(iq, asked)
    answer = handler(service, Request(iq, entity, pubsub, asked, repeated_id))
    if isinstance(answer, Awaitable):
        answer = await answer
    if isinstance(answer, Stanza):
        return answer
    return iq.reply() if answer is None else iq.reply(answer)


def _unknown(iq: Stanza, asked: Element | None) -> StanzaError:
    if asked is None:
        return StanzaError(Condition.BAD_REQUEST, "the request is empty")
    namespace, name = xml.split(asked.tag)
    if namespace in (PUBSUB, OWNER) and name in _FEATURES:
        return unsupported(_FEATURES[name], f"no {name} here")
    return StanzaError(Condition.BAD_REQUEST, f"an iq of type {iq.type} with <{name}> is no request")


_FEATURES = {"associate": "collections", "disassociate": "collections", "collection": "collections"}
"""Operations of XEP-0248, which is not supported, and their features."""


async def _publish(service: PubsubService, request: Request) -> Element:
    asked = request.asked
    node, items = asked.get("node", ""), asked.findall(_ITEM)
    if not node:
        raise refusal(Condition.BAD_REQUEST, "nodeid-required", "say at which node")
    if len(items) > 1:  # section 7.1.1
        raise refusal(Condition.BAD_REQUEST, "max-items-exceeded", "publish one item with each request")
    payload = publishing.read_payload(items[0]) if items else b""
    options = read_form(request.pubsub.find(_PUBLISH_OPTIONS), PUBLISH_OPTIONS)
    id = items[0].get("id") or request.repeated_id if items else ""  # read again, it is the same item
    wanted = Publication(node, request.entity, id, payload, bool(items), options, request.iq.trace_id)
    item = await publishing.publish(service, wanted)
    answer = Element(f"{{{PUBSUB}}}pubsub")
    published = SubElement(answer, f"{{{PUBSUB}}}publish", node=node)
    if item.id:
        SubElement(published, _ITEM, id=item.id)
    return answer


async def _retract(service: PubsubService, request: Request) -> None:
    asked = request.asked
    node, items = asked.get("node", ""), asked.findall(_ITEM)
    if not node:
        raise refusal(Condition.BAD_REQUEST, "nodeid-required", "say at which node")
    if len(items) != 1 or not items[0].get("id"):
        raise refusal(Condition.BAD_REQUEST, "item-required", "say which item, one with each request")
    try:
        notify = read_boolean([asked.get("notify", "")]) if "notify" in asked.attrib else None
    except ValueError as error:
        raise StanzaError(Condition.BAD_REQUEST, f"notify {error}") from None
    await publishing.retract(service, node, request.entity, items[0].get("id", ""), notify)


_HANDLERS: dict[tuple[str, str], Handler] = {
    ("get", f"{{{PUBSUB}}}items"): lambda s, r: retrieving.items(s, r.iq, r.entity, r.asked, r.pubsub),
    ("get", f"{{{PUBSUB}}}subscriptions"): lambda s, r: subscribing.subscriptions(s, r.entity, r.asked),
    ("get", f"{{{PUBSUB}}}affiliations"): lambda s, r: subscribing.affiliations(s, r.entity, r.asked),
    ("get", f"{{{PUBSUB}}}options"): lambda s, r: subscribing.options(s, r.entity, r.asked),
    ("get", f"{{{PUBSUB}}}default"): lambda s, r: subscribing.default_options(s, r.asked),
    ("set", f"{{{PUBSUB}}}subscribe"): lambda s, r: subscribing.subscribe(s, r.entity, r.asked, r.pubsub),
    ("set", f"{{{PUBSUB}}}unsubscribe"): lambda s, r: subscribing.unsubscribe(s, r.entity, r.asked),
    ("set", f"{{{PUBSUB}}}options"): lambda s, r: subscribing.set_options(s, r.entity, r.asked),
    ("set", f"{{{PUBSUB}}}publish"): _publish,
    ("set", f"{{{PUBSUB}}}retract"): _retract,
    ("set", f"{{{PUBSUB}}}create"): lambda s, r: owning.create(s, r.entity, r.asked, r.pubsub),
    ("get", f"{{{OWNER}}}configure"): lambda s, r: owning.configuration_form(s, r.entity, r.asked),
    ("set", f"{{{OWNER}}}configure"): lambda s, r: owning.configure(s, r.entity, r.asked),
    ("get", f"{{{OWNER}}}default"): lambda s, r: owning.default_form(s, r.asked),
    ("set", f"{{{OWNER}}}purge"): lambda s, r: owning.purge(s, r.entity, r.asked),
    ("set", f"{{{OWNER}}}delete"): lambda s, r: owning.delete(s, r.entity, r.asked),
    ("get", f"{{{OWNER}}}subscriptions"): lambda s, r: owning.subscriptions(s, r.entity, r.asked, r.pubsub),
    ("set", f"{{{OWNER}}}subscriptions"): lambda s, r: owning.set_subscriptions(s, r.iq, r.entity, r.asked),
    ("get", f"{{{OWNER}}}affiliations"): lambda s, r: owning.affiliations(s, r.entity, r.asked, r.pubsub),
    ("set", f"{{{OWNER}}}affiliations"): lambda s, r: owning.set_affiliations(s, r.iq, r.entity, r.asked),
}
