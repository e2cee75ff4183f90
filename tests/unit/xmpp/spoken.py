"""What clients say to a server in these tests, and how far that brings them."""

from __future__ import annotations

from cluster.xmpp.element import Element
from cluster.xmpp.namespaces import BIND, SASL, TLS
from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.stream_options import StreamOptions
from tests.helpers import DOMAIN, HEADER

REGISTER = Element("{http://jabber.org/features/iq-register}register")
OFF = StreamOptions(DOMAIN, "off")
OPTIONAL = StreamOptions(DOMAIN, "optional")
REQUIRED = StreamOptions(DOMAIN, "required")
OPEN = StreamOptions(DOMAIN, "off", features_before_login=(REGISTER,))


def auth(mechanism: str, message: str) -> str:
    return f"<auth xmlns='{SASL}' mechanism='{mechanism}'>{sasl.encode(message)}</auth>"


def response(message: str) -> str:
    return f"<response xmlns='{SASL}'>{sasl.encode(message)}</response>"


def bind(resource: str = "") -> str:
    child = f"<resource>{resource}</resource>" if resource else ""
    return f"<iq type='set' id='b1'><bind xmlns='{BIND}'>{child}</bind></iq>"


STARTTLS = f"<starttls xmlns='{TLS}'/>"
ABORT = f"<abort xmlns='{SASL}'/>"
END = "</stream:stream>"
REGISTRATION = "<iq type='get' id='r1'><query xmlns='jabber:iq:register'/></iq>"
MESSAGE = "<message to='juliet@capulet.lit' type='chat'><body>hi</body></message>"
OTHER_HEADER = HEADER.replace("jabber:client", "jabber:server")

PLAIN = auth("PLAIN", "\0romeo\0secret")
WRONG = auth("PLAIN", "\0romeo\0wrong")
SCRAM = auth("SCRAM-SHA-1", "n,,n=romeo,r=abc")
STRIPPED = auth("SCRAM-SHA-1", "y,,n=romeo,r=abc")
UNBOUND = auth("SCRAM-SHA-1-PLUS", "x,,n=romeo,r=abc")
WRONG_PROOF = response("c=biws,r=abcid2,p=eA==")

UNDER_TLS = (HEADER, STARTTLS, HEADER)
LOGGED_IN = (HEADER, PLAIN)
BINDING = (*LOGGED_IN, HEADER)
BOUND = (*BINDING, bind("pda"))
