"""XMPP over WebSocket (RFC 7395), found by host-meta (XEP-0156), with a WebSocket client that is not ours."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET

import pytest
import websocket

from tests.harness import PATIENCE_S
from tests.live.running_lab import RunningLab

pytestmark = pytest.mark.live

FRAMING, SASL, CLIENT = "urn:ietf:params:xml:ns:xmpp-framing", "urn:ietf:params:xml:ns:xmpp-sasl", "jabber:client"
XRD = "{http://docs.oasis-open.org/ns/xri/xrd-1.0}"
RELATION = "urn:xmpp:alt-connections:websocket"
OPEN = f"<open xmlns='{FRAMING}' to='montague.lit' version='1.0'/>"


class Browser:
    """A client on the web: each message that it gets is a document of its own."""

    def __init__(self, url: str, trust: ssl.SSLContext, subprotocols: tuple[str, ...] = ("xmpp",)) -> None:
        self.socket = websocket.create_connection(
            url, timeout=PATIENCE_S, subprotocols=list(subprotocols), sslopt={"context": trust}
        )

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *about: object) -> None:
        self.socket.shutdown()

    def say(self, message: str) -> None:
        self.socket.send(message)

    def read(self) -> ET.Element:
        return ET.fromstring(self.socket.recv())

    def ask(self, message: str) -> ET.Element:
        self.say(message)
        return self.read()

    def log_in(self, localpart: str) -> str:
        """Its full JID."""
        assert self.ask(OPEN).tag == f"{{{FRAMING}}}open"
        features = self.read()
        assert features.tag == "{http://etherx.jabber.org/streams}features"
        assert features.find("{urn:ietf:params:xml:ns:xmpp-tls}starttls") is None  # section 3.9: TLS is there already
        secret = base64.b64encode(f"\0{localpart}\0secret".encode()).decode()
        assert self.ask(f"<auth xmlns='{SASL}' mechanism='PLAIN'>{secret}</auth>").tag == f"{{{SASL}}}success"
        assert self.ask(OPEN).tag == f"{{{FRAMING}}}open"
        self.read()
        bound = self.ask(
            f"<iq xmlns='{CLIENT}' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
        )
        return bound.findtext(".//{urn:ietf:params:xml:ns:xmpp-bind}jid") or ""


@pytest.fixture
def trust(verona: RunningLab) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=verona.ps()["ca_file"])


@pytest.fixture
def url(verona: RunningLab, trust: ssl.SSLContext) -> str:
    """What the server's host-meta says."""
    base = verona.node("montague.lit")["http"]
    with urllib.request.urlopen(f"{base}/.well-known/host-meta", context=trust, timeout=PATIENCE_S) as answer:
        assert answer.headers["content-type"] == "application/xrd+xml"
        assert answer.headers["access-control-allow-origin"] == "*"
        [link] = ET.fromstring(answer.read()).findall(f"{XRD}Link")
    with urllib.request.urlopen(f"{base}/.well-known/host-meta.json", context=trust, timeout=PATIENCE_S) as answer:
        assert json.load(answer)["links"] == [dict(link.attrib)]
    assert link.get("rel") == RELATION
    return link.get("href", "")


def test_a_browser_and_another_domain(verona: RunningLab, url: str, trust: ssl.SSLContext) -> None:
    assert url.startswith("wss://")
    with Browser(url, trust) as romeo, verona.client("juliet@capulet.lit/balcony") as juliet:
        assert romeo.socket.getsubprotocol() == "xmpp"
        jid = romeo.log_in("romeo")
        assert jid.startswith("romeo@montague.lit/")
        juliet.see("session")
        romeo.say(
            f"<message xmlns='{CLIENT}' to='juliet@capulet.lit/balcony' type='chat'><body>By a name</body></message>"
        )
        juliet.see("message", body="By a name", from_=jid)
        juliet.do("message", to=jid, body="I know not how")
        answer = romeo.read()
        while answer.tag != f"{{{CLIENT}}}message":
            answer = romeo.read()
        assert answer.findtext(f"{{{CLIENT}}}body") == "I know not how"
        closed = romeo.ask(f"<close xmlns='{FRAMING}'/>")
        while closed.tag != f"{{{FRAMING}}}close":  # section 3.6: each side says so, then the WebSocket ends
            closed = romeo.read()
        assert romeo.socket.recv_frame().opcode == websocket.ABNF.OPCODE_CLOSE


def test_what_is_no_element_of_a_stream(url: str, trust: ssl.SSLContext) -> None:
    with Browser(url, trust) as romeo:
        romeo.log_in("romeo")
        error = romeo.ask("<message><body>")  # section 3.3.3
        assert error.find("{urn:ietf:params:xml:ns:xmpp-streams}bad-format") is not None
        assert romeo.read().tag == f"{{{FRAMING}}}close"


def test_another_subprotocol(url: str, trust: ssl.SSLContext) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException, match="400"):
        Browser(url, trust, ("chat",))


def test_a_page_where_there_is_none(verona: RunningLab, trust: ssl.SSLContext) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        urllib.request.urlopen(f"{verona.node('montague.lit')['http']}/", context=trust, timeout=PATIENCE_S)
    caught.value.close()
