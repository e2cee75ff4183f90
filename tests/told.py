"""Stanzas as one line each, so that a test reads as a play."""

from __future__ import annotations

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.namespaces import CLIENT, ROSTER, STANZA_ERRORS

_TEXTS = ("body", "show", "status", "priority")


def told(stanza: Element) -> str:
    """`kind/type from id: texts`, or an error's `type condition`, or `push contact subscription …`.

    The id is told of an iq only, its payload's names too.
    """
    kind = xml.split(stanza.tag)[1]
    query = stanza.find(f"{{{ROSTER}}}query")
    if kind == "iq" and stanza.get("type") == "set" and query is not None:
        return f"push {roster(query)}"
    words = [kind + ("/" + stanza.get("type", "") if "type" in stanza.attrib else "")]
    words += [stanza.get("from", "")] if "from" in stanza.attrib else []
    words += [stanza.get("id", "")] if kind == "iq" else []
    line = " ".join(words)
    error = stanza.find(f"{{{CLIENT}}}error")
    said = _said(stanza) if error is None else _said_error(error)
    return f"{line}: {said}" if said else line


def _said(stanza: Element) -> str:
    if xml.split(stanza.tag)[1] == "iq":
        return " ".join(xml.split(child.tag)[1] for child in stanza)
    texts = [xml.text_of(stanza, f"{{{CLIENT}}}{name}") for name in _TEXTS]
    return " ".join(text for text in texts if text)


def _said_error(error: Element) -> str:
    condition = next(name for name in (xml.split(child.tag) for child in error) if name[0] == STANZA_ERRORS)
    return f"{error.get('type')} {condition[1]}"


def roster(query: Element) -> str:
    """The items, sorted: `jid subscription [ask] [approved] ['name'] [groups]` each."""
    return ", ".join(sorted(_item(item) for item in query.findall(f"{{{ROSTER}}}item")))


def _item(item: Element) -> str:
    words = [item.get("jid", ""), item.get("subscription", "")]
    words += ["ask"] if item.get("ask") == "subscribe" else []
    words += ["approved"] if item.get("approved") == "true" else []
    words += [repr(item.get("name"))] if "name" in item.attrib else []
    words += [group.text or "" for group in item]
    return " ".join(words)
