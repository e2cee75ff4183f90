"""A lab, and all its operations."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from cluster.lab import DriverKind
from cluster.lab.errors import BadInput, LabError
from cluster.lab.progress import Tell, shortened, untold

if TYPE_CHECKING:
    from datetime import datetime

    from cluster.client.asking import RoomInfo
    from cluster.lab.answers import (
        CertificateView,
        CheckStep,
        Intention,
        LinkView,
        NodeView,
        Overview,
        SearchResult,
        Usage,
    )
    from cluster.lab.api.account import Account
    from cluster.lab.api.timeline import LabTimeline
    from cluster.lab.clients.accounts import KnownAccount
    from cluster.lab.clients.correspondents import Correspondent
    from cluster.lab.clients.users import Users
    from cluster.lab.control.requests import Level
    from cluster.lab.driver import Driver, LogStream
    from cluster.lab.faults import LinkFaults
    from cluster.lab.folder import LabFolder
    from cluster.lab.logs import LogLine
    from cluster.lab.networks import Networks
    from cluster.lab.overview import Usages
    from cluster.lab.state import NodeAction, NodeState, State
    from cluster.networks.person import Person
    from cluster.topology.plan import NetworkNode, Plan
    from cluster.trace.hop import Hop
    from cluster.trace.why import Explanation
    from cluster.xmpp.jid import Jid

MOST_CHOICES = 16
"""Names that an error offers."""
DONE_TIMEOUT_S = 60.0
"""As long as `up` waits for a node to be ready."""

_NEEDED: dict[NodeAction, State] = {"kill": "running", "pause": "running", "resume": "paused", "restart": "running"}


class Lab:
    """One lab, by its state folder. All methods raise LabError, and BadInput for bad arguments."""

    def __init__(self, folder: LabFolder, driver: Driver | None = None) -> None:
        """`driver`: the driver, if the folder does not tell it."""
        self.folder = folder
        self._driver = driver

    def __repr__(self) -> str:
        return f"<Lab {self.name} in {self.path}>"

    @classmethod
    def named(cls, name: str | None) -> Lab:
        """The lab of this name under the current folder; None: the only one. A path is that of a state folder."""
        from cluster.lab.folder import choose

        if name is not None and os.sep in name:
            return cls.kept(Path(name))
        return cls(choose(Path.cwd(), name))

    @classmethod
    def of_plan(cls, plan: Plan) -> Lab:
        """The lab that `up` would create from a plan."""
        from cluster.lab.folder import LabFolder

        return cls(LabFolder(Path(plan.state_dir)))

    @classmethod
    def kept(cls, path: Path) -> Lab:
        """The lab, running or not, whose state folder this is."""
        from cluster.lab.folder import LabFolder

        lab = cls(LabFolder(path))
        if not lab.exists:
            raise BadInput(
                f"{path} is not the folder of a lab; `xmpplab down --keep` keeps one, in .xmpplab/NAME, "
                "and `xmpplab simulate --keep FOLDER` one of a simulated run"
            )
        lab.folder.check()
        return lab

    @property
    def name(self) -> str:
        """That of its topology."""
        return self.folder.name

    @property
    def option(self) -> str:
        """The value of `--lab` for it: its name, or the path of the folder of a simulated run."""
        return f"{self.path}/" if self.folder.is_simulated else self.name

    @property
    def path(self) -> Path:
        """Its state folder."""
        return self.folder.path

    @property
    def plan(self) -> Plan:
        """The running plan; `scale` replaces it."""
        return self.folder.plan()

    @property
    def exists(self) -> bool:
        """False after it was taken down without keeping its data."""
        return self.folder.plan_file.exists()

    @property
    def driver(self) -> Driver:
        """What runs it."""
        from cluster.lab.driver import driver_of

        return self._driver or driver_of(self.folder)

    @property
    def is_up(self) -> bool:
        """Whether it is running."""
        return self.driver.is_up()

    def check_up(self) -> None:
        """Raises LabError if it is not running."""
        from cluster.lab.driver import check_up

        check_up(self.folder, self.driver)

    @property
    def start_command(self) -> str:
        """The command that brings it up, for messages."""
        return self.folder.start_command

    # --- start and stop

    def up(
        self, plans: Sequence[Plan], kind: DriverKind = "process", tell: Tell = untold, *, owner: int | None = None
    ) -> bool:
        """Bring it up and wait until every node is ready; False if it was running already.

        `plans` are the same lab at different addresses: the first one with free addresses is used.
        `owner`: the id of a process. When that ends, even by SIGKILL, the lab is taken down, unless it runs in
        containers.
        """
        from cluster.lab.driver import driver
        from cluster.lab.plans import check_modules
        from cluster.lab.provision.intention import check_kind

        plans = _fitting(plans, kind)
        check_modules(plans[0])
        had_data = self.exists
        if had_data and self.is_up:
            check_kind(self.folder, kind)
        try:
            _, is_new = (self._driver or driver(kind, self.folder)).up(plans, tell, owner)
        except OSError:
            if not had_data and not self.folder.is_locked():
                self.folder.remove()
            raise
        return is_new

    def intention(self, plans: Sequence[Plan], kind: DriverKind = "process") -> Intention:
        """What `up` would do, without writing or starting anything."""
        from cluster.lab.provision.intention import intention

        return intention(self.folder, _fitting(plans, kind), kind)

    def down(self, *, keep: bool = False) -> bool:
        """Stop everything; remove the folder unless its data are kept. False if nothing was running."""
        from cluster.lab.tracing.keeping import keeping_journal

        with keeping_journal(self.folder) if keep and self.is_up else nullcontext():
            return self.driver.down(keep=keep)

    def scale(self, nodes: Mapping[str, int]) -> Plan:
        """Change the number of nodes of servers, by their names, while the lab runs; returns the new plan."""
        from cluster.topology.scale import with_nodes

        before = plan = self.plan
        if not self.is_up:
            raise LabError(f"{self.folder.why_down()}, then scale it")
        more_first = sorted(nodes.items(), key=lambda wish: wish[1] < len(before.nodes_of(wish[0])))
        for server, count in more_first:  # so that no new node gets the address of one that is still running
            try:
                plan = with_nodes(plan, server, count)
            except ValueError as error:
                raise BadInput(str(error)) from None
        if plan != before:
            self.timeline.mark("scale", *(f"{server}={count}" for server, count in nodes.items()))
            self.driver.apply(plan)
        return plan

    # --- its nodes

    def act(self, name: str, action: NodeAction, for_s: float = 0.0) -> list[str]:
        """Do this to the process of the node of this name, and wait for the effect; returns the other nodes in it.

        `for_s`: a killed process is started again after this time, not at once.
        """
        from cluster.lab.folder import is_full
        from cluster.lab.wait import wait_until

        node = self.node(name)
        if node.state != _NEEDED[action]:
            raise LabError(f"cannot {action} {name}: it is {node.state}, not {_NEEDED[action]}")
        together = [each.name for each in self.nodes() if each.name == name or (node.pid and each.pid == node.pid)]
        self.driver.act(node, action, for_s)
        self.timeline.mark(action, name, *(("--for", f"{for_s:g}s") if for_s else ()))

        def shows() -> bool:
            now = [each for each in self.nodes() if each.name in together]
            if action == "pause":
                return all(each.state == "paused" for each in now)
            is_new = all(each.started_utc != node.started_utc for each in now)
            return all(each.state == "running" for each in now) and (is_new or action == "resume")

        if not wait_until(shows, DONE_TIMEOUT_S + for_s):
            why = f"the disk of {self.path} is full; " if is_full(self.path) else ""
            raise LabError(
                f"{name} is {self.node(name).state}, {DONE_TIMEOUT_S + for_s:g} s after `{action}`; "
                f"{why}see `xmpplab logs {name}`"
            )
        return [each for each in together if each != name]

    def roll(self, domain: str) -> Iterator[tuple[str, list[str]]]:
        """Restart the nodes of this domain one after the other, each when the one before it is ready.

        Yields the name of each, and the other nodes in its process (`act`).
        """
        names = [node.name for node in self.plan.servers if node.domain == domain]
        if not names:
            known = shortened([*dict.fromkeys(each.domain for each in self.plan.servers)], MOST_CHOICES)
            raise BadInput(f"no domain {domain!r} in this lab (domains: {known})")
        for name in names:
            yield name, self.act(name, "restart")

    def set_log_level(self, level: Level, node: str | None = None) -> dict[str, Level]:
        """Make this node, or each, log from this level on, until its process ends; by name: the level before."""
        from cluster.lab.control.ask import ask
        from cluster.lab.control.requests import LogLevel

        self.check_up()
        ours = {each.name: each for each in (*self.plan.ours, *self.plan.lower_half)}
        if node is not None and node not in ours:
            raise BadInput(
                f"{self.node(node).name} has no levels (nodes that have: {shortened([*ours], MOST_CHOICES)})"
            )
        wanted = ours.values() if node is None else [ours[node]]
        return {each.name: ask(self.folder, self.plan, each, LogLevel(level)) for each in wanted}

    def nodes(self) -> list[NodeState]:
        """All nodes, Redis first."""
        return self.driver.status()

    def node(self, name: str) -> NodeState:
        """One node."""
        nodes = self.nodes()
        found = next((node for node in nodes if node.name == name), None)
        if found is None:
            if not nodes:
                self.check_up()
            raise BadInput(
                f"no node {name!r} in this lab (nodes: {shortened([node.name for node in nodes], MOST_CHOICES)})"
            )
        return found

    def overview(self) -> Overview:
        """The state of its nodes, components and links."""
        from cluster.lab.overview import overview

        return overview(self.folder, self.nodes())

    def overviews(self, every_s: float) -> Iterator[Overview]:
        """Overviews, again and again, as long as the lab exists."""
        from cluster.lab.wait import pause

        while self.exists:
            yield self.overview()
            pause(every_s)

    def look(self, name: str) -> NodeView:
        """The state of one node in full; asks no other node."""
        from cluster.lab.overview import look

        return look(self.folder, self.node(name))

    @cached_property
    def _usages(self) -> Usages:
        from cluster.lab.overview import Usages

        return Usages()

    def usages(self, nodes: Sequence[NodeState]) -> list[Usage]:
        """The processor time that the processes of these nodes have used since the last call, and their memory."""
        return self._usages.read(nodes)

    def troubles(self) -> list[str]:
        """The problems of a running lab."""
        from cluster.lab.overview import troubles

        return troubles(self.folder, self.plan)

    def log(self, node: str | None = None) -> LogStream:
        """The log of all nodes, or of one."""
        if self.folder.is_simulated:
            raise LabError(
                f"a simulated run records no logs; see `xmpplab why --lab {self.option}`, "
                f"`xmpplab watch --lab {self.option}` and `xmpplab timeline --lab {self.option}`"
            )
        return self.driver.story(node)

    def follow(self, story: LogStream, every_s: float, *, until_down: bool = False) -> Iterator[tuple[str, LogLine]]:
        """What is added to a log, until the lab's files are removed; `until_down`: until it is not running."""
        from cluster.lab.wait import pause

        while self.is_up if until_down else self.folder.logs.exists():
            pause(every_s)
            yield from story.read()

    def check(self, domain: str) -> Iterator[CheckStep]:
        """What another server and a client meet at a domain, step by step, up to the first that fails."""
        from cluster.lab.checking.check import Check

        self.check_up()
        return Check(self.folder, self.plan, domain).steps()

    def become(self, command: Sequence[str]) -> NoReturn:
        """Run a program in place of this process, where the system has the lab's names and trusts its CA."""
        from cluster.lab.processes.namespace import become

        self.check_up()
        become(self.folder, self.plan, command)

    def connect(self, client: str, who: str, password: str | None = None) -> NoReturn:
        """Run a client program in place of this process, logged in as an account; its profile is in the lab's folder.

        `client`: the name of one of `client_programs()`.
        """
        from cluster.lab.clients.connect import connect

        self.check_up()
        connect(self.folder, self.plan, client, self.address(who), password)

    def netem(self, node: str, words: Sequence[str]) -> str:
        """Delay or lose packets of a node, with arguments of tc(8); without arguments, change nothing. Returns the
        settings."""
        from cluster.lab.containers.netem import netem

        settings = netem(self.folder, node, words)
        if words:
            self.timeline.mark("netem", node, *words)
        return settings

    @property
    def timeline(self) -> LabTimeline:
        """What was recorded of it second by second, and what was done to it."""
        from cluster.lab.api.timeline import LabTimeline

        return LabTimeline(self.folder)

    def following_a_share(self) -> AbstractContextManager[None]:
        """About a hundred stanzas a second are followed inside, so that its time line says where their time went."""
        from cluster.lab.timeline.following import following_a_share

        return following_a_share(self)

    # --- its links and networks

    @cached_property
    def faults(self) -> LinkFaults:
        """The faults of its links."""
        from cluster.lab.faults import LinkFaults

        return LinkFaults(self.folder)

    def links(self) -> list[LinkView]:
        """The links that were ever used or have faults; empty if Redis does not answer."""
        from cluster.lab.overview import links

        return links(self.folder, self.plan)

    @property
    def networks(self) -> Networks:
        """The foreign networks that it runs."""
        from cluster.lab.networks import Networks

        return Networks(self.folder, self.plan)

    def person(self, kind: type[NetworkNode], wanted: str) -> Person:
        """A user of its networks of this kind, such as a phone, by name or address."""
        from cluster.lab.clients.correspondents import find_person

        return find_person(self.folder, self.plan, kind, wanted)

    # --- its accounts, and their messages

    @property
    def ca_file(self) -> Path:
        """The certificate that clients have to trust, PEM."""
        return self.folder.ca_file

    def trust_bundle(self) -> Path:
        """A file with the certificates that this process trusts and the lab's CA, PEM: for `SSL_CERT_FILE`."""
        from cluster.lab.provision.trust import trust_bundle

        return trust_bundle(self.folder)

    def certificates(self) -> list[CertificateView]:
        """The certificates of its CA and its servers."""
        from cluster.lab.provision.certificates import views

        return views(self.folder, self.plan)

    @property
    def users(self) -> Users:
        """The accounts of its servers, while it is running."""
        from cluster.lab.clients.users import Users

        return Users(self.folder, self.plan, self.check_up)

    def load_accounts(self, counts: Mapping[str, int], tell: Tell = untold) -> AbstractContextManager[Path]:
        """So many new accounts in each domain, for a load test; see `cluster.lab.clients.load_accounts`."""
        from cluster.lab.clients.load_accounts import load_accounts

        self.check_up()
        return load_accounts(self.folder, self.users, counts, tell)

    def online(self, nodes: Sequence[NodeState]) -> dict[str, list[str]]:
        """Who is online at each of these nodes: the full JIDs of clients; the names of phones that are on, and of
        mailboxes."""
        from cluster.lab.clients.online import online

        return online(self.folder, self.plan, nodes)

    def accounts(self) -> list[KnownAccount]:
        """The accounts with known passwords, as far as the servers answer."""
        from cluster.lab.clients.accounts import known_accounts

        return known_accounts(self.folder, self.plan)

    def correspondents(self) -> list[Correspondent]:
        """The phones and mailboxes behind its gateways."""
        from cluster.lab.clients.correspondents import behind_gateways

        return behind_gateways(self.plan)

    def address(self, text: str) -> Jid:
        """The address of an account, phone or mailbox, from an address or a name that is unique in the lab."""
        from cluster.lab.clients.names import account_of

        return account_of(self.folder, self.plan, text)

    def account(self, who: str, password: str | None = None) -> Account:
        """An account, to act as it. `who`: as in `address`; `password`: None: that of the topology."""
        from cluster.lab.api.account import Account

        return Account(self.folder, self.address(who).bare, password)

    def search(self, text: str, who: str = "", most: int = 100, password: str | None = None) -> SearchResult:
        """The newest messages with this text in the archive of an account; without one, of all with known passwords."""
        from cluster.lab.clients.asking import search

        return search(self.folder, self.plan, text, self.address(who) if who else None, password, most)

    def rooms(self) -> list[RoomInfo]:
        """The public rooms of all its servers, with the number of those who are in them."""
        from cluster.lab.clients.asking import rooms

        return rooms(self.folder, self.plan)

    # --- its stanzas

    def demonstration(self) -> list[tuple[Jid, Jid]]:
        """The first senders and receivers to show: a contact in another domain, and a user behind a gateway.

        They are C3 and FC1 of the RFC's figure.
        """
        from cluster.lab.clients.names import first_behind_gateway, first_pair

        plan = self.plan
        from_, contact = first_pair(plan)
        return [(from_, to) for to in (contact, first_behind_gateway(plan)) if to is not None]

    def hops(self, *, every_stanza: bool, tell: Tell = untold) -> Iterator[list[Hop]]:
        """The hops from now on as they come, and an empty list where none comes within a second; endless.

        See `cluster.lab.tracing.watching`.
        """
        from cluster.lab.tracing.watching import watch

        return watch(self.folder, self.plan, every_stanza=every_stanza, tell=tell)

    def recorded_hops(self) -> Iterator[list[Hop]]:
        """The hops of a lab that is down, or of a simulated run, oldest first; none where `down` kept no data."""
        from cluster.lab.tracing.kept import KeptJournal

        return KeptJournal(self.folder.journal).replay()

    def why(self, trace_id: str = "", from_: str = "", to: str = "") -> Explanation:
        """What became of a stanza in the journal, and why: that of a trace id, or the newest one that matches."""
        from cluster.lab.tracing.why import explain_one

        return explain_one(self.folder, self.plan, trace_id, from_, to)

    def stanzas(self, since: datetime, from_: str = "", to: str = "", kind: str = "") -> list[Explanation]:
        """What became of the stanzas that entered the lab since then, oldest first, as far as the journal has them.

        `from_`, `to`: an account, one of its resources, or a domain; `kind`: message, presence or iq; empty: any.
        """
        from cluster.lab.tracing.why import explain_all

        return explain_all(self.folder, self.plan, int(since.timestamp() * 1e9), from_, to, kind)

    def why_followed(self, address: str, tell: Tell = untold) -> Iterator[Explanation]:
        """Record all that is from or to an address, and explain each stanza; without an end."""
        from cluster.lab.tracing.why import explain_followed

        return explain_followed(self.folder, self.plan, address, tell)


def _fitting(plans: Sequence[Plan], kind: DriverKind) -> Sequence[Plan]:
    """The plans as the driver can run them: no container has several servers. Raises BadInput for too many nodes."""
    from cluster.topology.scale import MAX_LAB_NODES
    from cluster.topology.sharing import shared

    count = len(plans[0].servers) + len(plans[0].gateways) + len(plans[0].networks)
    if count > MAX_LAB_NODES:
        raise BadInput(
            f"the lab would have {count:,} nodes, including gateways and networks; at most {MAX_LAB_NODES:,} run at a "
            "time. `xmpplab simulate` takes larger topologies"
        )
    return plans if kind == "process" else [shared(plan, 0) for plan in plans]
