"""What clients ask of their block lists (XEP-0191)."""

from __future__ import annotations

from tests.client import Client
from tests.network import Network
from tests.unit.modules.asking import ask

NS = "urn:xmpp:blocking"
JULIET, ROMEO = "juliet@capulet.lit", "romeo@montague.lit"
LIST = f"<blocklist xmlns='{NS}'/>"


def command(name: str, *jids: str) -> str:
    items = "".join(f"<item jid='{jid}'/>" for jid in jids)
    return f"<{name} xmlns='{NS}'>{items}</{name}>"


def block(network: Network, client: Client, *jids: str) -> None:
    ask(network, client, "set", command("block", *jids))


def unblock(network: Network, client: Client, *jids: str) -> None:
    ask(network, client, "set", command("unblock", *jids))


def blocked(network: Network, client: Client) -> list[str | None]:
    return [item.get("jid") for item in ask(network, client, "get", LIST)]
