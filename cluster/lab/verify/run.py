"""Runs a scenario against a lab that is up, and tells what became of every message."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from secrets import token_hex

from cluster.client.blocking import BlockingClient
from cluster.client.managed import BROKEN, ManagedClient
from cluster.lab.errors import BadInput, LabError
from cluster.lab.folder import LabFolder
from cluster.lab.tracing import journal, password_of
from cluster.lab.verify import memory, report
from cluster.lab.verify.judge import judge, lost_by_fault
from cluster.lab.verify.memory import MemoryWatch
from cluster.lab.verify.records import FlowRecord
from cluster.lab.verify.report import FlowReport, Report
from cluster.lab.verify.scenario import Scenario
from cluster.lab.verify.steps import Steps
from cluster.lab.verify.traffic import Receiver, Sender
from cluster.lab.wait import pause
from cluster.topology.plan import Plan
from cluster.xmpp.initiating import Login, Resumption
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import make

QUIET_S = 10.0
"""When nothing has arrived for so long after the last step, what is missing is lost."""

GRACE_S = 1.0
"""What arrives again does so within this, after all has arrived."""

LOOK_EVERY_S = 0.05
LOGIN_PATIENCE_S = 20.0


def run(folder: LabFolder, plan: Plan, scenario: Scenario) -> Report:
    """Connect the clients, let the messages flow, disturb the lab, wait until all has settled, and judge.

    Raises LabError where a client or a step could not do its part.
    """
    with ExitStack() as stack:
        return _Run(folder, plan, scenario, stack).run()


class _Run:
    def __init__(self, folder: LabFolder, plan: Plan, scenario: Scenario, stack: ExitStack) -> None:
        self._folder = folder
        self._plan = plan
        self._scenario = scenario
        self._id = token_hex(4)
        self._begin_s = 0.0
        self._lost_ids: set[str] = set()
        with journal(folder, plan) as reader:
            self._begin_position = self._position = reader.newest()
        flows = scenario.flows
        self._records = [FlowRecord(f"{flow.from_} → {flow.to}", f"{self._id}.{n}.") for n, flow in enumerate(flows)]
        self._clients: dict[str, list[ManagedClient]] = {}
        self._receivers = [
            Receiver(
                self._client(stack, to, receives=True),
                [record for flow, record in zip(flows, self._records, strict=True) if flow.to == to],
                self._now_s,
            )
            for to in dict.fromkeys(flow.to for flow in flows)
        ]
        self._senders = [
            Sender(flow, record, self._client(stack, flow.from_), self._now_s, scenario.follow == "all")
            for flow, record in zip(flows, self._records, strict=True)
        ]
        self._steps = Steps(folder, scenario.steps, self._clients, self._now_s)

    def _now_s(self) -> float:
        return time.monotonic() - self._begin_s

    def _client(self, stack: ExitStack, account: str, receives: bool = False) -> ManagedClient:
        """Logged in; one that receives is available."""
        jid = Jid.parse(account).with_resource(f"verify-{token_hex(4)}")
        greeting = [make("presence")] if receives else []
        try:
            client = ManagedClient(connector(self._folder, self._plan, jid), greeting, time.monotonic)
        except BROKEN as error:
            raise LabError(f"{account} cannot log in: {error}; see `xmpplab ps`") from None
        stack.callback(client.close)
        self._clients.setdefault(account, []).append(client)
        if receives:
            _await_presence(client, jid)
        return client

    def run(self) -> Report:
        """The whole run."""
        self._begin_s = time.monotonic()
        watch = MemoryWatch(self._folder, self._now_s)
        clients: list[Sender | Receiver] = [*self._receivers, *self._senders]
        try:
            for part in (watch, *clients):
                part.start()
            self._steps.start()
            self._settle()
            seconds = self._now_s()
        finally:
            _end([*clients, watch])
        for thread in clients:
            if thread.error:
                raise LabError(f"a client of the checker failed ({thread.name}):\n{thread.error}")
        if self._steps.errors:
            raise self._steps.errors[0]
        self._read_journal()
        return self._report(seconds, memory.reports(watch.samples))

    def _settle(self) -> None:
        """Return when all is sent and done and nothing more is to be expected."""
        last, since_s = self._progress(), self._now_s()
        while True:
            pause(LOOK_EVERY_S)
            now_s = self._now_s()
            if (progress := self._progress()) != last or not self._steps.are_done:
                last, since_s = progress, now_s
                continue
            quiet_s = now_s - since_s
            if quiet_s < GRACE_S or any(now_s < flow.duration for flow in self._scenario.flows):
                continue
            if quiet_s >= QUIET_S:
                return
            self._read_journal()
            is_missing = any(record.unsettled_besides(self._lost_ids) for record in self._records)
            if not is_missing and all(sender.is_done for sender in self._senders):
                return

    def _progress(self) -> list[int]:
        return [
            count
            for record in self._records
            for count in (len(record.sent_s), record.acknowledged, len(record.arrivals), len(record.bounced))
        ]

    def _read_journal(self) -> None:
        """What faults of links have lost since the last time."""
        try:
            with journal(self._folder, self._plan) as reader:
                for position, hops in reader.after(self._position):
                    self._position = position
                    self._lost_ids.update(id for hop in hops if (id := lost_by_fault(hop)))
        except LabError:
            pass  # Redis is away just now; the next time tells

    def _report(self, seconds: float, taken: list[report.MemoryReport]) -> Report:
        flows = [judge(record, self._lost_ids) for record in self._records]
        self._add_routes(flows)
        counts = report.total(flows)
        breaks = [client.breaks for clients in self._clients.values() for client in clients]
        return Report(
            self._scenario.name, self._scenario.about, self._plan.name, seconds, flows, counts,
            steps=sorted(self._steps.reports, key=lambda step: step.at_s), memory=taken,
            resumed=sum(each.resumed for each in breaks), begun_anew=sum(each.begun_anew for each in breaks),
            broken=report.broken(self._scenario.promises, counts, taken),
        )  # fmt: skip

    def _add_routes(self, flows: Sequence[FlowReport]) -> None:
        examples = [example for flow in flows for example in flow.examples]
        if examples and self._scenario.follow == "all":
            with journal(self._folder, self._plan) as reader:
                hops = reader.read({example.trace_id for example in examples}, self._begin_position)
            for example in examples:
                example.hops = [hop for hop in hops if hop.trace_id == example.trace_id]


def _end(parts: Sequence[Sender | Receiver | MemoryWatch]) -> None:
    """Return when those that were started are over: nobody else may touch a client that its thread still uses."""
    for part in parts:
        part.stop()
    for part in parts:
        if part.is_alive():
            part.join()


def connector(folder: LabFolder, plan: Plan, jid: Jid) -> Callable[[Resumption | None], BlockingClient]:
    """Logs in as an account of the topology. Raises BadInput where there is none of this address."""
    nodes = [server for server in plan.servers if server.domain == jid.domainpart]
    password = password_of(plan, jid)
    if not nodes or password is None:
        raise BadInput(f"{jid.bare} is no account of lab {plan.name}; the topology's `accounts` tells which there are")
    login, ca_file = Login(jid, password), None if nodes[0].tls == "off" else str(folder.ca_file)

    def connect(resumption: Resumption | None) -> BlockingClient:
        """To the first of the domain's nodes that takes it, as clients do with SRV records (RFC 6120 section 3.2.1)."""
        for node in nodes[:-1]:
            with suppress(*BROKEN):
                return BlockingClient((node.host, node.c2s_port), login, ca_file, resumption=resumption)
        return BlockingClient((nodes[-1].host, nodes[-1].c2s_port), login, ca_file, resumption=resumption)

    return connect


def _await_presence(client: ManagedClient, jid: Jid) -> None:
    """Its own presence comes back to it (RFC 6121 section 4.2.2): from now on messages for the account reach it."""
    deadline_s = time.monotonic() + LOGIN_PATIENCE_S
    while time.monotonic() < deadline_s:
        child = client.receive(LOOK_EVERY_S)
        if child is not None and child.name == f"{CLIENT} presence" and child.attributes.get("from") == str(jid):
            return
    raise LabError(f"{jid} was not told of its own presence within {LOGIN_PATIENCE_S:g} s; see `xmpplab logs`")
