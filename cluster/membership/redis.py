"""The nodes of a domain over Redis: inboxes as streams, and hashes of members and owners."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override

from cluster.base.clock import Clock, as_interface
from cluster.base.settled import Settled
from cluster.base.storage import insist, is_away, log_failed
from cluster.base.turn import Turn
from cluster.membership.assignment import HashedLinks
from cluster.membership.members import Members
from cluster.membership.owners import Owners, inbox
from cluster.membership.port import Frame, Nodes, Server
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import NodeKeys
from cluster.router.assignment import AllLinks
from cluster.router.entry_id import EntryId
from cluster.router.guard import MAX_UNSETTLED, MAX_UNSETTLED_BYTES
from cluster.router.inbound import Inbound
from cluster.router.outbound import Outbound
from cluster.router.port import HopRecorder

LOOK_AGAIN_S = 0.02
"""How soon to look again whether an inbox has been read, or may be read."""


class Inbox:
    """The sink of the inbox of one node for another: as a `LinkGuard` for a link."""

    _log = Logger()

    def __init__(self, node: str, server: Server, owners: Owners, is_left: Callable[[], bool], kind: str = "") -> None:
        """`is_left`: the node of the inbox is gone, and is not taken over yet. `kind`: in the places of its frames."""
        self._node = node
        self._kind = kind
        self._server = server
        self._owners = owners
        self._is_left = is_left

    def may_read(self, unsettled: int, unsettled_bytes: int) -> bool:
        """The same bounds as for a link."""
        return unsettled < MAX_UNSETTLED and unsettled_bytes < MAX_UNSETTLED_BYTES

    def take(self, entry_id: str, frames: list[Any], first: int = 0) -> Settled:
        """Pass on the frames of one entry. It settles when all have, or fails if it has to be read again.

        That is if the storage is away or refuses. Any other failure is logged and settles the frame.
        """
        with self._owners.taking_over(self._is_left):
            places = (f"{self._kind}{self._node}:{entry_id}:{index}" for index in range(first, first + len(frames)))
            settling = [self._hand_on(frame, place) for frame, place in zip(frames, places, strict=True)]
        unsettled = {each: None for each in settling if each is not None}  # many of which are the same
        return DeferredList(unsettled, consumeErrors=True).addCallback(self._on_all_settled) if unsettled else None

    def _hand_on(self, frame: Any, place: str) -> Settled:
        try:
            return self._server.take(self._node, frame, place)
        except Exception:  # one frame must not delay the others forever
            self._log.failure("Taking what {node} sent", node=self._node)
            return None

    def _on_all_settled(self, results: list[tuple[bool, Any]]) -> None:
        failures = [result for succeeded, result in results if not succeeded]
        for failure in failures:
            if is_away(failure.value):
                raise failure.value
        for failure in failures:
            self._log.failure("Taking what {node} sent", failure, node=self._node)

    def let_go(self) -> None:
        """Nothing to do: nothing is held back here."""


class RedisNodes(Nodes):
    """The nodes of a domain, in Redis. A node that is gone has an heir, which reads its inbox and then adopts its
    accounts."""

    _log = Logger()

    def __init__(
        self,
        reactor: Clock,
        client: RedisClient,
        keys: NodeKeys,
        *,
        turn: Turn,
        name: str,
        incarnation: str,
        tracer: HopRecorder,
        max_backlog: int,
        decode: Callable[[bytes], list[Any]],
    ) -> None:
        """`client` is connected, and `turn` is that of all writers to it.

        `incarnation` is new for each process; `decode` reads a batch of frames.

        `max_backlog`: batches that may wait for another node.
        """
        self.name = name
        self._reactor = reactor
        self._turn = turn
        self._client = client
        self._keys = keys
        self._decode = decode
        self._members = Members(reactor, client, keys, name, incarnation, turn.run)
        self._owners = Owners(reactor, client, keys, self._members)
        self._outbound = Outbound(reactor, turn, client, keys, name, tracer, max_backlog)
        self._to_homes = Outbound(reactor, turn, client, keys.home, name, tracer, max_backlog)
        self._home = Inbound(reactor, turn, client, keys.home, name, AllLinks(self._members.holds_lease), decode)
        self.share = HashedLinks(reactor, client, keys, self._members)
        self._inboxes: dict[str, Inbound] = {}
        self._taking_over: set[str] = set()
        self._left: dict[str, int] = {}  # nodes that are gone, and not taken over by this one; which was lost first
        self._losses = count(1)
        self._known: dict[str, str] = {}
        self._server: Server
        self._is_stopped = False
        self.on_change: Callable[[], None] = lambda: None
        """Called when the shares of the nodes may have changed."""
        self.on_gone: Callable[[], None] = lambda: None
        """Called when the process of another node is gone."""

    @property
    @override
    def is_alone(self) -> bool:
        """A node that another one has taken over counts until that one is gone too."""
        return len(self._members.present) <= 1 and not self._left

    @override
    def claim(self, localpart: str) -> Deferred[str]:
        return self._owners.claim(localpart)

    @override
    def claim_again(self, localpart: str) -> None:
        self._owners.claim_again(localpart)

    @override
    def release(self, localpart: str) -> None:
        self._owners.release(localpart)

    @override
    def send(self, node: str, frame: Frame) -> Settled:
        return self._outbound.link(node).send(frame)  # type: ignore[arg-type]  # links carry what has a size

    @override
    def send_home(self, node: str, frame: Frame) -> Settled:
        return self._to_homes.link(node).send(frame)  # type: ignore[arg-type]

    @override
    async def start(self, server: Server) -> None:
        """A former process of this name is fenced by it; its accounts are adopted before this returns."""
        self._server = server
        self._outbound.start(server.refuse)
        self._to_homes.start(server.refuse)
        await self._members.join(self._on_change, server.fenced)
        self._turn.may_run = self._may_run
        self._known = dict(self._members.present)
        self._left = dict.fromkeys(await self._all() - self._known.keys(), 0)
        while not await self._inherit([self.name]):
            # the heir of this node reads its inbox, and sees that it is back
            await deferLater(as_interface(self._reactor), LOOK_AGAIN_S)
        await self._client.execute("SADD", self._keys.home.domains, self.name)
        await self._home.start(lambda from_, _: Inbox(from_, server, self._owners, lambda: False, "home "))
        self.share.is_open = True
        self._on_change()

    @override
    async def stop(self) -> None:
        self._is_stopped = True
        self._owners.stop()
        for each in [self._home, *self._inboxes.values()]:  # a pending change may add one meanwhile
            await each.stop()
        await self._outbound.drain()
        await self._to_homes.drain()
        self._members.leave()

    def _may_run(self) -> bool:
        """A node that is alone does not wait while Redis is away: what it writes then is not seen by any other."""
        return self._members.holds_lease() or (self.is_alone and not self._client.is_connected(self._keys.members))

    # --- changes of membership

    def _on_change(self) -> None:
        if self._is_stopped:
            return
        before, self._known = self._known, dict(self._members.present)
        for node, incarnation in before.items():
            if self._known.get(node) != incarnation:
                self._left[node] = next(self._losses)
                self._outbound.node_gone()
                self._to_homes.node_gone()
                self.on_gone()
                self._server.gone(node)
        self._left = {node: lost for node, lost in self._left.items() if node not in self._known}
        self._owners.look_again()
        self._look_at_inboxes()
        self.on_change()

    def _look_at_inboxes(self) -> None:
        looking = Deferred.fromCoroutine(self._read_what_is_left())
        looking.addErrback(self._on_failed)

    async def _read_what_is_left(self) -> None:
        """Become the heir of nodes that are gone, as far as they are assigned to this one."""
        present = self._members.present
        back = [each for each in self._inboxes if each in present and each != self.name]
        for node in [each for each in back if each not in self._taking_over]:
            await self._inboxes.pop(node).stop()
            self.share.give_back(inbox(node))
        absent = sorted(await self._all() - present.keys() - self._inboxes.keys())
        absent.sort(key=lambda node: self._left.get(node, 0))  # those that were lost first
        await self._inherit([node for node in absent if self.share.reader_of(node) == self.name])

    async def _all(self) -> set[str]:
        """All nodes that ever existed."""
        return {name.decode() for name in await self._client.execute("SMEMBERS", self._keys.domains)}

    async def _inherit(self, nodes: list[str]) -> bool:
        """Take over from these nodes, of which the first was lost first; False while another process does from one.

        A node may be the heir of one before it: then it has claimed accounts for which there is more in that one's
        inbox. So all accounts are restored before anything is read, and what is older is read first.
        """
        taken = {node: restored for node in nodes if (restored := await self._hold(node)) is not None}
        for node, restored in taken.items():
            await self._take_over(node, restored)
        return all(node in self._inboxes for node in nodes)

    async def _hold(self, node: str) -> list[str] | None:
        """Become the reader of the inbox of this node, and restore its accounts; None if there is nothing to do.

        The node may be back meanwhile. It gets its inbox when this is over: otherwise it would send what it reads there
        on to this node, after newer stanzas of the accounts.
        """
        if not await self.share.hold(inbox(node)) or node in self._inboxes:
            return None
        if node != self.name and node in self._members.present:  # it came back meanwhile, and waits for its inbox
            self.share.give_back(inbox(node))
            return None
        self._inboxes[node] = Inbound(
            self._reactor, self._turn, self._client, self._keys, node, AllLinks(self._members.holds_lease), self._decode
        )
        self._taking_over.add(node)
        restored: list[str] = []
        await self._insist(partial(self._restore, node, restored))
        return restored

    async def _take_over(self, node: str, restored: list[str]) -> None:
        """Read the inbox of this node, and adopt its accounts."""
        reader = self._inboxes[node]
        if not reader.is_stopped:  # otherwise the node is back, and reads it itself
            is_left = partial(self._taking_over.__contains__, node)

            def open_sink(from_: str, _: object) -> Inbox:
                return Inbox(from_, self._server, self._owners, is_left)

            await self._insist(partial(reader.start, open_sink))
        await self._insist(partial(self._wait_until_read, node))
        await self._insist(partial(self._restore, node, restored))  # its claims from before it knew of the loss
        for localpart in restored:
            await self._insist(partial(self._adopt, localpart))
        self._taking_over.discard(node)
        self._left.pop(node, None)
        self._members.tell()
        self._look_at_inboxes()  # the node may be back

    async def _insist(self, step: Callable[[], Coroutine[Deferred[Any], Any, None]]) -> None:
        await insist(self._reactor, step, LOOK_AGAIN_S, lambda: self._is_stopped)

    async def _restore(self, node: str, restored: list[str]) -> None:
        """Claim the accounts of this node, and restore their sessions."""
        for localpart in await self._owners.left_by(node):
            if localpart not in restored and await self._owners.claim_left(localpart) == self.name:
                try:
                    await self._server.restore(localpart)
                except BaseException:
                    self.release(localpart)
                    raise
                restored.append(localpart)

    async def _wait_until_read(self, node: str) -> None:
        """Wait until the entries of the inbox have settled. Later ones, for a node that is back, are not waited for."""
        for from_ in sorted(await self._client.execute("SMEMBERS", self._keys.peers(node))):
            key, last = self._keys.link(node, from_.decode()), None
            while await self._client.execute("XLEN", key):
                stream = await self._client.execute("XINFO", "STREAM", key)
                last = last or EntryId.parse(stream[b"last-generated-id"])
                if not (first := stream[b"first-entry"]) or EntryId.parse(first[0]) > last:
                    break
                await deferLater(as_interface(self._reactor), LOOK_AGAIN_S)

    async def _adopt(self, localpart: str) -> None:
        """Serve the account like any other from now on."""
        await self._server.adopt(localpart)
        self._owners.adopted(localpart)
        self.release(localpart)

    def _on_failed(self, failure: Failure) -> None:
        log_failed(self._log, "Reading the inboxes of nodes that are gone", failure)
