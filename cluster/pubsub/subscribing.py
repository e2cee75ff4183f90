"""What subscribers do (XEP-0060 sections 5.6, 5.7, 6.1 to 6.4), and how owners let them in (8.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from twisted.internet.defer import Deferred

from cluster.pubsub import configuration
from cluster.pubsub.access import check_owner, is_admitted
from cluster.pubsub.errors import PUBSUB, forbidden, refusal
from cluster.pubsub.retrieving import last_events
from cluster.pubsub.service import PubsubService
from cluster.store.pubsub import Node, Party, SubscriptionState
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, ErrorType, StanzaError
from cluster.xmpp.extensions import data_form
from cluster.xmpp.extensions.data_form import DATA
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza, make

SUBSCRIBE_OPTIONS = f"{PUBSUB}#subscribe_options"
AUTHORIZATION = f"{PUBSUB}#subscribe_authorization"
MAX_OF_ENTITY = 100
"""Subscriptions of one entity to one node, by its full JIDs; else one could use up what is for all."""
_OPTIONS = f"{{{PUBSUB}}}options"


async def subscribe(service: PubsubService, entity: Jid, asked: Element, pubsub: Element) -> Element:
    """Make a subscription; `<pubsub>` with its state (section 6.1). Raises StanzaError."""
    node, jid = service.node(asked.get("node", "")), own_jid(asked, entity)
    if jid is None:
        raise refusal(Condition.BAD_REQUEST, "invalid-jid", "nobody subscribes for somebody else")
    is_at_once = is_admitted(service, node, entity)
    options = pubsub.find(_OPTIONS)
    if options is not None and ("node" in options.attrib or "jid" in options.attrib):  # section 6.3.7
        raise StanzaError(Condition.BAD_REQUEST, "these options are those of the subscription beside them")
    before = node.parties.get(jid) or Party(jid)
    if before.subscription == "pending" and not is_at_once:
        raise refusal(Condition.NOT_AUTHORIZED, "pending-subscription", "an owner has not approved it yet")
    if before.subscription == "subscribed":
        return _answer(node, before, options)
    if jid not in node.parties:
        _check_room(service, node, jid)
    state: SubscriptionState = "subscribed" if is_at_once else "pending"
    party = msgspec.structs.replace(before, subscription=state, deliver=_deliver(options, True))
    await service.put_party(node, party)
    if is_at_once:
        await tell_owners(service, node, party)
        await _send_last(service, node, jid)
    else:
        await ask_owners(service, node, jid)
    return _answer(node, party, options)


def _check_room(service: PubsubService, node: Node, jid: Jid) -> None:
    """Raise StanzaError where there is no room for one more subscription (section 6.1.3.9)."""
    service.check_parties()
    if jid.resourcepart and sum(each.bare == jid.bare for each in node.parties) >= MAX_OF_ENTITY:
        text = f"at most {MAX_OF_ENTITY} subscriptions of one entity are kept at a node"
        raise refusal(Condition.POLICY_VIOLATION, "too-many-subscriptions", text)


def own_jid(asked: Element, entity: Jid) -> Jid | None:
    """The JID in a request, None where it is no JID or somebody else's (section 6.1.3.1)."""
    try:
        jid = Jid.parse(asked.get("jid", ""))
    except JidError:
        return None
    return jid if jid.bare == entity.bare else None


def _answer(node: Node, party: Party, options: Element | None) -> Element:
    answer = Element(f"{{{PUBSUB}}}pubsub")
    answer.append(subscription_element(node.name, party))
    if options is not None:  # section 6.3.7
        SubElement(answer, _OPTIONS).append(_options_form("result", party.deliver))
    return answer


def subscription_element(node: str, party: Party) -> Element:
    """A subscription as its subscriber is told of it."""
    return Element(f"{{{PUBSUB}}}subscription", node=node, jid=str(party.jid), subscription=party.subscription)


async def _send_last(service: PubsubService, node: Node, jid: Jid) -> None:
    """Section 6.1.7."""
    if node.config.send_last_published_item == "never" or not node.config.persist_items:
        return
    for event in await last_events(service, [node]):
        settled = service.send(event, [jid])
        if settled is not None:
            await settled


async def tell_owners(service: PubsubService, node: Node, party: Party) -> None:
    """Whoever has the node hears who subscribes and unsubscribes, where it wants to (`pubsub#notify_sub`)."""
    if node.config.notify_sub:
        about = (node.name, node.config, party.jid, party.subscription)
        settled = service.send(service.events.subscription(service.new_id(), *about), node.owners)
        if settled is not None:
            await settled


async def tell_state(service: PubsubService, node: Node, jid: Jid, state: SubscriptionState) -> None:
    """A subscriber hears that its subscription is another now (section 12.14)."""
    event = service.events.subscription(service.new_id(), node.name, node.config, jid, state)
    settled = service.send(event, [jid])
    if settled is not None:
        await settled


async def unsubscribe(service: PubsubService, entity: Jid, asked: Element) -> Element:
    """End a subscription (section 6.2). Raises StanzaError."""
    node, party = _subscription(service, entity, asked)
    ended = msgspec.structs.replace(party, subscription="none", deliver=True)
    await service.put_party(node, ended)
    await tell_owners(service, node, ended)
    answer = Element(f"{{{PUBSUB}}}pubsub")
    answer.append(subscription_element(node.name, ended))
    return answer


def _subscription(service: PubsubService, entity: Jid, asked: Element) -> tuple[Node, Party]:
    """The node and the subscription that a request is about (sections 6.2.3 and 6.3.4)."""
    node = service.node(asked.get("node", ""))
    if not asked.get("jid"):
        raise refusal(Condition.BAD_REQUEST, "jid-required", "say which JID is subscribed")
    jid = own_jid(asked, entity)
    if jid is None:
        raise forbidden("this is somebody else's subscription")
    if node.subscription_of(jid) == "none":
        text = f"{jid} is not subscribed"
        raise refusal(Condition.UNEXPECTED_REQUEST, "not-subscribed", text, ErrorType.CANCEL)
    return node, node.parties[jid]


# --- options


def options(service: PubsubService, entity: Jid, asked: Element) -> Element:
    """The options of a subscription, as a form (section 6.3.3)."""
    node, party = _subscription(service, entity, asked)
    answer = Element(f"{{{PUBSUB}}}pubsub")
    shown = SubElement(answer, _OPTIONS, node=node.name, jid=str(party.jid))
    shown.append(_options_form("form", party.deliver))
    return answer


async def set_options(service: PubsubService, entity: Jid, asked: Element) -> None:
    """Change them (section 6.3.5)."""
    node, party = _subscription(service, entity, asked)
    changed = msgspec.structs.replace(party, deliver=_deliver(asked, party.deliver))
    await service.put_party(node, changed)


def default_options(service: PubsubService, asked: Element) -> Element:
    """The options of a new subscription, at a node or at all (section 6.4)."""
    name = asked.get("node")
    if name:
        service.node(name)
    answer = Element(f"{{{PUBSUB}}}pubsub")
    shown = SubElement(answer, f"{{{PUBSUB}}}default", {"node": name} if name else {})
    shown.append(_options_form("form", True))
    return answer


def _options_form(kind: str, deliver: bool) -> Element:
    form = data_form.new(kind, SUBSCRIBE_OPTIONS)
    is_form = kind == "form"
    label = "Whether to be told of what is published" if is_form else ""
    data_form.add(form, "pubsub#deliver", "boolean" if is_form else "", ["1" if deliver else "0"], label)
    return form


def _deliver(options: Element | None, before: bool) -> bool:
    values = configuration.read_form(options, SUBSCRIBE_OPTIONS)
    if values is None:
        return before
    unknown = sorted(values.keys() - {"pubsub#deliver"})
    if unknown:
        text = f"the option is pubsub#deliver, not {', '.join(unknown)}"
        raise refusal(Condition.BAD_REQUEST, "invalid-options", text)
    try:
        return configuration.read_boolean(values.get("pubsub#deliver", ["1" if before else "0"]))
    except ValueError as error:
        raise refusal(Condition.BAD_REQUEST, "invalid-options", f"pubsub#deliver {error}") from None


# --- lists of one's own


def subscriptions(service: PubsubService, entity: Jid, asked: Element) -> Element:
    """All subscriptions of the bare JID, or those to one node (section 5.6)."""
    answer = Element(f"{{{PUBSUB}}}pubsub")
    listed = SubElement(answer, asked.tag, dict(asked.attrib))
    for node in _nodes(service, asked):
        for party in node.parties.values():
            if party.subscription != "none" and party.jid.bare == entity.bare:
                listed.append(subscription_element(node.name, party))
    return answer


def affiliations(service: PubsubService, entity: Jid, asked: Element) -> Element:
    """All affiliations of the bare JID, or that with one node (section 5.7)."""
    answer = Element(f"{{{PUBSUB}}}pubsub")
    listed = SubElement(answer, asked.tag, dict(asked.attrib))
    for node in _nodes(service, asked):
        affiliation = node.affiliation_of(entity)
        if affiliation != "none":
            SubElement(listed, f"{{{PUBSUB}}}affiliation", node=node.name, affiliation=affiliation)
    return answer


def _nodes(service: PubsubService, asked: Element) -> Sequence[Node]:
    name = asked.get("node")
    return [service.node(name)] if name else [*service.nodes.values()]


# --- what an owner has to approve


async def ask_owners(service: PubsubService, node: Node, jid: Jid) -> None:
    """Ask all owners to approve a subscription (section 8.6); the first answer counts."""
    form = data_form.new("form", AUTHORIZATION, "Shall this entity be subscribed to the node?")
    data_form.add(form, "pubsub#node", "text-single", [node.name], "Node")
    data_form.add(form, "pubsub#subscriber_jid", "jid-single", [str(jid)], "Subscriber")
    data_form.add(form, "pubsub#allow", "boolean", ["0"], "Allow it")
    body = Element(f"{{{CLIENT}}}body")
    body.text = f"{jid} asks to be subscribed to the node {node.name}."
    question = make("message", from_=service.jid, id=service.new_id(), payload=[form, body])
    settled = service.send(question, node.owners)
    if settled is not None:
        await settled


def is_authorization(message: Stanza) -> bool:
    """An owner answers such a question."""
    if f"{DATA} x" not in message.payloads or message.type == "error":
        return False
    form = message.tree.find(f"{{{DATA}}}x")
    return form is not None and data_form.values(form).get("FORM_TYPE") == [AUTHORIZATION]


async def authorize(service: PubsubService, message: Stanza) -> None:
    """What an owner says; nothing comes of a form that is cancelled. Raises StanzaError."""
    assert message.from_ is not None
    values = configuration.read_form(message.tree, AUTHORIZATION)
    if values is None:
        return
    node, jid = _asked_about(service, values)
    check_owner(node, message.from_)
    try:
        is_allowed = configuration.read_boolean(values.get("pubsub#allow", []))
    except ValueError as error:
        raise StanzaError(Condition.BAD_REQUEST, f"pubsub#allow {error}") from None
    if node.subscription_of(jid) == "pending":  # else another owner was quicker, or nobody waits any more
        await set_subscription(service, node, jid, "subscribed" if is_allowed else "none")


def _asked_about(service: PubsubService, values: Mapping[str, Sequence[str]]) -> tuple[Node, Jid]:
    node = service.node("".join(values.get("pubsub#node", [])))
    try:
        return node, Jid.parse("".join(values.get("pubsub#subscriber_jid", [])))
    except JidError as error:
        raise StanzaError(Condition.JID_MALFORMED, str(error)) from None


async def set_subscription(service: PubsubService, node: Node, jid: Jid, state: SubscriptionState) -> None:
    """An owner decides (sections 8.6 and 8.8.2); the subscriber hears of it."""
    before = node.parties.get(jid) or Party(jid)
    if before.subscription == state:
        return
    if jid not in node.parties:
        service.check_parties()
    await service.put_party(node, msgspec.structs.replace(before, subscription=state))
    await tell_state(service, node, jid, state)
    if state == "subscribed":
        await _send_last(service, node, jid)


def cancel(service: PubsubService, node: Node, jids: Sequence[Jid]) -> Deferred[None]:
    """These may not be subscribed any more, or nobody is there (sections 12.4 and 12.14)."""

    async def end() -> None:
        for jid in jids:
            if node.subscription_of(jid) != "none":
                await set_subscription(service, node, jid, "none")

    return Deferred.fromCoroutine(end())
