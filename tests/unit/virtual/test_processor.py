"""A process whose turns take time is a queue."""

from __future__ import annotations

from cluster.virtual.processor import SLEEP_NS, Cores, Processor, Tally
from cluster.virtual.timeline import NS, Life, State, Timeline
from tests.unit.virtual.ends import End, Pair

TURN_NS = 1_000
LATENCY_NS = 500_000_000
"""Of the wire of a `Pair`."""


class Process:
    """Notes the times of its calls; each of its turns takes TURN_NS."""

    def __init__(self, timeline: Timeline, cores: Cores | None = None, wake_ns: int = 0) -> None:
        self.life = Life()
        self.busy_ns = 0
        self.done: list[tuple[str, int]] = []
        self.tallies: list[Tally] = []
        self.timeline = timeline
        Processor(timeline, self.life, cores or Cores(1), self._cost_ns, lambda: wake_ns, is_over=self._is_over)

    def _cost_ns(self, tally: Tally) -> int:
        self.tallies.append(tally)
        return TURN_NS

    def _is_over(self, tally: Tally, cost_ns: int) -> None:
        assert tally is self.tallies[-1]
        self.busy_ns += cost_ns

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
    assert process.busy_ns == 3 * TURN_NS


def test_an_idle_process_has_to_be_woken() -> None:
    timeline = Timeline()
    process = Process(timeline, wake_ns=50)
    for at_ns, what in ((100, "a"), (120, "b"), (300, "c"), (5_000, "d")):
        process.at(at_ns, what)
    timeline.run(NS)
    assert process.done == [("a", 150), ("b", 150), ("c", 1_150), ("d", 5_050)]


def test_a_process_cools_with_each_doubling_of_the_time_that_it_sleeps() -> None:
    timeline = Timeline()
    process = Process(timeline)
    process.at(0, "a")
    process.at(TURN_NS + SLEEP_NS, "b")
    process.at(2 * TURN_NS + SLEEP_NS + 7 * SLEEP_NS, "c")
    timeline.run(NS)
    assert [tally.cooled for tally in process.tallies] == [0.0, 1.0, 3.0]


def test_a_turn_waits_for_the_core_of_the_last_one_where_none_is_free() -> None:
    timeline, cores = Timeline(), Cores(2)
    one, two, three = (Process(timeline, cores) for _ in range(3))
    for process, at_ns in (
        (one, 0),
        (two, 10),
        (one, 5_000),
        (two, 5_600),
        (three, 5_700),
        (three, 5_800),
        (one, 5_900),
    ):
        process.at(at_ns, "a")
    timeline.run(NS)
    # `three`, which has had no core yet, waits for the first one, and `one` after it; the other one is idle meanwhile
    assert one.done == [("a", 0), ("a", 5_000), ("a", 7_000)]
    assert two.done == [("a", 10), ("a", 5_600)]
    assert three.done == [("a", 6_000), ("a", 6_000)]


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


def test_what_is_sent_at_once_arrives_in_the_course_of_the_turn() -> None:
    pair = Pair()
    ends = [pair.joined() for _ in range(4)]
    timeline, cost_ns = pair.timeline, 4_000_000
    Processor(timeline, pair.here.life, Cores(1), lambda tally: cost_ns, sends_at_once=True)
    arrived: list[int] = []
    for _, server in ends:
        server.transport.protocol.dataReceived = lambda data: arrived.append(timeline.now_ns)
    began_ns = timeline.now_ns
    pair.here.later(lambda: [client.transport.write(b"a") for client, _ in ends])
    timeline.run(timeline.now_ns + NS)
    assert [at_ns - began_ns - LATENCY_NS for at_ns in arrived] == [1_000_000, 2_000_000, 3_000_000, 4_000_000]


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
