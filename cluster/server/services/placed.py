"""Where in its domain a hosted service is: at one node, like an account, and taken over like one."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cluster.base import reasons
from cluster.base.context import in_this_context
from cluster.base.settled import Settled
from cluster.server.config import Ports
from cluster.server.routing import Routing
from cluster.server.services.hosted import HostedService
from cluster.trace.hop import Event
from cluster.xmpp.stanza import Stanza


class PlacedService:
    """A `LocalService` at each node of a domain: it handles stanzas at the node that has the service, and sends them
    there from the others. The first node to claim it has it until its process ends."""

    def __init__(self, hosted: HostedService, ports: Ports, routing: Routing) -> None:
        self.domain = hosted.domain
        self.owned = f"service {hosted.domain}"
        """Its name among the accounts that nodes own; no localpart has a space."""
        self._hosted = hosted
        self._nodes = ports.nodes
        self._tracer = ports.tracer
        self._routing = routing
        self._node = ""
        """The node that has it, as far as that is known."""
        self._former = ""
        """The node that had it and is gone."""
        self._has_started = self._is_loaded = self._is_adopted = False
        self._loading: list[Deferred[None]] = []

    async def start(self) -> None:
        """Have the service here, unless another node has it: the accounts of this node are served already."""
        self._has_started = True
        node = await self._nodes.claim(self.owned)
        if node != self._nodes.name:
            self._node = node
            return
        try:
            await self.adopt()
        finally:
            self._nodes.release(self.owned)

    async def restore(self) -> None:
        """Read what is stored: the service is claimed here. What the former node was sent is handled from now on."""
        if not self._is_loaded:
            await self._loaded()

    async def adopt(self) -> None:
        """Serve it: all that the former node was sent has been handled. Before `start`, the accounts that it writes to
        may not be served yet, so it waits for that."""
        await self.restore()
        if self._has_started and not self._is_adopted:
            self._is_adopted = True
            self._hosted.ready()

    def gone(self, node: str) -> None:
        """The process of that node is gone: another one takes its services over."""
        if self._node == node:
            self._node, self._former = "", node

    def stop(self) -> None:
        """The server stops: stanzas can still be sent."""
        if self._is_adopted:
            self._hosted.stop()

    def deliver(self, stanza: Stanza, place: str) -> Settled:
        """Handle it here, or send it to the node that has the service; it waits while that is not known."""
        if self._node == self._nodes.name:
            return self._hosted.deliver(stanza, place)
        if self._node:
            return self._routing.carry(self._node, stanza, place)
        if stanza.trace_id and self._former:
            detail = f"until another node has {self.domain}, which was at {self._former}"
            self._tracer.record(Event.ENQUEUED, stanza, detail, reason=reasons.SERVICE_MOVES)
        settled = self._nodes.claim(self.owned).addCallback(in_this_context(self._deliver_at), stanza, place)
        return settled if place else settled.addErrback(in_this_context(self._routing.not_delivered), stanza)

    def _deliver_at(self, node: str, stanza: Stanza, place: str) -> Settled:
        if node != self._nodes.name:
            self._node = node
            return self._routing.carry(node, stanza, place)
        if self._is_loaded:
            if self._is_adopted:
                self._node = node
            self._nodes.release(self.owned)
            return self._hosted.deliver(stanza, place)
        loaded = self._loaded().addBoth(self._released)
        return loaded.addCallback(in_this_context(lambda _: self._hosted.deliver(stanza, place)))

    def _released(self, result: Failure | None) -> Failure | None:
        self._nodes.release(self.owned)
        return result

    def _loaded(self) -> Deferred[None]:
        """Fires when all is read, in the order of the calls."""
        loaded: Deferred[None] = Deferred()
        self._loading.append(loaded)
        if len(self._loading) == 1:
            Deferred.fromCoroutine(self._hosted.load()).addBoth(self._on_loaded)
        return loaded

    def _on_loaded(self, result: Failure | None) -> None:
        if not isinstance(result, Failure):
            self._is_loaded = True
            self._nodes.claim_again(self.owned)  # until the process ends
        waiting, self._loading = self._loading, []
        for loaded in waiting:
            loaded.callback(result)  # a Failure goes to each errback
