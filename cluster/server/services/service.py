"""Services that live in the server, with addresses on a subdomain of it: rooms, publish-subscribe and the like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from cluster.base.clock import Clock
from cluster.base.settled import Settled
from cluster.base.turn import Turn
from cluster.host.module import Item, Module
from cluster.host.module_host import ModuleHost
from cluster.host.state import MemoryState
from cluster.store.limits import Limits
from cluster.store.port import Store
from cluster.trace.hop import Tracer
from cluster.xmpp.element import Element
from cluster.xmpp.stanza import Stanza

S = TypeVar("S")


class Service:
    """The declaration of one service; it holds no state, so that many domains can share it.

    Requests are handled by its modules: of addresses without a localpart as "domain", of others as "account".
    """

    def __init__(self, name: str, modules: Sequence[ServiceModule], settings: type[Any] = dict) -> None:
        """`modules`: what it is, lists and answers (identities, items, features and forms of XEP-0030, requests).

        `settings`: a msgspec.Struct of what its section of the topology has beside `domain`, with a default for each.
        """
        self.name = name
        self.modules = tuple(modules)
        self.settings = settings()
        self.message_handler: StanzaHandler | None = None
        self.presence_handler: StanzaHandler | None = None
        self.iq_handler: StanzaHandler | None = None
        self.start_handler: Callable[[ServiceContext], Awaitable[None]] | None = None
        self.ready_handler: Callable[[ServiceContext], None] | None = None
        self.stop_handler: Callable[[ServiceContext], None] | None = None
        self.node_info: NodeInfo | None = None
        self.node_items: NodeItems | None = None

    def with_settings(self, settings: Mapping[str, Any]) -> Service:
        """The same service with these settings. Raises msgspec.ValidationError."""
        service = copy(self)
        service.settings = msgspec.convert(settings, type(self.settings))
        return service

    def on_message(self, handler: StanzaHandler) -> StanzaHandler:
        """Register who takes messages; without, they come back."""
        self.message_handler = handler
        return handler

    def on_presence(self, handler: StanzaHandler) -> StanzaHandler:
        """Register who takes presence; without, it is ignored."""
        self.presence_handler = handler
        return handler

    def on_iq_to_resource(self, handler: StanzaHandler) -> StanzaHandler:
        """Register who takes each iq for an address with a resourcepart, answers too; without, modules take them as
        those for the address without it."""
        self.iq_handler = handler
        return handler

    def on_start(
        self, handler: Callable[[ServiceContext], Awaitable[None]]
    ) -> Callable[[ServiceContext], Awaitable[None]]:
        """Register what is done before any stanza comes: to read what is stored."""
        self.start_handler = handler
        return handler

    def on_ready(self, handler: Callable[[ServiceContext], None]) -> Callable[[ServiceContext], None]:
        """Register what is done when the server has started and stanzas can be sent."""
        self.ready_handler = handler
        return handler

    def on_stop(self, handler: Callable[[ServiceContext], None]) -> Callable[[ServiceContext], None]:
        """Register what is done when the server stops in an orderly way, while stanzas can still be sent."""
        self.stop_handler = handler
        return handler

    def disco_info_of_nodes(self, handler: NodeInfo) -> NodeInfo:
        """Register what the nodes of the service say of themselves; without, it has no nodes (XEP-0030 section 3.2)."""
        self.node_info = handler
        return handler

    def disco_items_of_nodes(self, handler: NodeItems) -> NodeItems:
        """Register what is below the nodes of the service (XEP-0030 section 4.2)."""
        self.node_items = handler
        return handler


@dataclass(frozen=True)
class ServiceContext:
    """One service at its address, as its handlers see it."""

    domain: str
    server_domain: str
    """Of the server that it lives in."""
    service: Service
    host: ModuleHost[ServiceContext]
    route: Callable[[Stanza], Settled]
    """Send a stanza of the service on its way."""
    new_id: Callable[[], str]
    now_utc_s: Callable[[], float]
    clock: Clock
    turn: Turn
    store: Store
    """Of the server's domain."""
    limits: Limits
    tracer: Tracer
    state: dict[Any, Any] = field(default_factory=dict)
    """What modules keep in memory for this address; read it through their `ServiceState`."""


class ServiceState(MemoryState[ServiceContext, S]):
    """What a service keeps in memory at one address: `rooms = ServiceState(Rooms)`, then `rooms.of(ctx)`."""


ServiceModule = Module[ServiceContext]
StanzaHandler = Callable[[ServiceContext, Stanza], Settled]
"""Takes a message or presence; settles when what it stores or sends is safe. Raises StanzaError to refuse it."""
NodeInfo = Callable[[ServiceContext, Stanza, str], Awaitable[Element]]
"""The `<query>` of a node for who asks with this request. Raises StanzaError, `item-not-found` for an unknown one."""
NodeItems = Callable[[ServiceContext, Stanza, str], Awaitable[Iterable[Item]]]
"""What is below a node, in the same way."""
