"""Divides the links and inboxes of a domain among its nodes: by a hash, with one reader at a time."""

from __future__ import annotations

import hashlib
from itertools import permutations
from typing import Any

from twisted.internet.task import deferLater

from cluster.membership.members import GIVE_UP, Members
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import NodeKeys
from cluster.router.fence import LOOK_AGAIN_S

# keys: readers, members; arguments: the link or inbox, the member, its node, its incarnation
_TAKE = """
if redis.call('HGET', KEYS[2], ARGV[3]) ~= ARGV[4] then return 0 end
local holder = redis.call('HGET', KEYS[1], ARGV[1])
if holder and holder ~= ARGV[2] then
  local node, incarnation = string.match(holder, '^(.-)#(.*)$')
  if redis.call('HGET', KEYS[2], node) == incarnation then return 0 end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
"""


class HashedLinks:
    """The assignment of the links into the domain to its nodes, which all compute alike; while they do not agree on the
    members, they take turns."""

    def __init__(self, reactor: Any, client: RedisClient, keys: NodeKeys, members: Members) -> None:
        """`reactor` is an IReactorTime."""
        self._reactor = reactor
        self._client = client
        self._keys = keys
        self._members = members
        self.is_open = False
        """This node reads its share; only after it has taken over from a former process of its name."""

    def is_ours(self, link: str) -> bool:
        """All links out of one domain are read by one node, so that their order is kept."""
        return self.is_open and self.reader_of(link.partition("/")[0]) == self._members.name

    def reader_of(self, name: str) -> str:
        """The node that is to read this; when a node comes or goes, few others move (rendezvous hashing)."""
        return max(self._members.present, key=lambda node: hashlib.sha256(f"{node} {name}".encode()).digest())

    async def take(self, link: str) -> bool:
        """Become its reader, unless another process is.

        Stanzas that the last reader sent on to other nodes may still wait in their inboxes: they are read before this
        returns, or later entries of the link would overtake them.
        """
        if not await self.hold(link):
            return False
        for stream, last in (await self._inboxes()).items():
            while await self._client.execute("XRANGE", stream, "-", last, "COUNT", 1):
                await deferLater(self._reactor, LOOK_AGAIN_S)
        return True

    async def _inboxes(self) -> dict[str, bytes]:
        """The ends of the inboxes that have unread entries of other nodes."""
        nodes = sorted(name.decode() for name in await self._client.execute("SMEMBERS", self._keys.domains))
        name, keys = self._members.name, self._keys
        streams = [keys.link(to, from_) for to, from_ in permutations(nodes, 2) if from_ != name]
        streams += [keys.home.link(name, from_) for from_ in nodes if from_ != name]
        unread: dict[str, bytes] = {}
        for stream in streams:
            if await self._client.execute("XLEN", stream):
                unread[stream] = (await self._client.execute("XINFO", "STREAM", stream))[b"last-generated-id"]
        return unread

    async def hold(self, link: str) -> bool:
        """As `take`, for an inbox: without waiting."""
        keys = (self._keys.readers, self._keys.members)
        return bool(await self._client.execute("EVAL", _TAKE, 2, *keys, link, *self._members.identity))

    def holds_lease(self) -> bool:
        """The other nodes still count this one as alive."""
        return self._members.holds_lease()

    def give_back(self, link: str) -> None:
        """Let another node read it."""
        self._client.post("EVAL", GIVE_UP, 1, self._keys.readers, link, self._members.me)
        self._members.tell()
