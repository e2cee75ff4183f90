"""The nodes of a domain that are alive: each writes a beat twice a second, and the others fence one that stops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.clock import Clock
from cluster.base.storage import log_failed
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import NodeKeys
from cluster.redisio.masters import LONGEST_RETRY_S

HEARTBEAT_S = 0.5
MISSED_HEARTBEATS = 6
"""A node without a beat for this many of our own is gone: after 3 to 3.5 s. Counting our own beats, and only those that
Redis confirmed, makes a pause of Redis or of this process no evidence against another node."""
LEASE_S = (MISSED_HEARTBEATS - 1) * HEARTBEAT_S
"""For this time after a beat no other node can have fenced this one, even if it hung meanwhile."""
GRACE_HEARTBEATS = int(LONGEST_RETRY_S / HEARTBEAT_S) + 1
"""Additional beats after a new connection: the others may still wait before they try to connect again."""

# keys: members, beats; arguments: node, incarnation
_BEAT = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return false end
redis.call('HINCRBY', KEYS[2], ARGV[1], 1)
return {redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2])}
"""
# keys: members; arguments: node, incarnation
_EXPEL = "if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then return redis.call('HDEL', KEYS[1], ARGV[1]) end"


class Members:
    """The nodes of a domain, as one of them sees them. A process is identified by its node's name and its
    incarnation."""

    _log = Logger()

    def __init__(self, reactor: Clock, client: RedisClient, keys: NodeKeys, name: str, incarnation: str) -> None:
        """`incarnation` is a new one for each process."""
        self.name = name
        self.present: dict[str, str] = {}
        """The incarnation of each present node, including this one."""
        self._reactor = reactor
        self._client = client
        self._keys = keys
        self._incarnation = incarnation
        self._beats: dict[str, bytes] = {}
        self._silent: Counter[str] = Counter()
        self._is_looking = False
        self._timer: Any = None
        self._sure_until_s = 0.0
        self._has_left = False
        self._changed: Callable[[], None]
        self._expelled: Callable[[], None]

    @property
    def me(self) -> str:
        """This process, as the owner of something."""
        return f"{self.name}#{self._incarnation}"

    def holds_lease(self) -> bool:
        """No other node can have fenced this process by now."""
        return bool(self._reactor.seconds() < self._sure_until_s)

    async def join(self, changed: Callable[[], None], expelled: Callable[[], None]) -> None:
        """Become a member: `changed` is called when a node came or went, or changed what it has. `expelled`: the others
        have fenced this process."""
        self._changed, self._expelled = changed, expelled
        await self._client.execute("HSET", self._keys.members, self.name, self._incarnation)
        await self._client.execute("SADD", self._keys.domains, self.name)
        await self._beat()
        self._client.when_connected(self._on_connected, self._keys.members)
        await self._client.subscribe(self._keys.changes, self._on_notice, lambda: self._look(always=True))
        self.tell()
        self._beat_later()

    async def leave(self) -> None:
        """Leave at once, so that the others need not wait for missing beats."""
        self._has_left = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._client.post("EVAL", _EXPEL, 1, self._keys.members, self.name, self._incarnation)
        self.tell()

    def tell(self) -> None:
        """Make the others look again."""
        self._client.post("PUBLISH", self._keys.changes, self.name)

    def _on_notice(self, message: bytes) -> None:
        if message.decode(errors="replace") != self.name:
            self._look(always=True)

    def _beat_later(self) -> None:
        self._timer = self._reactor.callLater(HEARTBEAT_S, self._on_time)

    def _on_connected(self) -> None:
        self._silent = Counter(dict.fromkeys(self.present, -GRACE_HEARTBEATS))

    def _on_time(self) -> None:
        self._beat_later()
        if not self._is_looking:
            self._look(always=False)

    def _look(self, always: bool) -> None:
        self._is_looking = True
        looking = Deferred.fromCoroutine(self._look_again(always))
        looking.addErrback(self._on_failed)

    async def _look_again(self, always: bool) -> None:
        before = dict(self.present)
        try:
            await self._beat()
        finally:
            self._is_looking = False
        if not always:
            self._fence_missing()
        if always or self.present != before:
            self._changed()

    async def _beat(self) -> None:
        keys, begun_s = (self._keys.members, self._keys.beats), self._reactor.seconds()
        reply = await self._client.execute("EVAL", _BEAT, 2, *keys, self.name, self._incarnation)
        if reply is None:
            if not self._has_left:
                await self.leave()
                self._expelled()
            return
        self._sure_until_s = begun_s + LEASE_S
        members, beats = reply
        self.present = {name.decode(): incarnation.decode() for name, incarnation in _pairs(members)}
        for name, beat in _pairs(beats):
            if self._beats.get(name.decode()) != beat:
                self._beats[name.decode()] = beat
                self._silent[name.decode()] = 0

    def _fence_missing(self) -> None:
        """After one more beat of this node: fence the nodes that have missed too many."""
        for name, incarnation in self.present.items():
            self._silent[name] += name != self.name
            if self._silent[name] > MISSED_HEARTBEATS:
                self._silent[name] = 0
                self._log.warn("{name} has said nothing for {beats} beats: gone", name=name, beats=MISSED_HEARTBEATS)
                self._client.post("EVAL", _EXPEL, 1, self._keys.members, name, incarnation)
                self.tell()

    def _on_failed(self, failure: Failure) -> None:
        log_failed(self._log, "Looking for the other nodes", failure)


def _pairs(flat: list[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(flat[::2], flat[1::2], strict=True))
