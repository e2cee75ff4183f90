"""What a domain says of itself (XEP-0030), read from what its modules registered."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.host.module import Context, Identity, Item
from cluster.host.module_host import ModuleHost
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.extensions import data_form
from cluster.xmpp.extensions.caps import INFO

__all__ = ["INFO", "ITEMS", "add_features", "add_identities", "add_items", "describe", "result_form"]

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
