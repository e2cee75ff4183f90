"""What a domain says of itself (XEP-0030), read from what its modules registered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cluster.host.module import Context, Identity, Item
from cluster.host.module_host import ModuleHost
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
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
    """List the page of them that `asked` wants (XEP-0059), and say which it is; without a wish, all if they fit.

    Raises StanzaError.
    """
    page = rsm.read(asked, MAX_LISTED) or rsm.PageRequest(MAX_LISTED)
    places = {_id(item): place for place, item in enumerate(items)}
    for id in (page.after, page.before):
        if id and id not in places:
            raise StanzaError(Condition.ITEM_NOT_FOUND, f"the list has no item {id}")
    start = places[page.after] + 1 if page.after else 0
    stop = min(len(items), start + page.max)
    if page.before is not None:
        stop = places[page.before] if page.before else len(items)
        start = max(start, stop - page.max)
    add_items(query, items[start:stop])
    if stop - start < len(items) or asked.find(f"{{{rsm.RSM}}}set") is not None:
        query.append(rsm.tell([_id(item) for item in items[start:stop]], start, len(items)))


def _id(item: Item) -> str:
    """Of an item in its list."""
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
