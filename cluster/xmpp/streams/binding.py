"""The resources that a client requests on one stream (RFC 6120 section 7), and the answers."""

from __future__ import annotations

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import StanzaError, StreamCondition, StreamError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import BIND
from cluster.xmpp.stanza import Stanza, make
from cluster.xmpp.streams.events import BindRequested

MAX_BIND_TRIES = 6
"""Refused resources before the stream is closed: 5 retries (RFC 6120 section 7.7.3 wants 5 to 10)."""


class ResourceBinding:
    """One request after the other, until one succeeds."""

    __slots__ = ("_id", "_refused")

    def __init__(self) -> None:
        self._id: str | None = None
        self._refused = 0

    def request(self, iq: Stanza) -> BindRequested:
        """The requested resource. Raises StreamError for another element, or after too many tries."""
        if iq.payloads != (f"{BIND} bind",) or iq.type != "set":
            raise StreamError(StreamCondition.NOT_AUTHORIZED, "bind a resource first (RFC 6120 section 7.1)")
        if self._refused >= MAX_BIND_TRIES:
            raise StreamError(StreamCondition.POLICY_VIOLATION, f"{MAX_BIND_TRIES} resources were refused")
        self._id = iq.id
        return BindRequested(xml.text_of(iq.payload(), f"{{{BIND}}}resource") or None)

    def accept(self, jid: Jid) -> Stanza:
        """The client gets the resource."""
        result = Element(f"{{{BIND}}}bind")
        SubElement(result, f"{{{BIND}}}jid").text = str(jid)
        return make("iq", id=self._id, type="result", payload=[result])

    def refuse(self, error: StanzaError) -> Stanza:
        """The client does not get that resource; it may ask for another one."""
        self._refused += 1
        return make("iq", id=self._id, type="set").error(error)
