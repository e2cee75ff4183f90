"""What subscribers do (XEP-0060 sections 5.6, 5.7, 6.1 to 6.4), and how owners approve them (8.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cluster.base.settled import until_settled
from cluster.base.storage import log_failed
from cluster.pubsub import configuration
from cluster.pubsub.access import check_owner, is_admitted, one_of
from cluster.pubsub.errors import PUBSUB, forbidden, refusal
from cluster.pubsub.retrieving import last_events
from cluster.pubsub.service import PubsubService
from cluster.pubsub.subscription_options import options_form, with_options
from cluster.store.pubsub import Node, Party, SubscriptionState
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, ErrorType, StanzaError
from cluster.xmpp.extensions import data_form
from cluster.xmpp.extensions.data_form import DATA
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza, make

_log = Logger()

AUTHORIZATION = f"{PUBSUB}#subscribe_authorization"
MAX_OF_ENTITY = 100
"""Subscriptions of one entity to one node, of all its JIDs: it must not use up the room for all."""
_OPTIONS = f"{{{PUBSUB}}}options"


async def subscribe(service: PubsubService, entity: Jid, asked: Element, pubsub: Element) -> Element:
    """Subscribe (section 6.1); the answer has the state. Raises StanzaError.

    Clients repeat the request. So who is subscribed gets a further subscription for options that none of its
    subscriptions has (section 6.1.6), and else the state of one.
    """
    node, jid = service.node(asked.get("node", "")), own_jid(asked, entity)
    if jid is None:
        raise refusal(Condition.BAD_REQUEST, "invalid-jid", "nobody subscribes for somebody else")
    is_at_once = is_admitted(service, node, entity)
    options = pubsub.find(_OPTIONS)
    if options is not None and ("node" in options.attrib or "jid" in options.attrib):  # section 6.3.7
        raise StanzaError(
            Condition.BAD_REQUEST, "these options belong to <subscribe>, which names the node and the JID"
        )
    before = node.subscriptions_of(jid)
    is_subscribed = node.subscription_of(jid) == "subscribed"
    if before and not is_subscribed and not is_at_once:
        raise refusal(Condition.NOT_AUTHORIZED, "pending-subscription", "an owner has not approved it yet")
    if is_subscribed:
        party = with_options(service, options, Party(jid, subscription="subscribed", subid=service.new_id()))
        if (same := _alike(before, party, options)) is not None:
            return _answer(node, same, options)
    else:
        state: SubscriptionState = "subscribed" if is_at_once else "pending"
        present = msgspec.structs.replace(node.parties.get(jid) or Party(jid), subscription=state, deliver=True)
        party = with_options(service, options, present)
    if is_subscribed or jid not in node.parties:
        _check_room(service, node, jid)
    await service.put_party(node, party)
    if party.subscription == "subscribed":
        await tell_owners(service, node, party)
        await _send_last(service, node, jid)
    else:
        await ask_owners(service, node, jid)
    return _answer(node, party, options)


def _alike(subscriptions: Sequence[Party], wanted: Party, options: Element | None) -> Party | None:
    """The subscription that has these options already; any where none are given."""
    if options is None:
        return subscriptions[0]
    asked = wanted.deliver, wanted.ends_utc_s
    return next((party for party in subscriptions if (party.deliver, party.ends_utc_s) == asked), None)


def _check_room(service: PubsubService, node: Node, jid: Jid) -> None:
    """Raise StanzaError where there is no room for one more subscription (section 6.1.3.9)."""
    service.check_parties()
    if sum(party.jid.bare == jid.bare for party in node.subscriptions) >= MAX_OF_ENTITY:
        text = f"at most {MAX_OF_ENTITY} subscriptions of one entity are kept at a node"
        raise refusal(Condition.POLICY_VIOLATION, "too-many-subscriptions", text)


def own_jid(asked: Element, entity: Jid) -> Jid | None:
    """The JID in a request, None if it is invalid or somebody else's (section 6.1.3.1)."""
    try:
        jid = Jid.parse(asked.get("jid", ""))
    except JidError:
        return None
    return jid if jid.bare == entity.bare else None


def _answer(node: Node, party: Party, options: Element | None) -> Element:
    answer = Element(f"{{{PUBSUB}}}pubsub")
    answer.append(subscription_element(node.name, party))
    if options is not None:  # section 6.3.7
        SubElement(answer, _OPTIONS).append(options_form("result", party))
    return answer


def subscription_element(node: str, party: Party) -> Element:
    """A subscription as its subscriber is told of it."""
    about = {"node": node, "jid": str(party.jid), "subscription": party.subscription, "subid": party.subid}
    return Element(f"{{{PUBSUB}}}subscription", about)


async def _send_last(service: PubsubService, node: Node, jid: Jid) -> None:
    """Send the last item to a new subscriber (section 6.1.7)."""
    if node.config.send_last_published_item == "never" or not node.config.persist_items:
        return
    for event in await last_events(service, [node]):
        await until_settled(service.send(event, [jid]))


async def tell_owners(service: PubsubService, node: Node, party: Party) -> None:
    """Tell the owners who subscribes and unsubscribes, if the node is configured so (`pubsub#notify_sub`)."""
    if node.config.notify_sub:
        event = service.events.subscription(service.new_id(), node.name, node.config, party)
        await until_settled(service.send(event, node.owners))


async def tell_state(service: PubsubService, node: Node, party: Party) -> None:
    """Tell a subscriber the new state of its subscription (section 12.14)."""
    event = service.events.subscription(service.new_id(), node.name, node.config, party)
    await until_settled(service.send(event, [party.jid]))


async def unsubscribe(service: PubsubService, entity: Jid, asked: Element) -> Element:
    """End a subscription (section 6.2). Raises StanzaError."""
    node, party = _subscription(service, entity, asked)
    ended = msgspec.structs.replace(party, subscription="none", deliver=True, ends_utc_s=0.0)
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
    return node, one_of(node.subscriptions_of(jid), asked)


# --- options


def options(service: PubsubService, entity: Jid, asked: Element) -> Element:
    """The options of a subscription, as a form (section 6.3.3)."""
    node, party = _subscription(service, entity, asked)
    answer = Element(f"{{{PUBSUB}}}pubsub")
    shown = SubElement(answer, _OPTIONS, node=node.name, jid=str(party.jid), subid=party.subid)
    shown.append(options_form("form", party))
    return answer


async def set_options(service: PubsubService, entity: Jid, asked: Element) -> None:
    """Change the options of a subscription (section 6.3.5)."""
    node, party = _subscription(service, entity, asked)
    await service.put_party(node, with_options(service, asked, party))


def default_options(service: PubsubService, asked: Element) -> Element:
    """The options of a new subscription, to one node or to any (section 6.4)."""
    name = asked.get("node")
    if name:
        service.node(name)
    answer = Element(f"{{{PUBSUB}}}pubsub")
    shown = SubElement(answer, f"{{{PUBSUB}}}default", {"node": name} if name else {})
    shown.append(options_form("form", Party(service.jid)))
    return answer


# --- lists of one's own


def subscriptions(service: PubsubService, entity: Jid, asked: Element) -> Element:
    """All subscriptions of the bare JID, or those to one node (section 5.6)."""
    answer = Element(f"{{{PUBSUB}}}pubsub")
    listed = SubElement(answer, asked.tag, dict(asked.attrib))
    for node in _nodes(service, asked):
        for party in node.subscriptions:
            if party.jid.bare == entity.bare:
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
    return [service.node(name)] if name else [service.node(each) for each in service.nodes]


# --- what an owner has to approve


async def ask_owners(service: PubsubService, node: Node, jid: Jid) -> None:
    """Ask all owners to approve a subscription (section 8.6); the first answer counts."""
    await until_settled(service.send(question(service, node, jid), node.owners))


def question(service: PubsubService, node: Node, jid: Jid) -> Stanza:
    """The request to approve a subscription, without a receiver."""
    form = data_form.new("form", AUTHORIZATION, "Shall this entity be subscribed to the node?")
    data_form.add(form, "pubsub#node", "text-single", [node.name], "Node")
    data_form.add(form, "pubsub#subscriber_jid", "jid-single", [str(jid)], "Subscriber")
    data_form.add(form, "pubsub#allow", "boolean", ["0"], "Allow it")
    body = Element(f"{{{CLIENT}}}body")
    body.text = f"{jid} asks to be subscribed to the node {node.name}."
    return make("message", from_=service.jid, id=service.new_id(), payload=[form, body])


def is_authorization(message: Stanza) -> bool:
    """Whether the message is an owner's answer to such a question."""
    if f"{DATA} x" not in message.payloads or message.type == "error":
        return False
    form = message.tree.find(f"{{{DATA}}}x")
    return form is not None and data_form.values(form).get("FORM_TYPE") == [AUTHORIZATION]


async def authorize(service: PubsubService, message: Stanza) -> None:
    """Apply an owner's answer; a cancelled form changes nothing. Raises StanzaError."""
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


async def set_subscription(
    service: PubsubService, node: Node, jid: Jid, state: SubscriptionState, subid: str = ""
) -> None:
    """Set a subscription, as an owner decides (sections 8.6 and 8.8.2), and tell the subscriber; without a SubID, all
    that the JID has. Raises StanzaError."""
    of_jid = node.subscriptions_of(jid)
    if not of_jid and jid not in node.parties:
        service.check_parties()
    chosen = [party for party in of_jid if subid in ("", party.subid)]
    if subid and of_jid and not chosen:
        raise refusal(Condition.NOT_ACCEPTABLE, "invalid-subid", f"{jid} has no subscription {subid}")
    for before in chosen or [node.parties.get(jid) or Party(jid)]:
        if before.subscription == state:
            continue
        ends_utc_s = 0.0 if state == "none" else before.ends_utc_s
        party = msgspec.structs.replace(before, subscription=state, ends_utc_s=ends_utc_s)
        await service.put_party(node, party)
        await tell_state(service, node, party)
        if state == "subscribed":
            await _send_last(service, node, jid)


def cancel_logged(service: PubsubService, node: Node, jids: Sequence[Jid]) -> None:
    """As `cancel`, where the notification that found them does not wait for it; a failure is logged."""
    cancelled = cancel(service, node, jids)
    cancelled.addErrback(partial(log_failed, _log, f"Ending subscriptions of {node.name}"))


def cancel(service: PubsubService, node: Node, jids: Sequence[Jid]) -> Deferred[None]:
    """End the subscriptions of those who may not read any more or do not exist (sections 12.4 and 12.14)."""

    async def end() -> None:
        for jid in jids:
            if node.subscription_of(jid) != "none":
                await set_subscription(service, node, jid, "none")

    return Deferred.fromCoroutine(end())
