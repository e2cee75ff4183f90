"""`make bench`: xmpplab next to Prosody and ejabberd; or the cost of tracing and modules; or the cost of growth."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from cluster.kinds.base.child import DidNotStart
from loadtests.bench import report
from loadtests.bench.compare import compare
from loadtests.bench.flow import FlowBroken
from loadtests.bench.growth import growth
from loadtests.bench.measure import QUICK, Extent
from loadtests.bench.parts import parts

PAGE = Path("docs/performance.md")


def main() -> None:
    """Exit code 1 with the reason if something did not start or messages were lost."""
    parser = argparse.ArgumentParser(prog="make bench BENCH_ARGS=…", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--parts", action="store_true", help="what tracing and modules cost, instead of the peers")
    what.add_argument("--growth", action="store_true", help="2 to 200 domains, 100 to 5,000 sessions, instead")
    parser.add_argument("--quick", action="store_true", help=f"one short round; {PAGE} is left as it is")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    mark = "parts" if options.parts else "growth" if options.growth else "comparison"
    try:
        if options.parts:
            text = parts(2 if options.quick else 12, _tell)
        elif options.growth:
            text = growth(options.quick, _tell)
        else:
            text = compare(QUICK if options.quick else Extent(), 1 if options.quick else 3, _tell)
    except (DidNotStart, FlowBroken) as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit("bench: interrupted; what it had started is down")
    print(f"\n{text}")
    if not options.quick:
        report.write_between(PAGE, mark, text)
        _tell(f"written into {PAGE}")


def _end(signal_number: int, frame: object) -> None:
    """As Ctrl-C: take down what was started."""
    raise KeyboardInterrupt


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
