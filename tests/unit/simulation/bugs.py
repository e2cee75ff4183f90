"""Runs that find the bugs of `tests.bugs`, and the seed of the first one that does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from cluster.lab.api import read_plans
from cluster.lab.verify.scenario import Scenario
from cluster.simulation.api import RouterKind, play, simulate
from tests.live.running_lab import ROOT
from tests.unit.simulation.plans import Silent, named

Run = Callable[[int, RouterKind], list[str]]
"""The names of the promises that a run with this seed breaks."""

BOTH_WAYS = [
    {"from": "romeo@montague.lit", "to": "juliet@capulet.lit", "rate": 40, "duration": "3s"},
    {"from": "juliet@capulet.lit", "to": "romeo@montague.lit", "rate": 40, "duration": "3s"},
]


def scenario(topology: str, steps: list[dict[str, Any]], **keys: Any) -> Run:
    """A scenario on a topology that is included."""
    [plan, *_] = read_plans(ROOT / "topologies" / f"{topology}.yaml")
    document = {"name": "bugs", "flows": BOTH_WAYS, "steps": steps, **keys}
    parsed = Scenario.model_validate(document)

    def run(seed: int, router: RouterKind) -> list[str]:
        played = play(plan, parsed, seed=seed, progress=Silent(), router=router)
        return [each.promise for each in played.report.failures]

    return run


def people(seed: int, router: RouterKind) -> list[str]:
    """Twenty people of three domains, and crashes."""
    report = simulate(named("verona"), seed=seed, duration_s=240, people=20, troubles=8, router=router)
    return [each.partition(":")[0] for each in report.broken]


KILLS = scenario(
    "two-domains", [{"at": "1s", "kill": "s1", "for": "100ms"}, {"at": "2s", "kill": "s2", "for": "100ms"}]
)
# over Redis what a server has written within a turn is under way when it crashes: only a crash of Redis too loses it
WITH_REDIS = scenario(
    "two-domains",
    [
        {"at": "1s", "kill": "redis", "for": "300ms"},
        {"at": "1100ms", "kill": "s1", "for": "100ms"},
        {"at": "2s", "kill": "redis", "for": "300ms"},
        {"at": "2100ms", "kill": "s2", "for": "100ms"},
    ],
)
# most entries of a link are taken as they are announced; they are pending where a server that starts reads a backlog
AT_ITS_START = scenario(
    "two-domains",
    [{"at": "500ms", "kill": "s2", "for": "1s"}, {"at": "1500ms", "kill": "s2", "for": "100ms"}],
    flows=[{**BOTH_WAYS[0], "rate": 500, "duration": "1600ms"}],
)
NODES = scenario(
    "nodes", [{"at": "500ms", "kill": "s1", "for": "6s"}], flows=[{**each, "duration": "6s"} for each in BOTH_WAYS]
)
LONG_CUT = scenario("two-domains", [{"at": "1s", "cut": "juliet@capulet.lit", "for": "400s"}])
AWAY = scenario(
    "two-domains",
    [{"at": "1s", "kill": "s2", "for": "100ms"}],
    flows=[{**BOTH_WAYS[0], "online": False}],
)


class Finding(NamedTuple):
    """What finds a bug."""

    run: Run
    seed: int
    """The first one that does."""


class Found(NamedTuple):
    """How a bug is found, with either router."""

    bug: str
    """Its name in `tests.bugs.bugs.BUGS`."""
    breaks: str
    """A promise that is broken then."""
    memory: Finding
    redis: Finding

    def with_router(self, router: RouterKind) -> Finding:
        """What finds it with this one."""
        return self.memory if router == "memory" else self.redis


FOUND = [
    Found("acknowledge before it is written", "lost", Finding(KILLS, 2), Finding(WITH_REDIS, 1)),
    Found("count before it is kept", "lost", Finding(KILLS, 2), Finding(WITH_REDIS, 6)),
    Found("forget the pending entries of a link", "lost", Finding(KILLS, 12), Finding(AT_ITS_START, 1)),
    Found("swap two stages of a turn", "lost", Finding(KILLS, 12), Finding(WITH_REDIS, 5)),
    Found("deliver the heir's inbox late", "out_of_order", Finding(NODES, 4), Finding(NODES, 4)),
    Found("drop the answer to a probe", "wrong presence", Finding(people, 1), Finding(people, 1)),
    Found("forget to send again on a resumed stream", "lost", Finding(KILLS, 1), Finding(KILLS, 1)),
    Found("restore a session without its stanzas", "lost", Finding(KILLS, 1), Finding(KILLS, 4)),
    Found("drop stored messages when they are read", "lost", Finding(AWAY, 1), Finding(AWAY, 1)),
    Found("lose what an ended session had left", "lost", Finding(LONG_CUT, 1), Finding(LONG_CUT, 1)),
]
