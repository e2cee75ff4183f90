"""How the nodes of a domain divide among themselves what has to be read: by a hash, and one reader at a time."""

from __future__ import annotations

import hashlib

from cluster.redisio.client import RedisClient
from cluster.redisio.keys import NodeKeys
from cluster.router.nodes.members import Members

# keys: readers, members; arguments: what to read, who wants to
_TAKE = """
local holder = redis.call('HGET', KEYS[1], ARGV[1])
if holder and holder ~= ARGV[2] then
  local node, incarnation = string.match(holder, '^(.-)#(.*)$')
  if redis.call('HGET', KEYS[2], node) == incarnation then return 0 end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
"""


class NodeShare:
    """A `Share` of the links into the domain. All compute it alike; where they do not agree yet, they take turns."""

    def __init__(self, client: RedisClient, keys: NodeKeys, members: Members) -> None:
        self._client = client
        self._keys = keys
        self._members = members
        self.is_open = False
        """This node reads its share; not before it has taken over what a former process of its name had."""

    def is_ours(self, link: str) -> bool:
        """All links out of one domain go to one node, so that their order is kept."""
        return self.is_open and self.reader_of(link.partition("/")[0]) == self._members.name

    def reader_of(self, name: str) -> str:
        """The node that is to read this; when one comes or goes, little else moves (rendezvous hashing)."""
        return max(self._members.present, key=lambda node: hashlib.sha256(f"{node} {name}".encode()).digest())

    async def take(self, link: str) -> bool:
        """Become its reader, unless another process is."""
        keys = (self._keys.readers, self._keys.members)
        return bool(await self._client.execute("EVAL", _TAKE, 2, *keys, link, self._members.me))

    def is_sure(self) -> bool:
        """See `Share`: the other nodes have not given up this one yet."""
        return self._members.is_sure()

    def give_back(self, link: str) -> None:
        """Let another node read it."""
        self._client.post("HDEL", self._keys.readers, link)
        self._members.tell()
