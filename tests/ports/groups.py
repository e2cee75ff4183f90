"""Domains of several nodes in which the contract of `Nodes` is tried: in memory, and in a real Valkey."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine
from typing import Any, Protocol

import msgspec
from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock as JumpingClock

from cluster.base.clock import Clock
from cluster.base.settled import Settled
from cluster.base.turn import Turn
from cluster.membership.memory import MemoryMembership, MemoryNodes
from cluster.membership.port import Nodes
from cluster.membership.redis import RedisNodes
from cluster.redisio.acl import rules
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.trace.hop import Hop, Tracer
from cluster.xmpp.errors import StanzaError
from tests.harness import ReactorThread, Valkey, until
from tests.ports.worlds import run_on
from tests.valkey_cluster import ValkeyCluster


class Word(msgspec.Struct, frozen=True, tag=True):
    """A frame with a text, and an account that it is about or none."""

    text: str
    about: str = ""
    raw: bytes = b""
    trace_id: str = ""


class Member:
    """One node, which notes what it hears; a word about an account has it claimed."""

    def __init__(self, name: str, holds: Collection[str]) -> None:
        """`holds`: words that do not settle."""
        self.name = name
        self.nodes: Nodes
        self.words: list[tuple[str, str]] = []
        self.claimed: list[tuple[str, str]] = []
        self.left: list[str] = []
        self.was_alone: list[bool] = []
        """As each of those had left."""
        self.restored: list[tuple[str, int]] = []
        """Accounts, and how many words had come before."""
        self.adopted: list[str] = []
        self.refused: list[Any] = []
        self.is_fenced = False
        self.holds = holds
        self.held: list[Deferred[None]] = []
        """What settles those words, when it is fired."""

    def append(self, hop: Hop) -> None:
        """As a `Journal`."""

    def take(self, node: str, frame: Word, place: str) -> Settled:
        self.words.append((node, frame.text))
        if frame.text in self.holds:
            self.held.append(Deferred())
            return self.held[-1]
        if not frame.about:
            return None
        return self.nodes.claim(frame.about).addCallback(lambda owner: self.claimed.append((frame.about, owner)))

    def refuse(self, frame: Any, error: StanzaError) -> None:
        self.refused.append(frame)

    def gone(self, node: str) -> None:
        self.left.append(node)
        self.was_alone.append(self.nodes.is_alone)

    async def restore(self, localpart: str) -> None:
        self.restored.append((localpart, len(self.words)))

    async def adopt(self, localpart: str) -> None:
        self.adopted.append(localpart)

    def fenced(self) -> None:
        self.is_fenced = True


class Group(Protocol):
    """What a scenario needs of the nodes of one domain."""

    clock: Any
    """An IReactorTime."""

    async def join(self, name: str, holds: Collection[str] = ()) -> Member:
        """A node of this name, up; `holds`: see `Member`."""

    async def crash(self, member: Member) -> None:
        """End it without its doing anything more."""

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the reactor go on until the condition holds."""


class InMemory:
    """On a clock that jumps."""

    def __init__(self) -> None:
        self.clock = JumpingClock()
        self._membership = MemoryMembership(self.clock)

    def run(self, scenario: Callable[[Group], Coroutine[Deferred[Any], Any, None]]) -> None:
        run_on(self.clock, scenario(self))

    async def join(self, name: str, holds: Collection[str] = ()) -> Member:
        member = Member(name, holds)
        member.nodes = MemoryNodes(self._membership, name)
        await member.nodes.start(member)
        return member

    async def crash(self, member: Member) -> None:
        assert isinstance(member.nodes, MemoryNodes)
        self._membership.crash(member.nodes)

    async def until(self, condition: Callable[[], object]) -> None:
        await until(self.clock, condition)


class Hurried:
    """The time of a reactor, so many times as fast: a node is missed after eight seconds of its own."""

    TIMES = 10

    def __init__(self, reactor: Clock) -> None:
        self._reactor = reactor

    def seconds(self) -> float:
        return self._reactor.seconds() * self.TIMES

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> DelayedCall:
        return self._reactor.callLater(delay / self.TIMES, callable, *args)


class InRedis:
    """In a real Valkey or a cluster of them, with the rights of a server."""

    def __init__(self, thread: ReactorThread, valkey: Valkey | ValkeyCluster, keys: Keys) -> None:
        self._thread = thread
        self.reactor = self.clock = thread.reactor
        self._keys = keys
        self._members: dict[Member, RedisClient] = {}
        self._incarnations = 0
        self._valkey = valkey
        valkey.make_user(f"{keys.prefix}:m", rules(keys, "montague.lit", "pw"))

    def run(self, scenario: Callable[[Group], Coroutine[Deferred[Any], Any, None]]) -> None:
        async def and_close() -> None:
            try:
                await scenario(self)
            finally:
                for member in [*self._members]:
                    await member.nodes.stop()
                    await self.crash(member)

        self._thread.run(and_close)

    async def join(self, name: str, holds: Collection[str] = ()) -> Member:
        member = Member(name, holds)
        url = RedisUrl.parse(self._valkey.url_of(f"{self._keys.prefix}:m".replace(":", "%3A"), "pw"))
        client = RedisClient(self.reactor, url, lambda: 0.0)
        self._incarnations += 1
        member.nodes = RedisNodes(
            Hurried(self.reactor), client, self._keys.nodes("montague.lit"), turn=Turn(self.reactor), name=name,
            incarnation=str(self._incarnations), tracer=Tracer(name, member, lambda: 0, lambda: "", 0, self.reactor),
            max_backlog=1000, decode=msgspec.msgpack.Decoder(list[Word]).decode,
        )  # fmt: skip
        self._members[member] = client
        await client.connect()
        await member.nodes.start(member)
        return member

    async def crash(self, member: Member) -> None:
        await self._members.pop(member).close()

    async def until(self, condition: Callable[[], object]) -> None:
        await until(self.reactor, condition)
