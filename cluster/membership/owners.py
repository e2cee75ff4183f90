"""The owner of each account: the node of the domain that has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from cluster.base.clock import Clock
from cluster.membership.members import GIVE_UP, Members
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import NodeKeys
from cluster.redisio.pages import read_hash

RETRY_S = 0.2
"""How long to wait for the heir of a node, or for Redis, before asking again; the heir also announces its end."""


_takeover: ContextVar[tuple[Owners, Callable[[], bool]] | None] = ContextVar("takeover", default=None)
"""Whose takeover of a node that is gone the present work is part of, and whether that goes on."""


def inbox(node: str) -> str:
    """The name of a node's inbox among the readers; no domain has a space."""
    return f"inbox {node}"


# keys: owners, members, readers; arguments: localpart, the member, its node, its incarnation, whether it may inherit
# An account of a process that is gone goes to the reader of that node's inbox, whose frames come first.
_CLAIM = """
if redis.call('HGET', KEYS[2], ARGV[3]) ~= ARGV[4] then return {'', ''} end
local holder = redis.call('HGET', KEYS[1], ARGV[1])
if holder and holder ~= ARGV[2] then
  local node, incarnation = string.match(holder, '^(.-)#(.*)$')
  if redis.call('HGET', KEYS[2], node) == incarnation then return {node, ''} end
  if ARGV[5] == '0' or redis.call('HGET', KEYS[3], 'inbox ' .. node) ~= ARGV[2] then return {'', ''} end
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
        self._reactor = reactor
        self._client = client
        self._keys = keys
        self._members = members
        self._uses: dict[str, int] = {}
        self._asking: dict[tuple[str, bool], list[Deferred[str]]] = {}
        self._waiting: dict[tuple[str, bool], None] = {}  # for an heir, or for Redis
        self._answered: set[tuple[str, bool]] = set()
        """Answered while Redis was asked, whose reply is of no use any more."""
        self._timer: Any = None

    @contextmanager
    def taking_over(self, goes_on: Callable[[], bool]) -> Iterator[None]:
        """Claims from here, and from what comes of this later, are for the takeover of a node that is gone, while that
        `goes_on`; all others wait until it is over."""
        before = _takeover.set((self, goes_on))
        try:
            yield
        finally:
            _takeover.reset(before)

    @property
    def _inherits(self) -> bool:
        """This claim is for a takeover."""
        takeover = _takeover.get()
        return takeover is not None and takeover[0] is self and takeover[1]()

    def claim(self, localpart: str) -> Deferred[str]:
        """For `Nodes.claim`. One that is claimed here costs no round trip to Redis."""
        inherits = self._inherits
        is_owned = localpart in self._uses and (inherits or localpart not in self.inherited)
        if is_owned and (localpart, inherits) not in self._asking:  # else it would overtake what waits
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
        with self.taking_over(lambda: True):
            return self.claim(localpart)

    def claim_again(self, localpart: str) -> None:
        """One use more of what is claimed here."""
        self._uses[localpart] += 1

    def release(self, localpart: str) -> None:
        """One use less; with the last one, other nodes may claim it."""
        self._uses[localpart] -= 1
        if not self._uses[localpart]:
            del self._uses[localpart]
            if localpart not in self.inherited:  # otherwise it must stay known that it was never adopted
                self._client.post("EVAL", GIVE_UP, 1, self._keys.owners, localpart, self._members.me)

    async def left_by(self, node: str) -> list[str]:
        """The accounts of former processes of this node, claimed here already or not."""
        flat = await read_hash(self._client, self._keys.owners)
        present = f"{node}#{self._members.present.get(node)}".encode()
        holders = [(localpart.decode(), holder) for localpart, holder in flat.items() if holder != present]
        left = [localpart for localpart, holder in holders if holder.startswith(f"{node}#".encode())]
        return [*(localpart for localpart, former in self.inherited.items() if former == node), *left]

    def adopted(self, localpart: str) -> None:
        """Its inheritance is over. What waits for it is answered before this returns, since the account is online now:
        what comes next finds it there, and would overtake what waits."""
        self.inherited.pop(localpart, None)
        who = (localpart, False)
        waiting = self._asking.pop(who, [])
        if waiting and who not in self._waiting:
            self._answered.add(who)
        self._waiting.pop(who, None)
        self._uses[localpart] += len(waiting)
        for claimed in waiting:
            claimed.callback(self._members.name)

    def look_again(self) -> None:
        """Ask again: an heir may be done, or Redis back."""
        waiting, self._waiting = self._waiting, {}
        for localpart, inherits in waiting:
            self._ask(localpart, inherits)

    def _ask(self, localpart: str, inherits: bool) -> None:
        keys = (self._keys.owners, self._keys.members, self._keys.readers)
        asked = self._client.execute("EVAL", _CLAIM, 3, *keys, localpart, *self._members.identity, int(inherits))
        who = (localpart, inherits)
        asked.addCallbacks(self._on_holder, self._on_failed, callbackArgs=who, errbackArgs=who)

    def _on_holder(self, reply: list[Any], localpart: str, inherits: bool) -> None:
        if self._is_of_no_use(localpart, inherits):
            return
        holder, former = reply[0].decode(), reply[1].decode()
        if former:
            self.inherited[localpart] = former
        if not holder or (localpart in self.inherited and not inherits):
            self._ask_later(localpart, inherits)
            return
        waiting = self._asking.pop((localpart, inherits))
        if holder == self._members.me:
            self._uses[localpart] = self._uses.get(localpart, 0) + len(waiting)
            holder = self._members.name
        for claimed in waiting:
            claimed.callback(holder)

    def _on_failed(self, failure: Failure, localpart: str, inherits: bool) -> None:
        """While Redis is away they wait: what is for the account could go nowhere else."""
        if self._is_of_no_use(localpart, inherits):
            return
        if isinstance(failure.value, ConnectionLost):
            self._ask_later(localpart, inherits)
            return
        for claimed in self._asking.pop((localpart, inherits)):
            claimed.errback(failure)

    def _is_of_no_use(self, localpart: str, inherits: bool) -> bool:
        """Whether this reply is to a question that was answered meanwhile."""
        was_answered = (localpart, inherits) in self._answered
        self._answered.discard((localpart, inherits))
        return was_answered

    def _ask_later(self, localpart: str, inherits: bool) -> None:
        self._waiting[localpart, inherits] = None
        if self._timer is None or not self._timer.active():
            self._timer = self._reactor.callLater(RETRY_S, self.look_again)

    def stop(self) -> None:
        """Fail the waiting claims."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
