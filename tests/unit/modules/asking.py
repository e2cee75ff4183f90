"""Requests of a client, and their answers as XML."""

from __future__ import annotations

from cluster.xmpp.element import Element
from tests.client import Client
from tests.network import Network
from tests.told import told


def iq(type: str, payload: str, to: str = "", id: str = "1") -> str:
    """A request."""
    address = f" to='{to}'" if to else ""
    return f"<iq type='{type}' id='{id}'{address}>{payload}</iq>"


def ask(network: Network, client: Client, type: str, payload: str, to: str = "") -> Element:
    """The payload of the result of a request; what else the client got first is left to it."""
    network.say(client, iq(type, payload, to, "asked"))
    [answer] = [stanza for stanza in client.stanzas if stanza.get("id") == "asked"]
    client.stanzas.remove(answer)
    assert answer.get("type") == "result", told(answer)
    assert len(answer) <= 1
    return answer[0] if len(answer) else answer


def refused(network: Network, client: Client, type: str, payload: str, to: str = "") -> str:
    """The error that a request gets, as one line without the address: `cancel item-not-found`."""
    network.say(client, iq(type, payload, to, "asked"))
    [answer] = [stanza for stanza in client.stanzas if stanza.get("id") == "asked"]
    client.stanzas.remove(answer)
    kind, _, said = told(answer).partition(": ")
    assert kind.startswith("iq/error"), told(answer)
    return said
