"""The owner of each account: the node of the domain that has it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from cluster.base.clock import Clock
from cluster.membership.members import Members
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import NodeKeys
from cluster.redisio.pages import read_hash

RETRY_S = 0.2
"""How long to wait for the heir of a node before looking again; the heir also announces that it is done."""


def inbox(node: str) -> str:
    """The name of a node's inbox among the readers; no domain has a space."""
    return f"inbox {node}"


# keys: owners, members, readers; arguments: localpart, the member, whether it may inherit
# An account of a process that is gone goes to the reader of that node's inbox, whose frames come first.
_CLAIM = """
local holder = redis.call('HGET', KEYS[1], ARGV[1])
if holder and holder ~= ARGV[2] then
  local node, incarnation = string.match(holder, '^(.-)#(.*)$')
  if redis.call('HGET', KEYS[2], node) == incarnation then return {node, ''} end
  if ARGV[3] == '0' or redis.call('HGET', KEYS[3], 'inbox ' .. node) ~= ARGV[2] then return {'', ''} end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  return {ARGV[2], node}
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return {ARGV[2], ''}
"""


class Owners:
    """The accounts of this node, and the owners of others."""

    def __init__(self, reactor: Clock, client: RedisClient, keys: NodeKeys, members: Members) -> None:
        self.inherited: dict[str, str] = {}
        """Accounts of nodes that are gone, claimed here and not adopted yet, with the name of the node."""
        self.inherits = False
        """Claims are now for the takeover of a node that is gone; all others wait until that is over."""
        self._reactor = reactor
        self._client = client
        self._keys = keys
        self._members = members
        self._uses: dict[str, int] = {}
        self._asking: dict[tuple[str, bool], list[Deferred[str]]] = {}
        self._waiting_for_heir: dict[tuple[str, bool], None] = {}
        self._timer: Any = None

    def claim(self, localpart: str) -> Deferred[str]:
        """For `Nodes.claim`. One that is claimed here costs no round trip to Redis."""
        inherits = self.inherits
        if localpart in self._uses and (inherits or localpart not in self.inherited):
            self._uses[localpart] += 1
            return succeed(self._members.name)
        claimed: Deferred[str] = Deferred()
        waiting = self._asking.setdefault((localpart, inherits), [])
        waiting.append(claimed)
        if len(waiting) == 1:
            self._ask(localpart, inherits)
        return claimed

    def claim_left(self, localpart: str) -> Deferred[str]:
        """As `claim`, for the takeover of an account from a node that is gone."""
        before, self.inherits = self.inherits, True
        try:
            return self.claim(localpart)
        finally:
            self.inherits = before

    def claim_again(self, localpart: str) -> None:
        """One use more of what is claimed here."""
        self._uses[localpart] += 1

    def release(self, localpart: str) -> None:
        """One use less; with the last one, other nodes may claim it."""
        self._uses[localpart] -= 1
        if not self._uses[localpart]:
            del self._uses[localpart]
            if localpart not in self.inherited:  # otherwise it must stay known that it was never adopted
                self._client.post("HDEL", self._keys.owners, localpart)

    async def left_by(self, node: str) -> list[str]:
        """The accounts of former processes of this node, claimed here already or not."""
        flat = await read_hash(self._client, self._keys.owners)
        present = f"{node}#{self._members.present.get(node)}".encode()
        holders = [(localpart.decode(), holder) for localpart, holder in flat.items() if holder != present]
        left = [localpart for localpart, holder in holders if holder.startswith(f"{node}#".encode())]
        return [*(localpart for localpart, former in self.inherited.items() if former == node), *left]

    def look_again(self) -> None:
        """Ask again: an heir may be done."""
        waiting, self._waiting_for_heir = self._waiting_for_heir, {}
        for localpart, inherits in waiting:
            self._ask(localpart, inherits)

    def _ask(self, localpart: str, inherits: bool) -> None:
        keys = (self._keys.owners, self._keys.members, self._keys.readers)
        asked = self._client.execute("EVAL", _CLAIM, 3, *keys, localpart, self._members.me, int(inherits))
        who = (localpart, inherits)
        asked.addCallbacks(self._on_holder, self._on_failed, callbackArgs=who, errbackArgs=who)

    def _on_holder(self, reply: list[Any], localpart: str, inherits: bool) -> None:
        holder, former = reply[0].decode(), reply[1].decode()
        if former:
            self.inherited[localpart] = former
        if not holder or (localpart in self.inherited and not inherits):
            self._wait_for_heir(localpart, inherits)
            return
        waiting = self._asking.pop((localpart, inherits))
        if holder == self._members.me:
            self._uses[localpart] = self._uses.get(localpart, 0) + len(waiting)
            holder = self._members.name
        for claimed in waiting:
            claimed.callback(holder)

    def _on_failed(self, failure: Failure, localpart: str, inherits: bool) -> None:
        for claimed in self._asking.pop((localpart, inherits)):
            claimed.errback(failure)

    def _wait_for_heir(self, localpart: str, inherits: bool) -> None:
        self._waiting_for_heir[localpart, inherits] = None
        if self._timer is None or not self._timer.active():
            self._timer = self._reactor.callLater(RETRY_S, self.look_again)

    def stop(self) -> None:
        """Fail the waiting claims."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
