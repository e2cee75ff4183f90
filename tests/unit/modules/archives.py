"""Messages for an archive, and what its owner asks of it (XEP-0313)."""

from __future__ import annotations

import itertools

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.namespaces import CLIENT, FORWARD, MAM
from tests.client import Client, child
from tests.network import Network

ROMEO, JULIET = "romeo@montague.lit/pda", "juliet@capulet.lit/balcony"
MERCUTIO = "mercutio@montague.lit/square"
_numbers = itertools.count()


def with_contacts(network: Network) -> Network:
    """Romeo has a contact in the other domain and one in his own."""
    network.friends("romeo@montague.lit", "juliet@capulet.lit")
    network.friends("romeo@montague.lit", "mercutio@montague.lit")
    return network


def chat(to: str, body: str, more: str = "", kind: str = "chat") -> str:
    written = f"<body>{body}</body>" if body else ""
    return f"<message to='{to}' type='{kind}'>{written}{more}</message>"


def ask(network: Network, client: Client, kind: str, payload: str, to: str = "") -> Element:
    """The reply; what came before it stays in `client.stanzas`."""
    id = f"q{next(_numbers)}"
    client.stanzas.clear()
    address = f" to='{to}'" if to else ""
    network.say(client, f"<iq type='{kind}' id='{id}'{address}>{payload}</iq>")
    assert client.stanzas, "no reply"
    reply = client.stanzas.pop()
    assert reply.get("id") == id
    return reply


def query(network: Network, client: Client, content: str = "", attributes: str = "") -> tuple[list[Element], Element]:
    """The `<result>` of each message that comes, and the `<fin>`."""
    reply = ask(network, client, "set", f"<query xmlns='{MAM}'{attributes}>{content}</query>")
    fin = child(reply, "fin", MAM)
    for message in client.stanzas:
        assert message.get("from") == str(client.jid.bare)
    return [child(message, "result", MAM) for message in client.stanzas], fin


def message_of(result: Element) -> Element:
    return child(child(result, "forwarded", FORWARD), "message")


def bodies(network: Network, client: Client, content: str = "") -> list[str | None]:
    results, _ = query(network, client, content)
    return [message_of(result).findtext(f"{{{CLIENT}}}body") for result in results]


def refusal(reply: Element) -> str:
    error = child(reply, "error")
    return xml.split(error[0].tag)[1]


def prefs(default: str, always: str = "", never: str = "") -> str:
    def listed(jid: str) -> str:
        return f"<jid>{jid}</jid>" if jid else ""

    lists = f"<always>{listed(always)}</always><never>{listed(never)}</never>"
    return f"<prefs xmlns='{MAM}' default='{default}'>{lists}</prefs>"
