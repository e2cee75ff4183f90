"""What clients with stream management (XEP-0198) say, and what they are told."""

from __future__ import annotations

from cluster.xmpp import element as xml
from cluster.xmpp.namespaces import SM, STANZA_ERRORS, STREAM_ERRORS, STREAMS
from tests.phone import Phone

ROMEO, JULIET = "romeo@montague.lit/pda", "juliet@montague.lit/balcony"
CHAMBER = "juliet@montague.lit/chamber"
R = f"<r xmlns='{SM}'/>"
TIMEOUT_S = 300


def chat(to: str, body: str, kind: str = "chat") -> str:
    return f"<message to='{to}' type='{kind}'><body>{body}</body></message>"


def failed(element: xml.Element) -> str:
    assert element.tag == f"{{{SM}}}failed"
    [condition] = element
    namespace, name = xml.split(condition.tag)
    assert namespace == STANZA_ERRORS
    return name


def ended_with(client: Phone) -> str:
    error = next(element for element in client.got if element.tag == f"{{{STREAMS}}}error")
    return next(name for namespace, name in (xml.split(each.tag) for each in error) if namespace == STREAM_ERRORS)
