"""A process whose turns take time is a queue."""

from __future__ import annotations

from cluster.virtual.processor import Cores, Processor, Tally
from cluster.virtual.timeline import NS, Life, State, Timeline
from tests.unit.virtual.ends import End, Pair

TURN_NS = 1_000
LATENCY_NS = 500_000_000
"""Of the wire of a `Pair`."""


class Process:
    """Notes the times of its calls; each of its turns takes TURN_NS."""

    def __init__(self, timeline: Timeline, cores: Cores | None = None) -> None:
        self.life = Life()
        self.done: list[tuple[str, int]] = []
        self.tallies: list[Tally] = []
        self.timeline = timeline
        self.processor = Processor(timeline, self.life, cores or Cores(1), self._cost_ns)

    def _cost_ns(self, tally: Tally) -> int:
        self.tallies.append(tally)
        return TURN_NS

    def at(self, at_ns: int, what: str) -> None:
        self.timeline.call(at_ns - self.timeline.now_ns, self.life, self._do, what)

    def _do(self, what: str) -> None:
        self.done.append((what, self.timeline.now_ns))


def test_what_comes_during_a_turn_is_done_in_the_next_one_all_at_once() -> None:
    timeline = Timeline()
    process = Process(timeline)
    for at_ns, what in ((100, "a"), (300, "b"), (900, "c"), (5_000, "d")):
        process.at(at_ns, what)
    timeline.run(NS)
    assert process.done == [("a", 100), ("b", 1_100), ("c", 1_100), ("d", 5_000)]
    assert [(tally.wakes, tally.calls) for tally in process.tallies] == [(1, 1), (0, 2), (1, 1)]
    assert process.processor.busy_ns == 3 * TURN_NS
    assert process.processor.did.calls == 4


def test_processes_share_the_cores_of_a_machine() -> None:
    timeline, cores = Timeline(), Cores(2)
    one, two, three = processes = [Process(timeline, cores) for _ in range(3)]
    for process in processes:
        process.at(100, "a")
    timeline.run(NS)
    assert (one.done, two.done, three.done) == ([("a", 100)], [("a", 100)], [("a", 1_100)])


def test_a_call_that_waits_can_be_cancelled() -> None:
    timeline = Timeline()
    process = Process(timeline)
    process.at(100, "a")
    waiting = timeline.call(200, process.life, process._do, "b")
    timeline.run(500)
    assert waiting.active()
    waiting.cancel()
    timeline.run(NS)
    assert process.done == [("a", 100)]


def test_a_process_that_is_paused_in_a_turn_does_the_rest_when_it_goes_on() -> None:
    timeline = Timeline()
    process = Process(timeline)
    process.at(100, "a")
    process.at(200, "b")
    timeline.run(500)
    process.life.state = State.PAUSED
    timeline.run(5_000)
    process.life.state = State.RUNS
    timeline.release(process.life)
    timeline.run(NS)
    assert process.done == [("a", 100), ("b", 5_000)]


def test_a_core_is_free_again_after_a_crash() -> None:
    timeline, cores = Timeline(), Cores(1)
    one, two = Process(timeline, cores), Process(timeline, cores)
    one.at(100, "a")
    one.at(200, "b")
    two.at(300, "c")
    timeline.run(500)
    one.life.state = State.OVER
    timeline.run(NS)
    assert (one.done, two.done) == ([("a", 100)], [("c", 1_100)])


def test_what_a_turn_writes_is_sent_at_its_end() -> None:
    pair = Pair()
    client, server = pair.joined()
    timeline, costs_ns = pair.timeline, 3_000_000
    Processor(timeline, pair.there.life, Cores(1), lambda tally: costs_ns)
    server.transport.protocol.dataReceived = lambda data: server.transport.write(b"echo " + data)
    client.transport.write(b"a")
    before_ns = timeline.now_ns
    while not client.data:
        timeline.run(timeline.now_ns + 100_000)
    passed_ns = timeline.now_ns - before_ns
    assert client.data == b"echo a"
    assert 2 * LATENCY_NS + costs_ns <= passed_ns <= 2 * LATENCY_NS + costs_ns + 100_000


def test_a_process_that_is_killed_in_a_turn_has_written_nothing_of_it() -> None:
    pair = Pair()
    client, server = pair.joined()
    timeline = pair.timeline
    Processor(timeline, pair.there.life, Cores(1), lambda tally: 3_000_000)
    server.transport.protocol.dataReceived = lambda data: server.transport.write(b"echo " + data)
    client.transport.write(b"a")
    timeline.run(timeline.now_ns + LATENCY_NS + 1_500_000)
    pair.there.crash()
    timeline.run(timeline.now_ns + NS)
    assert client.data == b""
    assert client.lost is not None


def test_segments_that_wait_are_read_at_once() -> None:
    pair = Pair()
    client, server = pair.joined()
    timeline = pair.timeline
    tallies: list[Tally] = []

    def cost_ns(tally: Tally) -> int:
        tallies.append(tally)
        return 1_000_000

    Processor(timeline, pair.there.life, Cores(1), cost_ns)
    for number in range(5):
        client.transport.write(b"%d" % number)
        timeline.run(timeline.now_ns + 100_000)
    timeline.run(timeline.now_ns + NS)
    assert isinstance(server, End)
    assert server.segments == [b"0", b"1234"]
    assert [(tally.reads, tally.read_bytes, tally.calls) for tally in tallies] == [(1, 1, 0), (1, 4, 0)]
