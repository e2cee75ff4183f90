"""`make bench`: xmpplab next to Prosody and ejabberd; the cost of tracing and modules, or of growth; or a start."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

import msgspec

from cluster.kinds.base.child import DidNotStart
from cluster.simulation.costs import read
from loadtests.bench import report
from loadtests.bench.calibrate import calibrate
from loadtests.bench.commands import commands
from loadtests.bench.compare import compare
from loadtests.bench.crew import FlowBroken
from loadtests.bench.fan_out import fan_out
from loadtests.bench.generator import generator
from loadtests.bench.growth import growth
from loadtests.bench.live import measured
from loadtests.bench.measure import QUICK, Extent
from loadtests.bench.parts import parts
from loadtests.bench.predict import curve, predict
from loadtests.bench.sessions import sessions
from loadtests.bench.transports import transports

PAGE = Path("docs/performance.md")
COSTS = Path("docs/costs.json")
CAPACITY = Path("docs/capacity.md")


def main() -> None:
    """Exit code 1 with the reason if something did not start or messages were lost."""
    parser = argparse.ArgumentParser(prog="make bench BENCH_ARGS=…", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--parts", action="store_true", help="what tracing and modules cost, instead of the peers")
    what.add_argument("--fan-out", action="store_true", help="rooms, presence and personal events, next to the peers")
    what.add_argument("--transports", action="store_true", help="Redis and streams between servers, next to the peers")
    what.add_argument("--growth", action="store_true", help="2 to 200 domains, 100 to 5,000 sessions, instead")
    what.add_argument("--commands", action="store_true", help="how long commands take that have nothing to do")
    what.add_argument("--generator", action="store_true", help="the load generator itself, next to Tsung")
    what.add_argument("--sessions", action="store_true", help="memory of an idle session, and OpenSSL's share of it")
    what.add_argument(
        "--calibrate", action="store_true", help=f"service times for simulations, and what they predict: {COSTS}"
    )
    what.add_argument("--curve", action="store_true", help=f"the simulated pair as the rate grows: {CAPACITY}")
    parser.add_argument("--quick", action="store_true", help=f"one short round; {PAGE} is left as it is")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    try:
        mark, text = _measured(options)
    except (DidNotStart, FlowBroken) as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit("bench: interrupted; what it had started is down")
    print(f"\n{text}")
    if not options.quick:
        page = CAPACITY if mark in ("prediction", "curve") else PAGE
        report.write_between(page, mark, text)
        _tell(f"written into {page}")


def _measured(options: argparse.Namespace) -> tuple[str, str]:
    """The name of the part of the page, and its text."""
    quick: bool = options.quick
    extent, rounds = QUICK if quick else Extent(), 1 if quick else 3
    if options.parts:
        return "parts", parts(2 if quick else 12, _tell)
    if options.calibrate:
        live = measured(_tell)
        _tell(f"all figures: {report.save('live', live)}")
        costs = calibrate(live, _tell)
        COSTS.write_bytes(msgspec.json.format(msgspec.json.encode(costs)) + b"\n")
        return "prediction", predict(costs, live)
    if options.curve:
        return "curve", curve(read(COSTS), _tell)
    if options.commands:
        return "commands", commands(2 if quick else 8, _tell)
    if options.generator:
        return "generator", generator(1 if quick else 3, _tell)
    if options.sessions:
        return "sessions", sessions(QUICK.idle_sessions if quick else extent.idle_sessions, rounds, _tell)
    if options.growth:
        return "growth", growth(quick, _tell)
    if options.fan_out:
        return "fan-out", fan_out(rounds, extent.turns, extent.saturated_s, _tell)
    if options.transports:
        return "transports", transports(extent, rounds, _tell)
    return "comparison", compare(extent, rounds, _tell)


def _end(signal_number: int, frame: object) -> None:
    """As Ctrl-C: take down what was started."""
    raise KeyboardInterrupt


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
