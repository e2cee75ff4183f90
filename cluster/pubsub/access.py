"""Who may do what at a node: affiliations (XEP-0060 section 4.1), access models (4.5) and publish models."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.pubsub.errors import forbidden, refusal
from cluster.pubsub.service import PubsubService
from cluster.store.pubsub import Node, Party
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, ErrorType, StanzaError
from cluster.xmpp.jid import Jid


def check_owner(node: Node, entity: Jid) -> None:
    """Raise StanzaError unless the entity owns the node."""
    if node.affiliation_of(entity) != "owner":
        raise forbidden("only an owner of the node may do this")


def check_publisher(node: Node, entity: Jid) -> None:
    """Raise StanzaError unless the entity may publish (section 7.1.3.1)."""
    affiliation = node.affiliation_of(entity)
    if affiliation in ("owner", "publisher", "publish-only"):
        return
    model = node.config.publish_model
    may = model == "open" or (model == "subscribers" and node.is_subscribed(entity))
    if affiliation == "outcast" or not may:
        raise forbidden("the publish model and the affiliations of this node do not let the sender publish")


def may_read(service: PubsubService, node: Node, entity: Jid) -> bool:
    """Whether the entity may have the items of the node, by a request or a notification."""
    try:
        check_reader(service, node, entity)
    except StanzaError:
        return False
    return True


def check_reader(service: PubsubService, node: Node, entity: Jid) -> None:
    """Raise StanzaError unless the entity may retrieve items (section 6.5.9)."""
    if not is_admitted(service, node, entity) and not node.is_subscribed(entity):
        text = "only subscribers may have the items of this node"
        raise refusal(Condition.NOT_AUTHORIZED, "not-subscribed", text)


def is_admitted(service: PubsubService, node: Node, entity: Jid) -> bool:
    """Whether the entity may subscribe at once; if not, an owner has to approve it.

    Raises StanzaError if the entity may not subscribe at all (section 6.1.3).
    """
    affiliation = node.affiliation_of(entity)
    if affiliation in ("outcast", "publish-only"):
        raise forbidden("the owner of the node does not allow this")
    if affiliation in ("owner", "publisher", "member"):
        return True
    match node.config.access_model:
        case "authorize":
            return False
        case "whitelist":
            raise refusal(Condition.NOT_ALLOWED, "closed-node", "the node is for those on its list")
        case "presence" if not service.sees_presence(entity):
            text = "the node is for those who are subscribed to its owner's presence"
            raise refusal(Condition.NOT_AUTHORIZED, "presence-subscription-required", text, ErrorType.AUTH)
        case "roster" if not _is_in_group(service, node, entity):
            text = "the node is for other groups of the roster"
            raise refusal(Condition.NOT_AUTHORIZED, "not-in-roster-group", text, ErrorType.AUTH)
        case _:
            return True


def _is_in_group(service: PubsubService, node: Node, entity: Jid) -> bool:
    return service.sees_presence(entity) and service.is_in_group(entity, node.config.roster_groups_allowed)


def one_of(subscriptions: Sequence[Party], asked: Element) -> Party:
    """The one of a JID's subscriptions that a request means. Raises StanzaError."""
    subid = asked.get("subid")
    if subid is None and len(subscriptions) > 1:
        raise refusal(Condition.BAD_REQUEST, "subid-required", "say which of your subscriptions, by its subid")
    for party in subscriptions:
        if subid in (None, party.subid):
            return party
    raise refusal(Condition.NOT_ACCEPTABLE, "invalid-subid", f"there is no subscription {subid}")


def check_subid(node: Node, entity: Jid, asked: Element) -> None:
    """Raise StanzaError unless the request says by which of its subscriptions the entity asks, if it has several
    (sections 6.5.9.1 and 6.5.9.2)."""
    of_each = [found for jid in dict.fromkeys((entity, entity.bare)) if (found := node.subscriptions_of(jid))]
    if "subid" in asked.attrib:
        of_each = [[party for found in of_each for party in found]] if of_each else []
    for found in of_each:
        one_of(found, asked)
