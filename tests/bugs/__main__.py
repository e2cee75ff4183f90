"""`python -m tests.bugs [BUG...]`: puts one bug after the other into the servers of a lab, and runs the fault matrix.

For each bug it prints the first scenario of the matrix that finds it, or that none does (which takes 7 minutes).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tests.bugs.bugs import BUGS
from tests.bugs.live import broken, matrix


def main() -> int:
    """Exit code 1 where a bug is not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.bugs", description=__doc__)
    parser.add_argument("bugs", nargs="*", metavar="BUG", help=f"of {', '.join(map(repr, BUGS))}; all without")
    parser.add_argument("--scenario", action="append", metavar="NAME", help="in place of the matrix; may be repeated")
    options = parser.parse_args()
    if unknown := [name for name in options.bugs if name not in BUGS]:
        parser.error(f"no bug {', '.join(map(repr, unknown))}; there are: {', '.join(map(repr, BUGS))}")
    found = [_told(bug, options.scenario or matrix()) for bug in options.bugs or BUGS]
    return 0 if all(found) else 1


def _told(bug: str, scenarios: Sequence[str]) -> bool:
    """Whether one of the scenarios finds the bug, which it says."""
    for scenario in scenarios:
        if promises := broken(bug, scenario):
            print(f"{bug}: {scenario} finds it: {', '.join(promises)}", flush=True)
            return True
    print(f"{bug}: not found", flush=True)
    return False


if __name__ == "__main__":
    sys.exit(main())
