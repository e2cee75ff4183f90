"""The memory of somebody who is online and idle in a simulation, by who has it:

    python -m tests.unit.simulation.memory --domains 100

What Python allocates is counted, by the nearest code outside of the protocol core, which both ends of a connection
share. The memory of the process grows by more: what a login needs for some seconds leaves gaps.
"""

from __future__ import annotations

import argparse
import gc
import tracemalloc
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from twisted.internet.defer import Deferred

import cluster
from cluster.lab.api import read_plans
from cluster.simulation.errors import logged_errors
from cluster.simulation.lab import SimulatedLab
from cluster.simulation.population import Population
from cluster.topology.generate import topology
from cluster.topology.plan import Plan

QUIET: dict[str, Any] = {"session": 1e9, "conversation": 1e9, "breaks": None, "presence": None}
"""A population that comes within a minute, stays, and says nothing."""
SETTLED_S = 90.0
"""When all are there, and what they needed to come is freed."""
SERVER, STORAGE, LINKS, CONNECTION, CLIENT = OWNERS = (
    "server: stream, session, account, roster", "server: storage in memory", "links between domains",
    "connection: both ends, and all timers", "client, and the checker's records of it",
)  # fmt: skip
OF_FILES = {
    "simulation/": CLIENT, "client/": CLIENT, "virtual/": CONNECTION, "store/": STORAGE, "router/": LINKS, "": SERVER,
}  # fmt: skip
"""By the beginning of a path in the package; the first that fits."""
_SHARED = "xmpp/", "base/"
_FRAMES = 12
"""How far from an allocation its owner may be."""


def measure(plan: Plan) -> Counter[str]:
    """The bytes of each person, by owner. Domains and their accounts were there before."""
    people = sum(len(node.accounts) for node in plan.servers)
    with logged_errors() as errors:
        lab = SimulatedLab(msgspec.structs.replace(plan, population=QUIET), 1)
        started = Deferred.fromCoroutine(lab.start())
        lab.let_pass(1.0, lambda: None)
        gc.collect()
        tracemalloc.start(_FRAMES)
        try:
            population = Population(lab, range(people))
            for person in population.people:
                person.begin()
            lab.let_pass(SETTLED_S, lambda: None)
            gc.collect()
            snapshot = tracemalloc.take_snapshot()
        finally:
            tracemalloc.stop()
    assert not errors
    assert started.called
    assert all(each.device.is_online for each in population.resources)
    found: Counter[str] = Counter()
    for trace in snapshot.traces:
        found[_owner(trace.traceback)] += trace.size
    return Counter({owner: round(size / people) for owner, size in found.items()})


def _owner(traceback: tracemalloc.Traceback) -> str:
    root = f"{Path(cluster.__file__).parent}/"
    ours = [each.filename.removeprefix(root) for each in reversed(traceback) if each.filename.startswith(root)]
    nearest = next((each for each in ours if not each.startswith(_SHARED)), "")
    return next(owner for begin, owner in OF_FILES.items() if nearest.startswith(begin))


def generated(domains: int, users: int) -> Plan:
    """A scale-free network."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "topology.yaml")
        file.write_text("\n".join(topology("generated", domains, users, "scale-free", 1)))
        return read_plans(file)[0]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", type=int, default=100)
    parser.add_argument("--users", type=int, default=10, help="of each domain")
    asked = parser.parse_args()
    found = measure(generated(asked.domains, asked.users))
    for owner in OWNERS:
        print(f"{found[owner] / 1024:6.1f} KiB  {owner}")
    print(f"{found.total() / 1024:6.1f} KiB  together")


if __name__ == "__main__":
    main()
