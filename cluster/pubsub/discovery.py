"""What a publish-subscribe service and its nodes say of themselves (XEP-0060 sections 5.1 to 5.5)."""

from __future__ import annotations

from cluster.host.disco import INFO
from cluster.pubsub import configuration
from cluster.pubsub.access import check_reader, is_admitted
from cluster.pubsub.errors import PUBSUB
from cluster.pubsub.retrieving import read_page
from cluster.pubsub.service import PubsubService
from cluster.store.pubsub import Node, PageQuery
from cluster.xmpp import timestamp
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import StanzaError
from cluster.xmpp.extensions import data_form
from cluster.xmpp.jid import Jid

META_DATA = f"{PUBSUB}#meta-data"
FEATURES = frozenset(
    f"{PUBSUB}#{name}"
    for name in (
        "auto-create", "config-node", "config-node-max", "create-and-configure", "create-nodes", "delete-items",
        "delete-nodes", "get-pending", "instant-nodes", "item-ids", "last-published", "leased-subscription",
        "manage-subscriptions", "member-affiliation", "meta-data", "modify-affiliations", "multi-items",
        "multi-subscribe", "outcast-affiliation", "persistent-items", "publish", "publish-node-full",
        "publish-only-affiliation", "publish-options", "publisher-affiliation", "purge-nodes", "retract-items",
        "retrieve-affiliations", "retrieve-default", "retrieve-default-sub", "retrieve-items",
        "retrieve-subscriptions", "rsm", "subscribe", "subscription-notifications", "subscription-options",
    )
) | {PUBSUB}  # fmt: skip
"""Features of both kinds of services (section 10)."""


def visible(service: PubsubService, entity: Jid) -> list[Node]:
    """The nodes to which the entity could subscribe (section 5.2; XEP-0163 section 6.2)."""
    return [node for node in service.nodes.values() if _could_subscribe(service, node, entity)]


def _could_subscribe(service: PubsubService, node: Node, entity: Jid) -> bool:
    try:
        is_admitted(service, node, entity)
    except StanzaError:
        return False
    return True


def describe(service: PubsubService, name: str, entity: Jid) -> Element:
    """The `<query>` of a node, for an entity that could subscribe to it (section 5.4). Raises StanzaError."""
    node = service.node(name)
    is_admitted(service, node, entity)
    query = Element(f"{{{INFO}}}query")
    identity = SubElement(query, f"{{{INFO}}}identity", category="pubsub", type="leaf")
    if node.config.title:
        identity.set("name", node.config.title)
    for feature in (INFO, PUBSUB):
        SubElement(query, f"{{{INFO}}}feature", var=feature)
    form = configuration.form("result", META_DATA, node.config, service.access_models)
    data_form.add(form, "pubsub#creation_date", values=[timestamp.to_text(node.record.created_utc_s)])
    data_form.add(form, "pubsub#creator", values=[str(node.record.creator)])
    data_form.add(form, "pubsub#owner", values=[str(owner) for owner in node.owners])
    data_form.add(form, "pubsub#num_subscribers", values=[str(len({party.jid for party in node.subscribers}))])
    query.append(form)
    return query


async def item_ids(service: PubsubService, name: str, entity: Jid) -> list[str]:
    """The ids of the items of a node, for an entity that may retrieve them (section 5.5). Raises StanzaError."""
    node = service.node(name)
    check_reader(service, node, entity)
    if not node.config.persist_items:
        return []
    page = await read_page(service, node, PageQuery(before="", expired_utc_s=service.expired(node.config)))
    return [item.id for item in page.items]
