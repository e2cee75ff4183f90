"""The HTTP side of a server: WebSockets (RFC 7395), and their discovery (XEP-0156)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import Site

from cluster.base.clock import Clock
from cluster.server.c2s.client_stream import HEADER_TIMEOUT_S
from cluster.server.c2s.client_streams import ClientStreams
from cluster.server.c2s.websocket import WebSocketResource, WebSockets
from cluster.streams.http import BodilessRequest, RequestChannel
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement

WEBSOCKET_PATH = "xmpp-websocket"
RELATION = "urn:xmpp:alt-connections:websocket"
XRD = "http://docs.oasis-open.org/ns/xri/xrd-1.0"


def site(streams: ClientStreams, reactor: Clock, *, is_secure: bool) -> Site:
    """The site of one port. `is_secure`: under TLS."""
    scheme = "wss" if is_secure else "ws"
    root: Any = Resource()
    well_known: Any = Resource()
    root.putChild(WEBSOCKET_PATH.encode(), WebSocketResource(WebSockets(streams, is_secure)))
    root.putChild(b".well-known", well_known)
    well_known.putChild(b"host-meta", HostMeta(scheme, b"application/xrd+xml", xrd))
    well_known.putChild(b"host-meta.json", HostMeta(scheme, b"application/json", jrd))
    return StreamSite(root, streams, reactor)


class StreamSite(Site):
    """The HTTP site of client streams. It logs no requests."""

    noisy = False
    protocol: Any = RequestChannel

    def __init__(self, root: Resource, streams: ClientStreams, reactor: Clock) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            root, requestFactory=BodilessRequest, reactor=reactor, timeout=HEADER_TIMEOUT_S
        )
        self._peer_clock = streams.peer_clock

    def buildProtocol(self, addr: Any) -> Any:
        """A new connection, with time limits by the clock for peers."""
        channel: Any = super().buildProtocol(addr)  # type: ignore[no-untyped-call]
        channel.callLater = self._peer_clock.callLater
        return channel

    def log(self, request: object) -> None:
        """Log nothing: clients could fill the log."""


class HostMeta(Resource):
    """The addresses of the WebSockets: the host and port of this request, also through proxies."""

    isLeaf = True

    def __init__(self, scheme: str, type: bytes, document: Callable[[str], bytes]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._scheme = scheme
        self._type = type
        self._document = document

    def render_GET(self, request: Any) -> bytes:
        """The document; programs in browsers may read it from any origin (XEP-0156 section 3)."""
        here = request.getHost()
        host = request.getHeader("host") or f"{here.host}:{here.port}"
        request.setHeader(b"content-type", self._type)
        request.setHeader(b"access-control-allow-origin", b"*")
        return self._document(f"{self._scheme}://{host}/{WEBSOCKET_PATH}")


def xrd(websocket: str) -> bytes:
    """The URL of the WebSockets in the document of RFC 6415 section 3."""
    document = Element(f"{{{XRD}}}XRD")
    SubElement(document, f"{{{XRD}}}Link", rel=RELATION, href=websocket)
    return b"<?xml version='1.0' encoding='utf-8'?>" + xml.serialize(document)


def jrd(websocket: str) -> bytes:
    """The same as JSON (RFC 6415 appendix A)."""
    return json.dumps({"links": [{"rel": RELATION, "href": websocket}]}).encode()
