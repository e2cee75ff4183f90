"""From a scenario file to a Scenario, or to the list of all its errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.kinds.base.finding import Finding, KeyPath, choice
from cluster.lab.clients.correspondents import behind_gateways
from cluster.lab.clients.names import first_pair
from cluster.lab.verify.scenario import Flow, Scenario
from cluster.lab.verify.timetable import Action
from cluster.topology import document, links
from cluster.topology.document import Document
from cluster.topology.load import validated
from cluster.topology.plan import Plan, XmpplabServer
from cluster.topology.problem import TopologyError


@dataclass(frozen=True)
class ScenarioFile:
    """A scenario, and the place of its file."""

    path: Path
    scenario: Scenario
    document: Document

    @property
    def topology(self) -> Path | None:
        """The topology file of its lab; None: a running lab."""
        return self.path.parent / self.scenario.topology if self.scenario.topology else None

    def check(self, plan: Plan) -> None:
        """Raises TopologyError if a step or a flow names what this lab does not have."""
        self._raise(_misfits(self.scenario, self.document.data, plan))

    def check_times(self) -> None:
        """Raises TopologyError if a step comes when everything has been sent: it would prove nothing."""
        self._raise(_late_steps(self.scenario))

    def _raise(self, findings: Iterator[Finding]) -> None:
        if found := [*findings]:
            raise TopologyError(self.document.problem(path, message, at_key=at_key) for path, message, at_key in found)


def read(path: Path, duration_s: float | None) -> ScenarioFile:
    """Read and validate a scenario file. Raises TopologyError with all errors of its form at once.

    `duration_s` replaces the durations of all flows.
    """
    raw = document.read(path)
    scenario, problems = validated(raw, Scenario)
    if problems or scenario is None:
        raise TopologyError(problems)
    file = ScenarioFile(path, lasting(scenario, duration_s), raw)
    file.check_times()
    return file


def lasting(scenario: Scenario, duration_s: float | None) -> Scenario:
    """The same with all flows of this duration; None: as they are."""
    if duration_s is None:
        return scenario
    flows = [flow.model_copy(update={"duration": duration_s}) for flow in scenario.flows]
    return scenario.model_copy(update={"flows": flows})


def _late_steps(scenario: Scenario) -> Iterator[Finding]:
    end_s = scenario.duration_s
    for index, step in enumerate(scenario.steps):
        if step.times_s[-1] >= end_s:
            when = f"{step.times_s[-1]:g} s" + (f" (the last of {step.times} times)" if step.times else "")
            remedy = "make them longer (`duration`, or the option)"
            text = f"nothing is sent at {when}: the flows end after {end_s:g} s; {remedy}"
            yield Finding(("steps", index, "at"), text)


def _misfits(scenario: Scenario, data: Any, plan: Plan) -> Iterator[Finding]:
    accounts = [f"{account.localpart}@{server.domain}" for server in plan.servers for account in server.accounts]
    for index, flow in enumerate(scenario.flows):
        yield from _flow_misfits(("flows", index), flow, scenario.flows, accounts, plan)
    for index, step in enumerate(scenario.steps):
        for number, action in enumerate(step.choices):
            path: KeyPath = ("steps", index, "choose", number) if step.choose else ("steps", index)
            raw = data["steps"][index]
            raw = raw["choose"][number] if step.choose else raw
            yield from _action_misfits((*path, action.action), action, raw, scenario, plan)


def _flow_misfits(
    path: KeyPath, flow: Flow, flows: Sequence[Flow], accounts: Sequence[str], plan: Plan
) -> Iterator[Finding]:
    if flow.room is not None:
        domain = flow.room.partition("@")[2]
        services = [each.domain for server in plan.servers for each in server.services if each.kind == "rooms"]
        yield from _known((*path, "room"), "service of rooms", domain, services)
        if len(accounts) < 2:
            yield Finding((*path, "room"), "two accounts have to speak in a room, and the topology has fewer")
        return
    foreign = [word for box in behind_gateways(plan) for word in (box.name, box.address)]
    for key, end in (("from", flow.from_), ("to", flow.to)):
        yield from _known((*path, key), "account" if "@" in end else "phone or mailbox", end, [*accounts, *foreign])
    ends = [end for end in (flow.from_, flow.to) if end in foreign and end not in accounts]
    if len(ends) == 2:
        yield Finding(path, "one end of a flow must be an account")
    elif ends and (flow.kind != "message" or flow.carbons or flow.archive or not flow.online):
        yield Finding(path, f"{ends[0]} only has text messages; leave out `kind`, `online`, `carbons` and `archive`")
    if flow.from_ == flow.to and flow.carbons:
        yield Finding((*path, "carbons"), "an account gets no carbons of messages to itself; name another account")
    if not flow.online:
        yield from _offline_misfits(path, flow, flows, plan)


def _offline_misfits(path: KeyPath, flow: Flow, flows: Sequence[Flow], plan: Plan) -> Iterator[Finding]:
    others = [each for each in flows if each.to == flow.to and each.online]
    if others or any(each.carbons for each in flows if flow.to in (each.from_, each.to)):
        yield Finding(
            (*path, "online"), f"{flow.to} is the receiver of another flow with sessions; choose another receiver"
        )
    server = plan.server(flow.to.partition("@")[2])
    count = sum(each.count or 0 for each in flows if each.to == flow.to and not each.online)
    if isinstance(server, XmpplabServer) and count > server.limits.offline.count:
        most = server.limits.offline.count
        text = f"{count:,} messages are too many: {server.name} keeps {most:,} for one account (`offline_messages`)"
        yield Finding((*path, "rate"), f"{text}; send fewer")


def _action_misfits(path: KeyPath, action: Action, raw: Any, scenario: Scenario, plan: Plan) -> Iterator[Finding]:
    nodes = [server.name for server in plan.servers] + [node.name for node in plan.lower_half]
    nodes += [] if plan.redis_url else ["redis"]
    match action.action:
        case "cut":
            used = sorted({end for flow in scenario.flows for end in (flow.from_, flow.to) if "@" in end})
            if any(flow.room for flow in scenario.flows):
                used = sorted(
                    f"{each.localpart}@{server.domain}" for server in plan.servers for each in server.accounts
                )
            yield from _known(path, "account in `flows`", action.target, used)
        case "partition":
            for place, server in enumerate(action.partition or ()):
                yield from _known((*path, place), "server", server, [server.server for server in plan.servers])
        case "fault":
            servers = {server.server: server for server in plan.servers}
            for found in links.findings({"links": [raw["fault"]]}, servers):
                yield found._replace(path=(*path, *found.path[2:]))
        case _:
            yield from _known(path, "node", action.target, nodes)


def _known(path: KeyPath, what: str, word: str, known: Sequence[str]) -> Iterator[Finding]:
    if word not in known:
        yield Finding(path, f"no {what} {word!r}{choice(word, known)}")


_EACH_WAY: tuple[dict[str, Any], ...] = ({"rate": 100}, {"kind": "presence", "rate": 10}, {"kind": "iq", "rate": 10})


def as_it_is(plan: Plan, *, duration: str = "5s", share: float = 1.0) -> Scenario:
    """The scenario for a lab that nothing is done to: messages, presence and iqs each way between two domains.

    `share` of the usual rates. Raises BadInput if no account has a contact in another domain.
    """
    one, other = map(str, first_pair(plan))
    flows = [
        {"from": from_, "to": to, "duration": duration, **each, "rate": each["rate"] * share}
        for from_, to in ((one, other), (other, one))
        for each in _EACH_WAY
    ]
    return Scenario.model_validate({"name": "as-it-is", "flows": flows})
