"""Two domains, of which montague.lit has a publish-subscribe service, and who uses it."""

from __future__ import annotations

from typing import Any

from cluster import services
from cluster.xmpp.element import Element
from tests.client import Client
from tests.network import Network
from tests.pubsub import Asked

PUBSUB_DOMAIN = "pubsub.montague.lit"
ROMEO, BENVOLIO, JULIET = "romeo@montague.lit/pda", "benvolio@montague.lit/street", "juliet@capulet.lit/balcony"


class Stage:
    """Romeo owns the nodes; Benvolio is of the same domain, Juliet of another one."""

    def __init__(self, acknowledge_after_s: float = 0.0, **settings: Any) -> None:
        """`acknowledge_after_s`: of the `Network`; `settings`: of the service."""
        [service] = services.load(("pubsub",))
        self.network = Network(
            services={PUBSUB_DOMAIN: service.with_settings(settings)}, acknowledge_after_s=acknowledge_after_s
        )
        self.ask = Asked(self.network, PUBSUB_DOMAIN)
        self.romeo = self.network.online(ROMEO)
        self.benvolio = self.network.online(BENVOLIO)
        self.juliet = self.network.online(JULIET)

    def settle(self) -> None:
        """Let what is under way arrive, across the domains too."""
        self.network.settle()
        self.network.advance(0.1)

    def say(self, client: Client, data: str) -> None:
        self.network.say(client, data)
        self.network.advance(0.1)

    def restart_by_kill(self) -> None:
        """The server of the service is killed and started again; Romeo and Benvolio log in anew."""
        self.network.kill("montague.lit")
        self.network.start("montague.lit")
        self.romeo, self.benvolio = self.network.online(ROMEO), self.network.online(BENVOLIO)


def values(form: Element) -> dict[str, str]:
    """The first value of each field."""
    return {field.get("var", ""): field.findtext("{jabber:x:data}value", "") for field in form}
