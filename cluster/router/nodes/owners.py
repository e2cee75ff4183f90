"""Which account belongs to which node of a domain."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from cluster.redisio.client import RedisClient
from cluster.redisio.keys import NodeKeys
from cluster.router.nodes.members import Members

RETRY_S = 0.2
"""How long to wait for the heir of a node at the most before looking again; it tells when it is done."""


def inbox(node: str) -> str:
    """By what the right to read a node's inbox is known among the readers; no domain has a space."""
    return f"inbox {node}"


# keys: owners, members, readers; arguments: localpart, who wants it
# An account of a process that is gone goes to whoever reads that node's inbox, for what is in there comes first.
_CLAIM = """
local holder = redis.call('HGET', KEYS[1], ARGV[1])
if holder and holder ~= ARGV[2] then
  local node, incarnation = string.match(holder, '^(.-)#(.*)$')
  if redis.call('HGET', KEYS[2], node) == incarnation then return {node, 0} end
  if redis.call('HGET', KEYS[3], 'inbox ' .. node) ~= ARGV[2] then return {'', 0} end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  return {ARGV[2], 1}
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return {ARGV[2], 0}
"""


class Owners:
    """The accounts that belong to this node, and where the others are."""

    def __init__(self, reactor: Any, client: RedisClient, keys: NodeKeys, members: Members) -> None:
        self.inherited: set[str] = set()
        """Accounts of nodes that are gone, which were claimed here and not adopted yet."""
        self._reactor = reactor
        self._client = client
        self._keys = keys
        self._members = members
        self._uses: dict[str, int] = {}
        self._asking: dict[str, list[Deferred[str]]] = {}
        self._waiting_for_heir: set[str] = set()
        self._timer: Any = None

    def claim(self, localpart: str) -> Deferred[str]:
        """See `Nodes.claim`."""
        if localpart in self._uses:
            self._uses[localpart] += 1
            return succeed(self._members.name)
        claimed: Deferred[str] = Deferred()
        if localpart in self._asking:
            self._asking[localpart].append(claimed)
        else:
            self._asking[localpart] = [claimed]
            self._ask(localpart)
        return claimed

    def release(self, localpart: str) -> None:
        """See `Nodes.release`."""
        self._uses[localpart] -= 1
        if not self._uses[localpart]:
            del self._uses[localpart]
            if localpart not in self.inherited:  # else it must be known that it was never adopted
                self._client.post("HDEL", self._keys.owners, localpart)

    async def left_by(self, node: str) -> list[str]:
        """The accounts of former processes of this node."""
        flat = await self._client.execute("HGETALL", self._keys.owners)
        present = f"{node}#{self._members.present.get(node)}".encode()
        holders = [(localpart.decode(), holder) for localpart, holder in flat.items() if holder != present]
        left = [localpart for localpart, holder in holders if holder.startswith(f"{node}#".encode())]
        return [*self.inherited, *left]

    def look_again(self) -> None:
        """An heir may be done."""
        waiting, self._waiting_for_heir = self._waiting_for_heir, set()
        for localpart in waiting:
            self._ask(localpart)

    def _ask(self, localpart: str) -> None:
        keys = (self._keys.owners, self._keys.members, self._keys.readers)
        asked = self._client.execute("EVAL", _CLAIM, 3, *keys, localpart, self._members.me)
        asked.addCallbacks(self._on_holder, self._on_failed, callbackArgs=(localpart,), errbackArgs=(localpart,))

    def _on_holder(self, reply: list[Any], localpart: str) -> None:
        holder, inherited = reply[0].decode(), reply[1]
        if not holder:
            self._wait_for_heir(localpart)
            return
        if inherited:
            self.inherited.add(localpart)
        waiting = self._asking.pop(localpart)
        if holder == self._members.me:
            self._uses[localpart] = len(waiting)
            holder = self._members.name
        for claimed in waiting:
            claimed.callback(holder)

    def _on_failed(self, failure: Failure, localpart: str) -> None:
        for claimed in self._asking.pop(localpart):
            claimed.errback(failure)

    def _wait_for_heir(self, localpart: str) -> None:
        self._waiting_for_heir.add(localpart)
        if self._timer is None or not self._timer.active():
            self._timer = self._reactor.callLater(RETRY_S, self.look_again)

    def stop(self) -> None:
        """Nobody waits any more."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
