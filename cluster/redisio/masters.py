"""A connection to each master of a Redis: to the only one, or to all of a cluster. Each is renewed when lost."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any

from hiredis import ReplyError
from twisted.internet.defer import CancelledError, Deferred, DeferredList, TimeoutError
from twisted.internet.error import ConnectionLost
from twisted.internet.task import deferLater
from twisted.logger import Logger

from cluster.base.backoff import Backoff
from cluster.base.clock import Reactor, as_interface
from cluster.redisio.connection import UNREACHABLE, OnPush, open_connection
from cluster.redisio.layout import Address, Poll, key
from cluster.redisio.protocol import RedisProtocol
from cluster.redisio.sentinel import named_master
from cluster.redisio.silence import Patience
from cluster.redisio.slots import SLOTS, slot
from cluster.redisio.url import RedisUrl

FIRST_RETRY_S = 0.05
"""A Redis that restarts on the same machine is back within such a time."""
LONGEST_RETRY_S = 5.0
CLOSE_S = 2.0
"""Time limit for a Redis to read what was written last."""
DRAIN_S = 1.0
"""Once a Redis answers again: time limit for commands that were written over a connection that was given up."""


Admit = Callable[[RedisProtocol], Coroutine[Deferred[Any], Any, None]]
"""Looks at a new connection before anybody else may use it. Fails with one of UNREACHABLE if it must not be used."""


class Masters:
    """Each master is connected to, lost, and connected to again separately: commands about other keys are not affected.

    Order is kept for each key, and for a domain, whose keys and channels have one tag.
    """

    _log = Logger()

    def __init__(
        self, reactor: Reactor, url: RedisUrl, patience: Patience, jitter: Callable[[], float], on_push: OnPush,
        on_connected: Callable[[], None], on_lost: Callable[[Address], None], admit: Admit,
    ) -> None:  # fmt: skip
        """`on_connected` is called with each new connection, when `admit` has returned; `on_lost` before the pending
        commands of a lost one fail."""
        self._reactor = reactor
        self._url = url
        self._patience = patience
        self._backoff = Backoff(FIRST_RETRY_S, LONGEST_RETRY_S, jitter)
        self._on_push = on_push
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._admit = admit
        self._nodes: dict[Address, RedisProtocol] = {}
        self._only: RedisProtocol | None = None
        self._by_slot: list[Address] = []
        self._addresses = url.addresses
        self._known: set[Address] = {*url.addresses}
        self._given_up: dict[RedisProtocol, Address] = {}
        self._mending: Deferred[None] | None = None
        self._is_closed = False
        self._closed: Deferred[None] = Deferred()

    @property
    def all(self) -> list[RedisProtocol]:
        """The present connections."""
        return [*self._nodes.values()]

    @property
    def is_complete(self) -> bool:
        """Whether there is a connection to every master."""
        if not self._url.is_cluster:
            return self._only is not None
        return len(self._by_slot) == SLOTS and self._nodes.keys() >= {*self._by_slot}

    def of(self, command: tuple[str | bytes | int, ...]) -> RedisProtocol | None:
        """The connection for a command; None if it is lost."""
        return self._only if not self._url.is_cluster else self.at(key(command))

    def at(self, key: str | bytes | int) -> RedisProtocol | None:
        """The connection to the master of a key or channel; None if it is lost."""
        if not self._url.is_cluster:
            return self._only
        number = slot(key)
        return self._nodes.get(self._by_slot[number]) if number < len(self._by_slot) else None

    async def open(self, about: str) -> None:
        """Connect to all masters; at least to that of the key `about`. Fails with one of UNREACHABLE."""
        try:
            await self._connect()
        except UNREACHABLE:
            if not about or self.at(about) is None:
                await self.close()
                raise
            self._mend()

    async def start(self) -> None:
        """Connect; masters that are down are connected to later."""
        try:
            await self._connect()
        except UNREACHABLE as error:
            self._log.info("No Redis at {url} yet: {error}", url=str(self._url), error=str(error))
            self._mend()

    async def close(self) -> None:
        """Disconnect for good, when all that was written is sent."""
        self._is_closed = True
        if self._mending is not None:
            self._mending.cancel()
        self._forget_given_up({*self._given_up})
        if self._nodes:
            for protocol in self.all:
                protocol.close()
            late = self._reactor.callLater(CLOSE_S, self._abort_all)
            await self._closed
            if late.active():
                late.cancel()

    def _abort_all(self) -> None:
        for protocol in self.all:
            protocol.abort()

    def abort(self, address: Address) -> None:
        """Give up the connection to this address, if there is one."""
        if address in self._nodes:
            self._nodes[address].abort()

    # --- opening connections

    def _mend(self) -> None:
        if self._mending is None and not self._is_closed:
            self._mending = Deferred.fromCoroutine(self._reconnect())
            self._mending.addErrback(lambda failure: self._log.failure("Reconnecting to Redis", failure))

    async def _reconnect(self) -> None:
        try:
            for attempt in count():
                await deferLater(as_interface(self._reactor), self._backoff.pause_s(attempt))
                try:
                    await self._connect()
                except UNREACHABLE as error:
                    self._log.info("No Redis at {url} yet: {error}", url=str(self._url), error=str(error))
                if self.is_complete:
                    self._forget_given_up({*self._given_up})
                    self._log.info("Connected to Redis at {url} again", url=str(self._url))
                    return
        except CancelledError:
            return  # closed meanwhile
        finally:
            self._mending = None

    async def _connect(self) -> None:
        """Connect to the missing masters. When all were tried, fails with the first error."""
        if not self._url.is_cluster:
            await self._open_first()
            return
        layout = await Poll(self._reactor, self._url, [*self._known]).newest()
        self._known = {*self._url.addresses, *layout.nodes}
        before, self._by_slot = self._by_slot, layout.masters
        for moved_from in {was for was, now in zip(before, layout.masters, strict=False) if was != now}:
            self.abort(moved_from)  # pending commands are written again, where the keys are now
        missing = {*layout.masters} - self._nodes.keys()
        opening = [Deferred.fromCoroutine(self._open(address)) for address in sorted(missing)]
        results: list[tuple[bool, Any]] = await DeferredList(opening, consumeErrors=True)
        for succeeded, failure in results:
            if not succeeded:
                failure.raiseException()
        if len(layout.masters) < SLOTS:
            raise ReplyError("CLUSTERDOWN not all slots have a master")

    async def _open_first(self) -> None:
        """Connect to the first address that is a master, or that is of a Sentinel who names one. The others may be
        replicas, or Sentinels who do not know yet. When all were tried, fails with what a Redis or a Sentinel said, or
        else with the first error."""
        errors: list[Exception] = []
        for address in self._addresses:
            try:
                named = await named_master(self._reactor, self._url, address) if self._url.service else address
                await self._open(named)
            except UNREACHABLE as error:
                errors.append(error)
            else:
                self._addresses.sort(key=lambda each: each != address)  # next time, this one is asked first
                return
        raise next((error for error in errors if isinstance(error, ReplyError)), errors[0])

    async def _open(self, address: Address) -> None:
        def lost(protocol: RedisProtocol) -> None:
            self._lose(address, protocol)

        url = self._url if self._url.scheme == "unix" else self._url.at(*address)
        protocol = await open_connection(self._reactor, url, self._patience, self._on_push, lost)
        try:
            if self._url.is_cluster and b"cluster_state:ok" not in await protocol.execute("CLUSTER", "INFO"):
                raise ReplyError(f"CLUSTERDOWN says the node at {url}")
            await self._drain(address)
            await self._admit(protocol)
        except Exception:  # not GeneratorExit: of an ended process, nothing is to go on
            protocol.abort()
            raise
        if protocol.is_over or self._is_closed:
            protocol.abort()
            raise ConnectionLost("it was lost again at once")
        self._nodes[address] = protocol
        self._only = None if self._url.is_cluster else protocol
        self._on_connected()

    async def _drain(self, address: Address) -> None:
        """A Redis that hung first executes the commands it has: nothing new may come before them."""
        before = {protocol for protocol, at in self._given_up.items() if at == address}
        for protocol in before:
            try:
                await protocol.drained().addTimeout(DRAIN_S, as_interface(self._reactor))
            except TimeoutError:
                break  # another Redis answers
        self._forget_given_up(before)

    def _forget_given_up(self, protocols: set[RedisProtocol]) -> None:
        for protocol in protocols:
            self._given_up.pop(protocol, None)
            protocol.abort()

    def _lose(self, address: Address, protocol: RedisProtocol) -> None:
        if protocol.is_given_up:
            self._given_up[protocol] = address
        if self._nodes.get(address) is not protocol:
            return
        del self._nodes[address]
        self._only = None
        if not self._is_closed:
            self._log.warn("Lost the connection to Redis at {url}", url=str(self._url.at(*address)))
            self._mend()
            self._on_lost(address)
        elif not self._nodes:
            self._closed.callback(None)
