"""Services that live in the server, with addresses on a subdomain of it: rooms, publish-subscribe and the like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cluster.base.settled import Settled
from cluster.host.module import Module
from cluster.host.module_host import ModuleHost
from cluster.xmpp.stanza import Stanza


class Service:
    """The declaration of one service; it holds no state, so that many domains can share it.

    Requests are handled by its modules: of addresses without a localpart as "domain", of others as "account".
    """

    def __init__(self, name: str, modules: Sequence[ServiceModule]) -> None:
        """`modules`: what it is, lists and answers (identities, items, features and forms of XEP-0030, requests)."""
        self.name = name
        self.modules = tuple(modules)
        self.message_handler: StanzaHandler | None = None
        self.presence_handler: StanzaHandler | None = None

    def on_message(self, handler: StanzaHandler) -> StanzaHandler:
        """Register who takes messages; without, they come back."""
        self.message_handler = handler
        return handler

    def on_presence(self, handler: StanzaHandler) -> StanzaHandler:
        """Register who takes presence; without, it is ignored."""
        self.presence_handler = handler
        return handler


@dataclass(frozen=True)
class ServiceContext:
    """One service at its address, as its handlers see it."""

    domain: str
    service: Service
    host: ModuleHost[ServiceContext]
    route: Callable[[Stanza], Settled]
    """Send a stanza of the service on its way."""
    new_id: Callable[[], str]
    now_utc_s: Callable[[], float]


ServiceModule = Module[ServiceContext]
StanzaHandler = Callable[[ServiceContext, Stanza], Settled]
"""Takes a message or presence; settles when what it stores or sends is safe. Raises StanzaError to refuse it."""
