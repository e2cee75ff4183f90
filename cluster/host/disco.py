"""Service discovery of a domain (XEP-0030), from the declarations of its modules, and its hash (XEP-0115)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from cluster.host.module import Context, Identity, Item
from cluster.host.module_host import ModuleHost
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.extensions import data_form
from cluster.xmpp.extensions.data_form import DATA
from cluster.xmpp.namespaces import XML

INFO = "http://jabber.org/protocol/disco#info"
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


def verification(query: Element) -> str:
    """The SHA-1 verification string of a description (XEP-0115 section 5.1)."""
    identities = sorted(_identity(identity) for identity in query.findall(f"{{{INFO}}}identity"))
    lines = [b"/".join(identity) for identity in identities]
    lines += sorted(_octets(feature.get("var")) for feature in query.findall(f"{{{INFO}}}feature"))
    for form in sorted(_form(form) for form in query.findall(f"{{{DATA}}}x")):
        lines += form
    return base64.b64encode(hashlib.sha1(b"".join(line + b"<" for line in lines)).digest()).decode()


def _identity(identity: Element) -> tuple[bytes, ...]:
    return tuple(_octets(identity.get(part)) for part in ("category", "type", f"{{{XML}}}lang", "name"))


def _form(form: Element) -> list[bytes]:
    fields = {_octets(field.get("var")): _values(field) for field in form.findall(f"{{{DATA}}}field")}
    lines = fields.pop(b"FORM_TYPE")
    for name, values in sorted(fields.items()):
        lines += [name, *values]
    return lines


def _values(field: Element) -> list[bytes]:
    return sorted(_octets(value.text) for value in field.findall(f"{{{DATA}}}value"))


def _octets(text: str | None) -> bytes:
    return (text or "").encode()
