"""From a scenario file to a Scenario, or to the list of everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.lab.tracing import first_pair
from cluster.lab.verify.scenario import Scenario
from cluster.topology import document, links
from cluster.topology.document import Document
from cluster.topology.load import validated
from cluster.topology.plan import Plan
from cluster.topology.problem import Finding, TopologyError, choice


@dataclass(frozen=True)
class ScenarioFile:
    """A scenario, and where it stands."""

    path: Path
    scenario: Scenario
    document: Document

    @property
    def topology(self) -> Path | None:
        """The file of the lab to run it in; None: whichever is up."""
        return self.path.parent / self.scenario.topology if self.scenario.topology else None

    def check(self, plan: Plan) -> None:
        """Raises TopologyError where a step or a flow names what this lab has not."""
        found = [*_findings(self.scenario, self.document.data, plan)]
        if found:
            raise TopologyError(self.document.problem(path, message, at_key=at_key) for path, message, at_key in found)


def read(path: Path, duration_s: float | None) -> ScenarioFile:
    """Read and validate a scenario file. Raises TopologyError with all problems of its form at once.

    `duration_s`: of all flows, instead of what the file says.
    """
    raw = document.read(path)
    scenario, problems = validated(raw, Scenario)
    if problems or scenario is None:
        raise TopologyError(problems)
    if duration_s is not None:
        flows = [flow.model_copy(update={"duration": duration_s}) for flow in scenario.flows]
        scenario = scenario.model_copy(update={"flows": flows})
    return ScenarioFile(path, scenario, raw)


def _findings(scenario: Scenario, data: Any, plan: Plan) -> Iterator[Finding]:
    accounts = [f"{account.localpart}@{server.domain}" for server in plan.servers for account in server.accounts]
    nodes = [server.name for server in plan.servers] + [node.name for node in plan.lower_half]
    nodes += [] if plan.redis_url else ["redis"]
    for index, flow in enumerate(scenario.flows):
        for key, account in (("from", flow.from_), ("to", flow.to)):
            yield from _known(("flows", index, key), "account", account, accounts)
    for index, step in enumerate(scenario.steps):
        path = ("steps", index, step.action)
        match step.action:
            case "cut":
                used = sorted({account for flow in scenario.flows for account in (flow.from_, flow.to)})
                yield from _known(path, "account in `flows`", step.target, used)
            case "partition":
                for place, server in enumerate(step.partition or ()):
                    yield from _known((*path, place), "server", server, [server.server for server in plan.servers])
            case "fault":
                raw_link = data["steps"][index]["fault"]
                servers = {server.server: server for server in plan.servers}
                for found in links.findings({"links": [raw_link]}, servers):
                    yield found._replace(path=(*path, *found.path[2:]))
            case _:
                yield from _known(path, "node", step.target, nodes)


def _known(path: tuple[str | int, ...], what: str, word: str, known: Sequence[str]) -> Iterator[Finding]:
    if word not in known:
        yield Finding(path, f"there is no {what} {word!r}{choice(word, known)}")


def as_it_is(plan: Plan) -> Scenario:
    """For a lab that nothing is done to: some messages each way between two domains. Raises BadInput without a pair."""
    one, other = map(str, first_pair(plan))
    flows = [{"from": one, "to": other, "rate": 100, "duration": "5s"}]
    flows.append({"from": other, "to": one, "rate": 100, "duration": "5s"})
    return Scenario.model_validate({"name": "as-it-is", "flows": flows})
