"""What owners do with a node (XEP-0060 section 8): create, configure, purge and delete it, and set affiliations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import get_args

import msgspec

from cluster.base.settled import until_settled
from cluster.pubsub import configuration
from cluster.pubsub.access import check_owner
from cluster.pubsub.configuration import NODE_CONFIG
from cluster.pubsub.errors import OWNER, PUBSUB, forbidden, refusal, unsupported
from cluster.pubsub.publishing import check_name
from cluster.pubsub.service import Change, PubsubService
from cluster.pubsub.subscribing import set_subscription
from cluster.store.pubsub import AffiliationName, Node, Party
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions import rsm
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.stanza import Stanza

MAX_LISTED = 2_500
"""Subscriptions or affiliations in one answer: more elements and attributes are not carried to another domain."""
_CONFIGURE = f"{{{PUBSUB}}}configure"
_AFFILIATIONS = get_args(AffiliationName)
_SETTABLE_STATES = ("none", "subscribed", "pending")


async def create(service: PubsubService, entity: Jid, asked: Element, pubsub: Element) -> Element | None:
    """Create a node (section 8.1); the answer has its name if the request gives none. Raises StanzaError."""
    configure = pubsub.find(_CONFIGURE)
    if configure is not None and ("node" in configure.attrib or [*pubsub].index(configure) < [*pubsub].index(asked)):
        raise StanzaError(Condition.BAD_REQUEST, "<configure> comes after <create>, which names the node")
    if not service.may_create(entity):
        raise forbidden("only the account itself, or whom the service's `creation` allows, may create nodes here")
    name = asked.get("node", "")
    check_name(name)
    if name in service.nodes:
        raise StanzaError(Condition.CONFLICT, f"there is a node {name}")
    values = configuration.read_form(configure, NODE_CONFIG) or {}
    config = configuration.changed(service.defaults, values, service.access_models)
    node, kept = service.create(name or service.new_id(), config, entity)
    await kept
    if name:
        return None
    answer = Element(f"{{{PUBSUB}}}pubsub")
    SubElement(answer, f"{{{PUBSUB}}}create", node=node.name)
    return answer


def owned(service: PubsubService, entity: Jid, asked: Element) -> Node:
    """The node of a request that only its owners may make. Raises StanzaError."""
    name = asked.get("node", "")
    if not name:
        raise refusal(Condition.BAD_REQUEST, "nodeid-required", "say which node")
    node = service.node(name)
    check_owner(node, entity)
    return node


def configuration_form(service: PubsubService, entity: Jid, asked: Element) -> Element:
    """The form to configure a node (section 8.2.2)."""
    node = owned(service, entity, asked)
    answer = Element(f"{{{OWNER}}}pubsub")
    shown = SubElement(answer, f"{{{OWNER}}}configure", node=node.name)
    shown.append(configuration.form("form", NODE_CONFIG, node.config, service.access_models))
    return answer


def default_form(service: PubsubService, asked: Element) -> Element:
    """The configuration of a new node (section 8.3)."""
    if asked.get("type", "leaf") != "leaf":
        raise unsupported("collections", "nodes are leaf nodes")
    answer = Element(f"{{{OWNER}}}pubsub")
    shown = SubElement(answer, f"{{{OWNER}}}default")
    shown.append(configuration.form("form", NODE_CONFIG, service.defaults, service.access_models))
    return answer


async def configure(service: PubsubService, entity: Jid, asked: Element) -> None:
    """Change the configuration (section 8.2.4)."""
    node = owned(service, entity, asked)
    values = configuration.read_form(asked, NODE_CONFIG)
    if values is None:
        return
    config = configuration.changed(node.config, values, service.access_models)
    await service.configure(node, config)
    if config.notify_config:
        form = None
        if config.deliver_payloads:
            form = configuration.form("result", NODE_CONFIG, config, service.access_models)
        await until_settled(service.tell(node, service.events.configured(service.new_id(), node.name, config, form)))


async def purge(service: PubsubService, entity: Jid, asked: Element) -> None:
    """Remove all items (section 8.5)."""
    node = owned(service, entity, asked)
    if not node.config.persist_items:
        raise unsupported("persistent-items", "the node keeps no items")
    await service.store.purge(service.owner, node.name)
    if node.config.notify_retract:
        await until_settled(service.tell(node, service.events.purged(service.new_id(), node.name, node.config)))
    await service.changed(Change(node.name, by=entity))


async def delete(service: PubsubService, entity: Jid, asked: Element) -> None:
    """Delete a node (section 8.4); those whose subscriptions are pending are told too."""
    node = owned(service, entity, asked)
    redirect = asked.find(f"{{{OWNER}}}redirect")
    uri = "" if redirect is None else redirect.get("uri", "")
    await service.delete(node)
    if node.config.notify_delete:
        event = service.events.deleted(service.new_id(), node.name, node.config, uri)
        await until_settled(service.tell(node, event))
        waiting = [party.jid for party in node.parties.values() if party.subscription == "pending"]
        await until_settled(service.send(event, waiting))
    await service.changed(Change(node.name, by=entity))


# --- subscriptions and affiliations of others


def subscriptions(service: PubsubService, entity: Jid, asked: Element, pubsub: Element) -> Element:
    """The subscriptions to a node except pending ones (section 8.8.1), or the page of them that is asked for."""
    node = owned(service, entity, asked)
    listed = {
        f"{party.jid} {party.subid}": {"jid": str(party.jid), "subscription": "subscribed", "subid": party.subid}
        for party in node.subscriptions
        if party.subscription == "subscribed"
    }
    return _listed(node, "subscription", listed, pubsub)


def affiliations(service: PubsubService, entity: Jid, asked: Element, pubsub: Element) -> Element:
    """The affiliations with a node (section 8.9.1), or the page of them that is asked for."""
    node = owned(service, entity, asked)
    listed = {
        str(party.jid): {"jid": str(party.jid), "affiliation": party.affiliation}
        for party in node.parties.values()
        if party.affiliation != "none"
    }
    return _listed(node, "affiliation", listed, pubsub)


def _listed(node: Node, what: str, entries: Mapping[str, dict[str, str]], pubsub: Element) -> Element:
    """The list of these entries, by their ids. A long one is cut and says so, as lists of items are (section 6.5.4,
    XEP-0059)."""
    page, ids = rsm.read(pubsub, MAX_LISTED), [*entries]
    shown = rsm.places(ids, page or rsm.PageRequest(MAX_LISTED))
    answer = Element(f"{{{OWNER}}}pubsub")
    listed = SubElement(answer, f"{{{OWNER}}}{what}s", node=node.name)
    for id in ids[shown.start : shown.stop]:
        SubElement(listed, f"{{{OWNER}}}{what}", entries[id])
    if page is not None or len(shown) < len(ids):
        answer.append(rsm.tell(ids[shown.start : shown.stop], shown.start, len(ids)))
    return answer


async def set_subscriptions(service: PubsubService, iq: Stanza, entity: Jid, asked: Element) -> Stanza:
    """Change some subscriptions (section 8.8.2)."""
    node = owned(service, entity, asked)

    async def change(each: Element, jid: Jid, state: str) -> None:
        if state not in _SETTABLE_STATES:
            raise StanzaError(Condition.NOT_ACCEPTABLE, f"a subscription is one of {', '.join(_SETTABLE_STATES)}")
        await set_subscription(service, node, jid, state, each.get("subid", ""))  # type: ignore[arg-type]  # checked

    return await _change_each(iq, asked, "subscription", change, node.subscription_of)


async def set_affiliations(service: PubsubService, iq: Stanza, entity: Jid, asked: Element) -> Stanza:
    """Change some affiliations (section 8.9.2)."""
    node = owned(service, entity, asked)

    async def change(each: Element, jid: Jid, affiliation: str) -> None:
        if affiliation not in _AFFILIATIONS:
            raise StanzaError(Condition.NOT_ACCEPTABLE, f"an affiliation is one of {', '.join(_AFFILIATIONS)}")
        await _set_affiliation(service, node, jid.bare, affiliation)  # type: ignore[arg-type]  # checked

    jids = [each.get("jid", "") for each in asked]
    if len(set(jids)) < len(jids):  # section 8.9.2.4
        raise StanzaError(Condition.BAD_REQUEST, "name each entity once")
    return await _change_each(iq, asked, "affiliation", change, node.affiliation_of)


async def _change_each(
    iq: Stanza,
    asked: Element,
    what: str,
    change: Callable[[Element, Jid, str], Awaitable[None]],
    now: Callable[[Jid], str],
) -> Stanza:
    """Make the changes that are possible; an error lists the others as they still are (sections 8.8.2.4, 8.9.2.4)."""
    refused: list[Element] = []
    error: StanzaError | None = None
    for each in asked:
        wanted = each.get(what)
        if wanted is None:
            continue
        try:
            jid = Jid.parse(each.get("jid", ""))
        except JidError as wrong:
            refused.append(each)
            error = error or StanzaError(Condition.NOT_ACCEPTABLE, str(wrong))
            continue
        try:
            await change(each, jid, wanted)
        except StanzaError as refusal:
            each.set(what, now(jid))
            refused.append(each)
            error = error or refusal
    if error is None:
        return iq.reply()
    tree = iq.tree
    [listed] = tree[0]
    listed[:] = refused
    return msgspec.structs.replace(iq, raw=xml.serialize(tree)).error(error)


async def _set_affiliation(service: PubsubService, node: Node, jid: Jid, affiliation: AffiliationName) -> None:
    """Set an affiliation: it approves a pending subscription, and `outcast` ends subscriptions (section 8.7.4)."""
    before = node.parties.get(jid) or Party(jid)
    if before.affiliation == affiliation:
        return
    if before.affiliation == "owner" and len(node.owners) == 1:
        raise StanzaError(Condition.NOT_ACCEPTABLE, "a node has at least one owner")
    if jid not in node.parties:
        service.check_parties()
    await service.put_party(node, msgspec.structs.replace(before, affiliation=affiliation))
    event = service.events.affiliation(service.new_id(), node.name, node.config, jid, affiliation)
    await until_settled(service.send(event, [jid]))
    for party in [each for each in node.parties.values() if each.jid.bare == jid]:
        if affiliation == "outcast":
            await set_subscription(service, node, party.jid, "none")
        elif affiliation != "none" and party.subscription == "pending":
            await set_subscription(service, node, party.jid, "subscribed")
