"""The nodes of a domain that are alive: each writes a beat twice a second, and the others fence one that stops.

Nobody waits for the beats of a node that is alone, so it writes one in five seconds. A node that joins makes the others
look at once; until it has seen a beat of one of them, it has the patience that a node which was alone needs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from hiredis import ReplyError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.clock import Clock, together_s
from cluster.base.storage import log_failed
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import NodeKeys
from cluster.redisio.masters import LONGEST_RETRY_S
from cluster.redisio.protocol import RedisProtocol

HEARTBEAT_S = 0.5
MISSED_HEARTBEATS = 6
"""A node without a beat for this many of our own is gone: after 3 to 3.5 s. Counting our own beats, and only those that
Redis confirmed, makes a pause of Redis or of this process no evidence against another node."""
LEASE_S = (MISSED_HEARTBEATS - 1) * HEARTBEAT_S
"""For this time after a beat no other node can have fenced this one, even if it hung meanwhile."""
HEARTBEATS_ALONE = 10
"""A node that is alone writes a beat when it would otherwise have written so many."""
LEASE_ALONE_S = LEASE_S + HEARTBEATS_ALONE * HEARTBEAT_S
"""Likewise, after a beat of a node that was alone: a node that joined waits for that much longer."""
GRACE_HEARTBEATS = int(LONGEST_RETRY_S / HEARTBEAT_S) + 1
"""Additional beats after a new connection: the others may still wait before they try to connect again."""

# keys: members, beats; arguments: node, incarnation
_BEAT = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return false end
redis.call('HINCRBY', KEYS[2], ARGV[1], 1)
return {redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2])}
"""
# keys: members, beats; arguments: node, incarnation, its last beat that was seen: one that came since is not missed
_FENCE = """
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] and (redis.call('HGET', KEYS[2], ARGV[1]) or '') == ARGV[3] then
  redis.call('HDEL', KEYS[1], ARGV[1])
end
"""
GIVE_UP = "if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end"
"""Key: a hash of what processes have; arguments: the field, and the value without which it is another process's."""


class Members:
    """The nodes of a domain, as one of them sees them. A process is identified by its node's name and its
    incarnation."""

    _log = Logger()

    def __init__(
        self, reactor: Clock, client: RedisClient, keys: NodeKeys, name: str, incarnation: str,
        assured: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """`incarnation` is a new one for each process. `assured` is called when work that waited for the lease may
        be possible: after each beat, and when Redis is away."""
        self.name = name
        self.present: dict[str, str] = {}
        """The incarnation of each present node, including this one."""
        self._told: dict[str, str] = {}
        """Those at the last look; a new connection may have shown others since."""
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
        self._assured = assured
        self._changed: Callable[[], None]
        self._fenced: Callable[[], None]

    @property
    def me(self) -> str:
        """This process, as the owner of something."""
        return f"{self.name}#{self._incarnation}"

    @property
    def identity(self) -> tuple[str, str, str]:
        """This process, for a script that looks whether it is still a member: `me`, its node, its incarnation."""
        return self.me, self.name, self._incarnation

    def holds_lease(self) -> bool:
        """No other node can have fenced this process by now."""
        return bool(self._reactor.seconds() < self._sure_until_s)

    async def join(self, changed: Callable[[], None], fenced: Callable[[], None]) -> None:
        """Become a member: `changed` is called when a node came or went, or changed what it has. `fenced`: the others
        have fenced this process."""
        self._changed, self._fenced = changed, fenced
        await self._client.execute("HSET", self._keys.members, self.name, self._incarnation)
        await self._client.execute("SADD", self._keys.domains, self.name)
        if not await self._beat(self._client):
            self._on_fenced()
        self._told = self.present
        self._client.when_connected(self._on_connected, self._keys.members)
        await self._client.subscribe(self._keys.changes, self._on_notice, lambda: self._look(always=True))
        self.tell()
        self._beat_later()
        self._client.admit = self._admit

    @property
    def _is_alone(self) -> bool:
        return len(self.present) <= 1

    def leave(self) -> None:
        """Leave at once, so that the others need not wait for missing beats."""
        self._has_left = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._client.post("EVAL", GIVE_UP, 1, self._keys.members, self.name, self._incarnation)
        self.tell()

    def tell(self) -> None:
        """Make the others look again."""
        self._client.post("PUBLISH", self._keys.changes, self.me)

    def _on_notice(self, message: bytes) -> None:
        if message.decode(errors="replace") != self.me:
            self._look(always=True)

    def _beat_later(self) -> None:
        alone_s = together_s(self._reactor, HEARTBEATS_ALONE * HEARTBEAT_S)
        self._timer = self._reactor.callLater(alone_s if self._is_alone else HEARTBEAT_S, self._on_time)

    def _on_connected(self) -> None:
        self._silent = Counter(dict.fromkeys(self.present, -GRACE_HEARTBEATS))
        if self._timer is not None:  # it has joined
            self._look(always=False)

    def _on_time(self) -> None:
        self._beat_later()
        if not self._is_looking:
            self._look(always=False)

    def _look(self, always: bool) -> None:
        self._is_looking = True
        looking = Deferred.fromCoroutine(self._look_again(always))
        looking.addErrback(self._on_failed)

    async def _look_again(self, always: bool) -> None:
        try:
            is_member = await self._beat(self._client)
        finally:
            self._is_looking = False
        if not is_member:
            self._on_fenced()
            return
        self._assured()
        before, self._told = self._told, self.present
        if len(before) <= 1 and not self._is_alone and self._timer is not None and self._timer.active():
            self._timer.cancel()
            self._beat_later()
        if not always:
            self._fence_missing()
        if always or self.present != before:
            self._changed()

    async def _admit(self, connection: RedisProtocol) -> None:
        """Beat over a new connection before anything else is written: what waits for one must not be written by a
        process that was fenced meanwhile."""
        try:
            if not await self._beat(connection):
                self._reactor.callLater(0, self._on_fenced)  # it closes the client, which is opening this connection
        except ReplyError:  # Redis accepts no writes, or is the master of other keys
            return
        if not self.holds_lease():
            raise ConnectionLost("the other nodes may have fenced this process")

    async def _beat(self, over: RedisClient | RedisProtocol) -> bool:
        """Whether this process is still a member."""
        keys, begun_s = (self._keys.members, self._keys.beats), self._reactor.seconds()
        reply = await over.execute("EVAL", _BEAT, 2, *keys, self.name, self._incarnation)
        if reply is None:
            self._sure_until_s = 0.0
            return False
        members, beats = reply
        self.present = {name.decode(): incarnation.decode() for name, incarnation in _pairs(members)}
        self._sure_until_s = begun_s + (LEASE_ALONE_S if self._is_alone else LEASE_S)
        for name, beat in ((name.decode(), beat) for name, beat in _pairs(beats)):
            if self._beats.get(name) != beat:
                self._silent[name] = 0 if name in self._beats else -HEARTBEATS_ALONE
                self._beats[name] = beat
        return True

    def _on_fenced(self) -> None:
        if not self._has_left:
            self.leave()
            self._fenced()

    def _fence_missing(self) -> None:
        """After one more beat of this node: fence the nodes that have missed too many."""
        for name, incarnation in self.present.items():
            self._silent[name] += name != self.name
            if self._silent[name] > MISSED_HEARTBEATS:
                self._silent[name] = 0
                self._log.warn("{name} has said nothing for {beats} beats: gone", name=name, beats=MISSED_HEARTBEATS)
                keys = self._keys.members, self._keys.beats
                self._client.post("EVAL", _FENCE, 2, *keys, name, incarnation, self._beats.get(name, b""))
                self.tell()

    def _on_failed(self, failure: Failure) -> None:
        self._assured()
        log_failed(self._log, "Looking for the other nodes", failure)


def _pairs(flat: list[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(flat[::2], flat[1::2], strict=True))
