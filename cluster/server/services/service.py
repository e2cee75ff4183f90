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
from cluster.xmpp.copies import Copies
from cluster.xmpp.element import Element
from cluster.xmpp.stanza import Stanza

S = TypeVar("S")


class Service:
    """The declaration of one service; it holds no state, so that many domains can share it.

    Requests are handled by its modules: of addresses without a localpart as "domain", of others as "account".
    """

    def __init__(self, name: str, modules: Sequence[ServiceModule], settings: type[Any] = dict) -> None:
        """`modules`: declare its identities, items, features and forms (XEP-0030), and handle its requests.

        `settings`: a msgspec.Struct of the fields of its section in the topology, without `domain`, all with defaults.
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
        """Register the handler of messages; without one, they are returned."""
        self.message_handler = handler
        return handler

    def on_presence(self, handler: StanzaHandler) -> StanzaHandler:
        """Register who takes presence; without, it is ignored."""
        self.presence_handler = handler
        return handler

    def on_iq_to_resource(self, handler: StanzaHandler) -> StanzaHandler:
        """Register the handler of each iq, also of answers, for an address with a resourcepart; without one, modules
        handle the requests as those for the bare address."""
        self.iq_handler = handler
        return handler

    def on_start(
        self, handler: Callable[[ServiceContext], Awaitable[None]]
    ) -> Callable[[ServiceContext], Awaitable[None]]:
        """Register a handler that runs before the first stanza arrives, to read what is stored."""
        self.start_handler = handler
        return handler

    def on_ready(self, handler: Callable[[ServiceContext], None]) -> Callable[[ServiceContext], None]:
        """Register a handler that runs when the server has started and stanzas can be sent."""
        self.ready_handler = handler
        return handler

    def on_stop(self, handler: Callable[[ServiceContext], None]) -> Callable[[ServiceContext], None]:
        """Register a handler that runs when the server stops in an orderly way, while stanzas can still be sent."""
        self.stop_handler = handler
        return handler

    def disco_info_of_nodes(self, handler: NodeInfo) -> NodeInfo:
        """Register the handler of disco info for nodes; without one, there are no nodes (XEP-0030 section 3.2)."""
        self.node_info = handler
        return handler

    def disco_items_of_nodes(self, handler: NodeItems) -> NodeItems:
        """Register the handler of disco items for nodes (XEP-0030 section 4.2)."""
        self.node_items = handler
        return handler


@dataclass(frozen=True)
class ServiceContext:
    """One service at its address, as its handlers see it."""

    domain: str
    server_domain: str
    """The domain of the server that hosts the service."""
    service: Service
    host: ModuleHost[ServiceContext]
    route: Callable[[Stanza | Copies], Settled]
    """Send a stanza of the service on its way, or one for many."""
    new_id: Callable[[], str]
    now_utc_s: Callable[[], float]
    clock: Clock
    turn: Turn
    store: Store
    """The store of the server's domain."""
    limits: Limits
    tracer: Tracer
    repeated_id: str = ""
    """For a request that may be read again after a crash: the same each time, unpredictable, and of this request only.
    Empty for a request that is read once."""
    state: dict[Any, Any] = field(default_factory=dict)
    """Values of `ServiceState`, which reads them."""


class ServiceState(MemoryState[ServiceContext, S]):
    """A value in memory for each address of a service: `rooms = ServiceState(Rooms)`, then `rooms.of(ctx)`."""


ServiceModule = Module[ServiceContext]
StanzaHandler = Callable[[ServiceContext, Stanza], Settled]
"""Takes a message or presence; settles when what it stores or sends is safe. Raises StanzaError to refuse it."""
NodeInfo = Callable[[ServiceContext, Stanza, str], Awaitable[Element]]
"""The `<query>` of a node for the sender of this request. Raises StanzaError, `item-not-found` for an unknown one."""
NodeItems = Callable[[ServiceContext, Stanza, str], Awaitable[Iterable[Item]]]
"""The items below a node, in the same way."""
