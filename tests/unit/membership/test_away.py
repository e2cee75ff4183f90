"""Nodes while Redis is away or while they hang themselves, over a simulated Redis."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from cluster.base.turn import Turn
from cluster.membership.members import Members
from cluster.membership.owners import Owners
from cluster.membership.redis import RedisNodes
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.server.nodes.frames import StanzaCounted
from cluster.simulated_redis.acl import ALL_RIGHTS, Users
from cluster.simulated_redis.server import SimulatedRedis
from cluster.simulated_redis.stream import Stream
from cluster.trace.hop import Tracer
from cluster.trace.memory import MemoryJournal
from cluster.virtual.network import Network
from cluster.virtual.timeline import NS, Timeline

KEYS = Keys.of_lab("verona").nodes("montague.lit")


def new_redis(network: Network) -> SimulatedRedis:
    users = Users()
    users.set("me", [">pw", *(rule for rule in ALL_RIGHTS if rule != "nopass")])
    redis = SimulatedRedis(network, users, network.timeline.seconds)
    redis.start()
    return redis


def new_client(host: Any) -> RedisClient:
    return RedisClient(host, RedisUrl.parse("redis://me:pw@redis:6379/0"), lambda: 0.5)


class Node:
    """One node of the domain."""

    def __init__(self, network: Network, name: str) -> None:
        host: Any = network.host(name)
        client = new_client(host)
        self.members = Members(host, client, KEYS, name, f"{name}-first")
        self.owners = Owners(host, client, KEYS, self.members)
        self.client = client

    async def join(self) -> None:
        await self.client.connect()
        await self.members.join(lambda: None, lambda: None)


def test_who_has_an_account_is_known_once_redis_is_back() -> None:
    timeline = Timeline()
    network = Network(timeline, "seed")
    redis = new_redis(network)
    one, other = Node(network, "s1"), Node(network, "s1-2")
    for node in (one, other):
        Deferred.fromCoroutine(node.join())
    timeline.run(NS)
    told: list[tuple[str, str]] = []
    one.owners.claim("juliet").addCallback(lambda owner: told.append(("one", owner)))
    timeline.run(2 * NS)
    redis.crash()
    timeline.run(3 * NS)
    for who, node in (("other", other), ("other again", other)):
        node.owners.claim("juliet").addCallback(lambda owner, who=who: told.append((who, owner)))
    timeline.run(5 * NS)
    assert told == [("one", "s1")]
    redis.start()
    timeline.run(15 * NS)
    assert told == [("one", "s1"), ("other", "s1"), ("other again", "s1")]


class Server:
    """Notes what becomes of its node."""

    def __init__(self) -> None:
        self.happened: list[str] = []

    def take(self, node: str, frame: Any, place: str) -> None:
        """Nobody sends frames here."""

    def refuse(self, frame: Any, error: Any) -> None:
        """Nobody sends frames here."""

    def gone(self, node: str) -> None:
        self.happened.append(f"{node} is gone")

    async def restore(self, localpart: str) -> None:
        """There are no sessions."""

    async def adopt(self, localpart: str) -> None:
        """There are no sessions."""

    def fenced(self) -> None:
        self.happened.append("fenced")


class Lab:
    """Nodes of one domain, with a Redis."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.network = Network(self.timeline, "seed")
        self.redis = new_redis(self.network)
        self.servers: dict[str, Server] = {}
        self.turns: dict[str, Turn] = {}
        self.nodes: dict[str, RedisNodes] = {}
        self.hosts: dict[str, Any] = {}
        self.frames: list[Any] = []
        """What each entry of an inbox brings."""

    def start(self, name: str, incarnation: str) -> Deferred[Any]:
        """Start a node; fires when it serves."""
        host = self.hosts[name] = self.network.host(name)
        client = new_client(host)
        turn = self.turns[name] = Turn(host)
        tracer = Tracer(name, MemoryJournal(), lambda: 0, lambda: "", 0, host)
        nodes = self.nodes[name] = RedisNodes(
            host, client, KEYS, turn=turn, name=name, incarnation=incarnation, tracer=tracer, max_backlog=100,
            decode=lambda raw: [*self.frames],
        )  # fmt: skip
        server = self.servers[name] = Server()

        async def begin() -> None:
            await client.connect()
            await nodes.start(server)

        return Deferred.fromCoroutine(begin())

    def holder(self, of: str) -> Any:
        """The process that has the account, or that reads the inbox."""
        return self.redis.do("HGET", KEYS.readers if " " in of else KEYS.owners, of)

    def written(self) -> int:
        """How many entries s1-2 has written to s1."""
        stream = self.redis.values.get(KEYS.link("s1", "s1-2").encode())
        return stream.added if isinstance(stream, Stream) else 0

    def send(self) -> None:
        """Have s1-2 send something to s1."""
        self.hosts["s1-2"].callLater(0, self.nodes["s1-2"].send, "s1", StanzaCounted("a stream"))

    def run(self, seconds: float) -> None:
        self.timeline.run(self.timeline.now_ns + int(seconds * NS))


@pytest.mark.parametrize(("hangs_s", "happens"), [(2.7, ["written"]), (6.0, ["fenced"])])
def test_who_hung_writes_nothing_until_it_knows_whether_it_was_fenced(hangs_s: float, happens: list[str]) -> None:
    """What a fenced node still wrote would be twice with what its heir writes, or be counted by its clients."""
    lab = Lab()
    for name in ("s1", "s1-2"):
        lab.start(name, "first")
    lab.run(2)
    host, work = lab.hosts["s1-2"], lab.servers["s1-2"].happened
    assert lab.redis.do("HLEN", KEYS.members) == 2
    host.callLater(hangs_s + 0.1, lab.turns["s1-2"].add, lambda: work.append("written"))
    lab.run(0.1)
    host.pause()
    lab.run(hangs_s)
    host.resume()
    lab.run(2)
    assert work == happens
    assert lab.servers["s1"].happened == (["s1-2 is gone"] if happens == ["fenced"] else [])


def test_who_was_alone_and_hung_writes_nothing_either() -> None:
    """A node that joined meanwhile has fenced it; it had seen nobody else."""
    lab = Lab()
    lab.start("s1", "first")
    lab.run(2)
    host, work = lab.hosts["s1"], lab.servers["s1"].happened
    host.callLater(20.1, lab.turns["s1"].add, lambda: work.append("written"))
    host.pause()
    lab.start("s1-2", "first")
    lab.run(20)
    assert lab.servers["s1-2"].happened == ["s1 is gone"]
    host.resume()
    lab.run(2)
    assert work == ["fenced"]


def test_who_is_alone_goes_on_while_redis_is_away() -> None:
    lab = Lab()
    lab.start("s1", "first")
    lab.run(2)
    lab.redis.crash()
    lab.run(20)
    work = lab.servers["s1"].happened
    lab.hosts["s1"].callLater(0, lab.turns["s1"].add, lambda: work.append("written"))
    lab.run(1)
    assert work == ["written"]


def fence(lab: Lab) -> None:
    """The hung s1-2, by s1."""
    lab.hosts["s1-2"].pause()
    lab.run(6)
    assert lab.servers["s1"].happened == ["s1-2 is gone"]


@pytest.mark.parametrize("events", range(20))
def test_who_hung_before_its_link_was_open_writes_nothing_to_it(events: int) -> None:
    lab = Lab()
    for name in ("s1", "s1-2"):
        lab.start(name, "first")
    lab.run(2)
    lab.send()
    lab.timeline.run(lab.timeline.now_ns + NS // 100, events)
    fence(lab)
    before = lab.written()
    lab.hosts["s1-2"].resume()
    lab.run(2)
    assert lab.servers["s1-2"].happened == ["fenced"]
    assert lab.written() == before


def test_who_was_fenced_while_redis_was_away_writes_nothing_over_a_new_connection() -> None:
    """It wrote what had waited for Redis, before it knew: a message came twice (two nodes, seeds 59, 139, 203)."""
    lab = Lab()
    for name in ("s1", "s1-2"):
        lab.start(name, "first")
    lab.run(2)
    lab.send()
    lab.run(1)
    assert lab.written() == 1
    lab.redis.crash()
    lab.run(1)
    lab.send()
    lab.run(0.1)
    lab.hosts["s1-2"].pause()
    lab.redis.start()
    lab.run(30)
    assert lab.servers["s1"].happened == ["s1-2 is gone"]
    lab.hosts["s1-2"].resume()
    lab.run(10)
    assert lab.servers["s1-2"].happened == ["fenced"]
    assert lab.written() == 1


def test_what_was_taken_over_is_not_given_up_by_who_hung() -> None:
    """It ended the session of a client that had gone, before it knew: then two nodes had the account, and the one
    without the session answered a probe, and kept a message (two nodes, seed 285)."""
    lab = Lab()
    for name in ("s1", "s1-2"):
        lab.start(name, "first")
    lab.run(2)
    hung = lab.nodes["s1-2"]
    hung.claim("juliet")
    lab.run(1)
    assert lab.holder("juliet") == b"s1-2#first"
    fence(lab)
    lab.nodes["s1"].claim("juliet")
    lab.run(1)
    assert lab.holder("juliet") == b"s1#first"
    hung.release("juliet")
    hung.share.give_back("inbox s1-2")
    lab.hosts["s1-2"].resume()
    lab.run(0.001)
    assert lab.holder("juliet") == b"s1#first"
    assert lab.holder("inbox s1-2") == b"s1#first"


def test_who_was_fenced_claims_nothing() -> None:
    lab = Lab()
    for name in ("s1", "s1-2"):
        lab.start(name, "first")
    lab.run(2)
    fence(lab)
    got: list[str] = []
    lab.nodes["s1-2"].claim("romeo").addCallback(got.append)
    reading = Deferred.fromCoroutine(lab.nodes["s1-2"].share.hold("capulet.lit"))
    lab.hosts["s1-2"].resume()
    lab.run(2)
    assert got == []
    assert lab.holder("romeo") is None
    assert reading.result is False


def test_a_beat_that_comes_in_time_is_not_overtaken_by_its_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other node had looked before it, and was about to fence: the lease of this one would be wrong."""
    lab = Lab()
    for name in ("s1", "s1-2"):
        lab.start(name, "first")
    lab.run(2)
    late: list[tuple[Any, ...]] = []
    monkeypatch.setattr(RedisClient, "post", lambda client, *command: late.append(command))
    lab.hosts["s1-2"].pause()
    lab.run(6)
    monkeypatch.undo()
    lab.hosts["s1-2"].resume()
    lab.run(1)
    assert any(b"s1-2" in map(_bytes, command) for command in late), "it is to be fenced"
    for command in late:
        lab.redis.do(*command)
    lab.run(1)
    assert lab.servers["s1-2"].happened == []


def _bytes(word: str | bytes | int) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode()


@pytest.mark.parametrize("events", range(0, 60, 4))
def test_an_heir_goes_on_when_redis_is_back(events: int) -> None:
    """Redis crashes between any two events of a takeover; the node that is back gets its inbox all the same."""
    lab = Lab()
    for name in ("s1", "s1-2"):
        lab.start(name, "first")
    lab.run(2)
    lab.hosts["s1"].crash()
    while not lab.servers["s1-2"].happened:
        lab.timeline.run(lab.timeline.now_ns + NS, 1)
    lab.timeline.run(lab.timeline.now_ns + NS, events)
    lab.redis.crash()
    lab.run(1)
    lab.redis.start()
    lab.run(10)
    served: list[object] = []
    lab.start("s1", "second").addBoth(served.append)
    lab.run(10)
    assert served == [None]


@pytest.mark.parametrize("events", range(4))
def test_an_answer_to_a_frame_of_who_is_gone_reaches_an_account_that_is_taken_over(events: int) -> None:
    """The answer came later than the frame, and waited until the takeover was over, which waited for the answer: the
    links of the domain were not read any more (two nodes, seed 385)."""
    lab = Lab()
    for name in ("s1", "s1-2"):
        lab.start(name, "first")
    lab.run(2)
    lab.nodes["s1"].claim("juliet")
    lab.run(1)
    heir, host, told = lab.nodes["s1-2"], lab.hosts["s1-2"], list[str]()

    async def answer() -> None:
        for localpart in ("romeo", "juliet"):
            told.append(f"{localpart} is at {await heir.claim(localpart)}")
            heir.release(localpart)
            for _ in range(events):
                await deferLater(host, 0)

    lab.servers["s1-2"].take = lambda *what: Deferred.fromCoroutine(answer())  # type: ignore[method-assign, assignment]
    lab.frames = [StanzaCounted("a stream")]
    lab.hosts["s1"].crash()
    lab.send()
    lab.run(10)
    assert told == ["romeo is at s1-2", "juliet is at s1-2"]
    served: list[object] = []
    lab.start("s1", "second").addBoth(served.append)
    lab.run(10)
    assert served == [None]


def test_who_came_and_went_while_redis_was_away_is_noticed() -> None:
    """The first beat over the new connection shows it, before anybody looks; and makes it beat often."""
    lab = Lab()
    for name in ("s1", "s1-2"):
        lab.start(name, "first")
    lab.run(2)
    lab.redis.crash()
    lab.run(1)
    lab.hosts["s1-2"].crash()
    lab.redis.do("HDEL", KEYS.members, "s1-2")
    lab.redis.start()
    lab.run(10)
    assert lab.servers["s1"].happened == ["s1-2 is gone"]
    lab.redis.crash()
    lab.run(1)
    lab.redis.do("HSET", KEYS.members, "s1-2", "second")
    lab.redis.start()
    before = lab.redis.do("HGET", KEYS.beats, "s1")
    while lab.redis.do("HGET", KEYS.beats, "s1") == before:
        lab.run(0.1)
    beats = int(lab.redis.do("HGET", KEYS.beats, "s1"))
    lab.run(2)
    assert int(lab.redis.do("HGET", KEYS.beats, "s1")) - beats >= 4, "it is not alone any more"
