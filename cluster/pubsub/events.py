"""The bytes that are sent of a node: items in answers and notifications, and other events (XEP-0060 sections 7, 8)."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.pubsub.errors import EVENT, PUBSUB
from cluster.store.pubsub import Item, NodeConfig, Party
from cluster.xmpp import element as xml
from cluster.xmpp import timestamp
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import DELAY
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.stanza import Stanza, opening

ADDRESS = "http://jabber.org/protocol/address"
SHIM = "http://jabber.org/protocol/shim"
_ANYWHERE = "\n"
"""Stands for the namespace around a payload and equals none, so that the payload is written with its own declaration
and can be put into any element."""


def payload_bytes(payload: Element) -> bytes:
    """A payload as it is stored, so that it can stand in an event as well as in an answer."""
    return xml.serialize(payload, _ANYWHERE)


def item_bytes(item: Item, *, with_payload: bool = True, with_publisher: bool = False) -> bytes:
    """An `<item>` that stands in an `<items>` of either namespace (section 7.1.2.3)."""
    publisher = f" publisher={quoteattr(str(item.publisher))}" if with_publisher else ""
    begin = f"<item id={quoteattr(item.id)}{publisher}".encode() if item.id else f"<item{publisher}".encode()
    return begin + b">" + item.payload + b"</item>" if with_payload and item.payload else begin + b"/>"


def items_result(iq: Stanza, node: str, items: Iterable[bytes], page: Element | None) -> Stanza:
    """The items of a node (section 6.5), and where they are in the whole list (XEP-0059)."""
    assert iq.to is not None or iq.from_ is not None
    inner = b"".join(items)
    begin = f"<pubsub xmlns={quoteattr(PUBSUB)}><items node={quoteattr(node)}".encode()
    listed = begin + (b">" + inner + b"</items>" if inner else b"/>")
    raw = iq.reply().raw
    end = xml.serialize(page, PUBSUB) if page is not None else b""
    body = listed + end + b"</pubsub>"
    raw = raw[: -len(b"/>")] + b">" + body + b"</iq>"
    return Stanza("iq", iq.from_, iq.to, iq.id, "result", (f"{PUBSUB} pubsub",), raw)


class Events:
    """Makes the notifications of one service; each has an id of its own (section 12.4)."""

    def __init__(self, service: Jid) -> None:
        self._service = service

    def items(
        self, id: str, node: str, config: NodeConfig, items: bytes, *, published_utc_s: float | None = None
    ) -> Stanza:
        """An item was published; with a time, it is the last one and was published then (sections 6.1.7 and 7.1.2)."""
        inner = f"<items node={quoteattr(node)}".encode() + (b">" + items + b"</items>" if items else b"/>")
        return self._event(id, config, inner, self._delay(published_utc_s))

    def retracted(self, id: str, node: str, config: NodeConfig, ids: Iterable[str]) -> Stanza:
        """Items were removed (section 7.2.2.1)."""
        items = "".join(f"<retract id={quoteattr(each)}/>" for each in ids)
        return self._event(id, config, f"<items node={quoteattr(node)}>{items}</items>".encode())

    def purged(self, id: str, node: str, config: NodeConfig) -> Stanza:
        """All items were removed (section 8.5.2)."""
        return self._event(id, config, f"<purge node={quoteattr(node)}/>".encode())

    def deleted(self, id: str, node: str, config: NodeConfig, redirect: str) -> Stanza:
        """The node was deleted; `redirect`: URI of the node that replaces it, or empty (section 8.4.2)."""
        inner = f"<redirect uri={quoteattr(redirect)}/>" if redirect else ""
        return self._event(id, config, f"<delete node={quoteattr(node)}>{inner}</delete>".encode())

    def configured(self, id: str, node: str, config: NodeConfig, form: Element | None) -> Stanza:
        """The configuration of the node changed (section 8.2.5.3)."""
        inner = b"" if form is None else xml.serialize(form, EVENT)
        return self._event(id, config, f"<configuration node={quoteattr(node)}>".encode() + inner + b"</configuration>")

    def subscription(self, id: str, node: str, config: NodeConfig, party: Party) -> Stanza:
        """A subscription changed (section 12.14)."""
        about = f"node={quoteattr(node)} jid={quoteattr(str(party.jid))} subscription={quoteattr(party.subscription)}"
        about += f" subid={quoteattr(party.subid)}"
        return self._event(id, config, f"<subscription {about}/>".encode())

    def affiliation(self, id: str, node: str, config: NodeConfig, jid: Jid, affiliation: str) -> Stanza:
        """An affiliation changed (section 8.9.4)."""
        about = f"jid={quoteattr(str(jid))} affiliation={quoteattr(affiliation)}"
        inner = f"<affiliations node={quoteattr(node)}><affiliation {about}/></affiliations>".encode()
        begin = f" id={quoteattr(id)}><pubsub xmlns={quoteattr(PUBSUB)}>".encode()
        raw = opening("message", self._service) + begin + inner + b"</pubsub></message>"
        return Stanza("message", None, self._service, id, None, (f"{PUBSUB} pubsub",), raw)

    def _delay(self, published_utc_s: float | None) -> bytes:
        if published_utc_s is None:
            return b""
        stamp = timestamp.to_text(published_utc_s)
        delay = Element(f"{{{DELAY}}}delay", {"from": str(self._service), "stamp": stamp})
        return xml.serialize(delay)

    def _event(self, id: str, config: NodeConfig, inner: bytes, after: bytes = b"") -> Stanza:
        type = config.notification_type if config.notification_type == "headline" else None
        begin = f" id={quoteattr(id)}" + (f" type='{type}'" if type else "")
        event = f"><event xmlns={quoteattr(EVENT)}>".encode()
        raw = opening("message", self._service) + begin.encode() + event + inner + b"</event>" + after + b"</message>"
        names = (f"{EVENT} event", *((f"{DELAY} delay",) if after else ()))
        return Stanza("message", None, self._service, id, type, names, raw)


def with_subids(event: Stanza, subids: Iterable[str]) -> Stanza:
    """The notification for one who has several subscriptions (sections 6.1.6 and 7.1.2.4, XEP-0131)."""
    headers = Element(f"{{{SHIM}}}headers")
    for subid in subids:
        SubElement(headers, f"{{{SHIM}}}header", name="SubID").text = subid
    return _with(event, headers)


def with_reply_to(event: Stanza, replyto: Jid) -> Stanza:
    """The notification with the address for replies (XEP-0033 section 4.1; XEP-0163 section 4.3.1)."""
    addresses = Element(f"{{{ADDRESS}}}addresses")
    SubElement(addresses, f"{{{ADDRESS}}}address", type="replyto", jid=str(replyto))
    return _with(event, addresses)


def _with(event: Stanza, child: Element) -> Stanza:
    raw = event.raw[: -len(b"</message>")] + xml.serialize(child) + b"</message>"
    names = (*event.payloads, " ".join(xml.split(child.tag)))
    return Stanza(event.kind, event.to, event.from_, event.id, event.type, names, raw, event.trace_id)
