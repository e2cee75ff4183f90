"""What a domain says of itself (XEP-0030), read from what its modules registered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cluster.host.module import Context, Identity, Item
from cluster.host.module_host import ModuleHost
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.extensions import data_form, rsm
from cluster.xmpp.extensions.caps import INFO

__all__ = ["INFO", "ITEMS", "add_features", "add_identities", "add_items", "add_page", "describe", "result_form"]

MAX_LISTED = 1_000
"""Items in one reply; the others are on further pages (XEP-0059)."""
ITEMS = "http://jabber.org/protocol/disco#items"


def describe(host: ModuleHost[Context], ctx: Context) -> Element:
    """The `<query>` of a domain: its identities, features and forms."""
    query = Element(f"{{{INFO}}}query")
    add_identities(query, host.identities("domain"))
    add_features(query, host.features)
    query.extend(host.forms(ctx))
    return query


def add_identities(query: Element, identities: Iterable[Identity]) -> None:
    """List them, in this order."""
    for each in identities:
        identity = SubElement(query, f"{{{INFO}}}identity", category=each.category, type=each.type)
        if each.name:
            identity.set("name", each.name)


def add_items(query: Element, items: Iterable[Item]) -> None:
    """List them, in this order."""
    for each in items:
        item = SubElement(query, f"{{{ITEMS}}}item", jid=str(each.jid))
        if each.node:
            item.set("node", each.node)
        if each.name:
            item.set("name", each.name)


def add_page(query: Element, items: Sequence[Item], asked: Element) -> None:
    """Add the page of items that `asked` requests (XEP-0059), and its place; without a request, the first MAX_LISTED.

    Raises StanzaError.
    """
    page = rsm.read(asked, MAX_LISTED) or rsm.PageRequest(MAX_LISTED)
    ids = [_id(item) for item in items]
    shown = rsm.places(ids, page)
    add_items(query, items[shown.start : shown.stop])
    if len(shown) < len(items) or asked.find(f"{{{rsm.RSM}}}set") is not None:
        query.append(rsm.tell(ids[shown.start : shown.stop], shown.start, len(items)))


def _id(item: Item) -> str:
    """The id of an item for paging: unique in its list."""
    return f"{item.jid} {item.node or item.name}" if item.node or not item.jid.localpart else str(item.jid)


def add_features(query: Element, features: Iterable[str]) -> None:
    """List them, sorted."""
    for feature in sorted(features):
        SubElement(query, f"{{{INFO}}}feature", var=feature)


def result_form(form_type: str, fields: dict[str, list[str]]) -> Element:
    """A form of type result (XEP-0128): the values of each field."""
    form = data_form.new("result", form_type)
    for name, values in fields.items():
        data_form.add(form, name, values=values)
    return form
