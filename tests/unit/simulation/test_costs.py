"""Service times: `xmpplab simulate --costs FILE`."""

from __future__ import annotations

import gc
import json
import weakref
from pathlib import Path

import pytest

from cluster.lab.api import BadInput
from cluster.simulation.api import simulate
from cluster.simulation.costs import WAKE_SHARES, Costs, Machines, read
from cluster.simulation.flow import LOAD, SimulatedPair, pair_plan
from cluster.simulation.line import Line
from cluster.virtual.network import Network
from cluster.virtual.processor import Processor
from cluster.virtual.timeline import NS, Timeline
from cluster.xmpp.jid import Jid
from tests.live.running_lab import ROOT
from tests.unit.cli.shell import VERONA, Shell, shell
from tests.unit.simulation.plans import named

__all__ = ["shell"]

MEASURED = ROOT / "docs" / "costs.json"
TEXT = b" Good morrow</body></message>"


def changed(folder: Path, **change: object) -> Path:
    """The measured costs, otherwise."""
    folder.mkdir(exist_ok=True)
    file = folder / "costs.json"
    file.write_text(json.dumps({**json.loads(MEASURED.read_text()), **change}))
    return file


@pytest.mark.parametrize("router", ["memory", "redis"])
def test_the_same_costs_give_the_same_run_in_which_all_promises_are_kept(router: str) -> None:
    reports = [
        simulate(named("verona"), duration_s=100, people=8, troubles=4, router=router, costs=MEASURED)  # type: ignore[arg-type]
        for _ in range(2)
    ]
    assert reports[0].digest == reports[1].digest
    assert not reports[0].broken
    assert {"s1", "s2", "s3"} <= {*reports[0].cpu}
    assert ("redis" in reports[0].cpu) is (router == "redis")


def test_without_costs_nothing_takes_time() -> None:
    assert simulate(named("verona"), duration_s=60).cpu == {}


def test_a_slow_server_makes_its_clients_wait(tmp_path: Path) -> None:
    costs = read(MEASURED).server
    slow = changed(tmp_path, server={**costs, "stanzas": 20_000.0})
    quick = simulate(named("verona"), duration_s=100, costs=MEASURED).latency_ms["p50"]
    assert simulate(named("verona"), duration_s=100, costs=slow).latency_ms["p50"] >= quick + 19


def test_a_message_waits_until_its_server_is_woken(tmp_path: Path) -> None:
    files = [
        changed(tmp_path / name, wake_us=[us] * len(WAKE_SHARES)) for name, us in (("quick", 0.0), ("slow", 9_000.0))
    ]
    quick, slow = (simulate(named("verona"), duration_s=100, costs=file).latency_ms["p50"] for file in files)
    assert slow >= quick + 9


def test_a_process_that_starts_again_goes_on_with_its_counters_and_leaves_nothing() -> None:
    network = Network(Timeline())
    machines = Machines(network.timeline, read(MEASURED), seed=1)
    processors: list[weakref.ref[Processor]] = []
    for _ in range(3):
        host = network.host("s1")
        machines.server(host, lambda: 0)
        assert host.life.processor is not None
        processors.append(weakref.ref(host.life.processor))
        host.callLater(0, lambda: None)
        network.timeline.run(network.timeline.now_ns + NS)
        host.crash()
    del host
    gc.collect()
    assert [each() for each in processors] == [None, None, None]
    assert machines.did()["s1"]["calls"] == 3


def test_the_report_shows_the_busiest_processes(shell: Shell) -> None:
    code, out, _ = shell.run("simulate", VERONA, "--for", "1m", "--costs", str(MEASURED))
    assert code == 0
    assert "  model     virtual time with service times; " in out
    assert "\n  cpu       s" in out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"server": {"wakes": 1.0}}, "`server` needs the µs, from 0 to 1,000,000, of: wakes, cooled, "),
        ({"clients": {"wakes": 1.0}}, "`clients` needs the µs of: wakes, cooled, reads, writes, messages; or nothing"),
        ({"cores": 0}, "`cores` is at least 1, or null"),
        ({"wake_us": [1.0]}, "`wake_us` needs the µs of these shares of all wake-ups, in ascending order: 0, 0.1, "),
        (
            {"wake_us": [-1.0] * 8},
            "`wake_us` needs the µs of these shares of all wake-ups, in ascending order: 0, 0.1, ",
        ),
        ({"redis": "none"}, "is no file of costs: "),
        ({"speed": 1}, "is no file of costs: "),
    ],
)
def test_a_file_with_other_costs(tmp_path: Path, change: dict[str, object], words: str) -> None:
    with pytest.raises(BadInput, match=r"costs\.json") as refused:
        read(changed(tmp_path, **change))
    assert words in str(refused.value)


def test_a_file_that_is_not_there(shell: Shell) -> None:
    code, _, err = shell.run("simulate", VERONA, "--costs", "none.json")
    assert code == 2
    assert "none.json cannot be read: No such file or directory; `make calibrate` writes such a file" in err


def test_a_run_with_costs_is_not_shrunk(shell: Shell) -> None:
    code, _, err = shell.run("simulate", VERONA, "--costs", str(MEASURED), "--shrink", "small.yaml")
    assert code == 2
    assert "leave out --costs or --shrink" in err


# --- the flows of a measurement


@pytest.fixture
def pair(tmp_path: Path) -> tuple[SimulatedPair, list[tuple[Line, Line, Jid]]]:
    """Of two servers, whose two processes and all others share a core; with five senders and receivers."""
    names = [f"p{number}" for number in range(5)]
    costs: Costs = read(changed(tmp_path, cores=1))
    made = SimulatedPair(pair_plan(tmp_path, ("montague.lit", "capulet.lit"), (names, names)), costs)
    s1, s2 = made.lab.plan.servers
    senders, receivers = (
        made.log_in([(server, name) for name in names], b"<presence/>", tls=tls)
        for server, tls in ((s1, True), (s2, False))
    )
    made.rest(1)
    return made, [
        (sender, receiver, Jid(name, s2.domain, "bench"))
        for sender, receiver, name in zip(senders, receivers, names, strict=True)
    ]


def test_a_flow_at_a_rate(pair: tuple[SimulatedPair, list[tuple[Line, Line, Jid]]]) -> None:
    found = pair[0].paced(pair[1], TEXT, 200, 1.0)
    assert 120 < found.per_s < 280
    assert len(found.latencies_ms) == found.messages
    assert {*found.cpu_us} == {LOAD, "s1", "s2", "redis"}


def test_a_saturated_flow_uses_the_whole_core(pair: tuple[SimulatedPair, list[tuple[Line, Line, Jid]]]) -> None:
    found = pair[0].saturated(pair[1], TEXT, 20, 0.1)
    assert sum(found.cpu_us.values()) * found.per_s == pytest.approx(1e6, rel=0.02)


def test_a_batch_costs_the_server_one_stanza_for_each_message(
    pair: tuple[SimulatedPair, list[tuple[Line, Line, Jid]]],
) -> None:
    found = pair[0].batches(pair[1], TEXT, 2, 3, 4, 0.005)
    assert found.messages == 2 * 3 * 4
    assert found.steps["s1"]["counted"] == found.steps["s2"]["counted"] == found.messages
    assert found.steps[LOAD]["counted"] == 2 * found.messages
