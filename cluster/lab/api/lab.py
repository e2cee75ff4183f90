"""A lab, and all its operations."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from cluster.lab import DriverKind
from cluster.lab.errors import BadInput, LabError
from cluster.lab.progress import Tell, untold

if TYPE_CHECKING:
    from cluster.client.archive import ArchivedMessage
    from cluster.client.managed import ManagedClient
    from cluster.client.messenger import Messenger
    from cluster.lab.answers import CheckStep, Intention, Overview, Sent
    from cluster.lab.clients.accounts import KnownAccount
    from cluster.lab.clients.correspondents import Correspondent
    from cluster.lab.clients.users import Users
    from cluster.lab.driver import Driver, LogStream
    from cluster.lab.faults import LinkFaults
    from cluster.lab.folder import LabFolder
    from cluster.lab.logs import LogLine
    from cluster.lab.networks import Networks
    from cluster.lab.state import NodeAction, NodeState, State
    from cluster.lab.tracing.prober import Prober
    from cluster.networks.person import Person
    from cluster.topology.plan import NetworkNode, Plan
    from cluster.trace.hop import Hop
    from cluster.trace.why import Explanation
    from cluster.xmpp.jid import Jid

DONE_TIMEOUT_S = 60.0
"""As long as `up` waits for a node to be ready."""

_NEEDED: dict[NodeAction, State] = {"kill": "running", "pause": "running", "resume": "paused", "restart": "running"}


class Lab:
    """One lab, by its state folder. All methods raise LabError, and BadInput for bad arguments."""

    def __init__(self, folder: LabFolder, driver: Driver | None = None) -> None:
        """`driver`: the driver, if the folder does not tell it."""
        self.folder = folder
        self._driver = driver

    @classmethod
    def named(cls, name: str | None) -> Lab:
        """The lab of this name under the current folder; None: the only one."""
        from cluster.lab.folder import choose

        return cls(choose(Path.cwd(), name))

    @classmethod
    def of_plan(cls, plan: Plan) -> Lab:
        """The lab that `up` would create from a plan."""
        from cluster.lab.folder import LabFolder

        return cls(LabFolder(Path(plan.state_dir)))

    @property
    def name(self) -> str:
        return self.folder.name

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
        if not self.is_up:
            raise LabError(f"lab {self.name} is down; bring it up with `xmpplab up {self.plan.topology} -d`")

    # --- start and stop

    def up(self, plans: Sequence[Plan], kind: DriverKind = "process", tell: Tell = untold) -> bool:
        """Bring it up and wait until every node is ready; False if it was running already.

        `plans` are the same lab at different addresses: the first one with free addresses is used.
        """
        from cluster.lab.driver import driver
        from cluster.lab.provision.intention import check_kind

        had_data = self.exists
        if had_data and self.is_up:
            check_kind(self.folder, kind)
        try:
            _, is_new = (self._driver or driver(kind, self.folder)).up(plans, tell)
        except OSError:
            if not had_data and not self.folder.is_locked():
                self.folder.remove()
            raise
        return is_new

    def intention(self, plans: Sequence[Plan], kind: DriverKind = "process") -> Intention:
        """What `up` would do, without writing or starting anything."""
        from cluster.lab.provision.intention import intention

        return intention(self.folder, plans, kind)

    def down(self, *, keep: bool = False) -> bool:
        """Stop everything; remove the folder unless its data are kept. False if nothing was running."""
        return self.driver.down(keep=keep)

    def scale(self, nodes: Mapping[str, int]) -> Plan:
        """Change the number of nodes of servers, by their names, while the lab runs; returns the new plan."""
        from cluster.topology.scale import with_nodes

        before = plan = self.plan
        if not self.is_up:
            raise LabError(f"lab {self.name!r} is down; bring it up with `xmpplab up`, then scale it")
        more_first = sorted(nodes.items(), key=lambda wish: wish[1] < len(before.nodes_of(wish[0])))
        for server, count in more_first:  # so that no new node gets the address of one that is still running
            try:
                plan = with_nodes(plan, server, count)
            except ValueError as error:
                raise BadInput(str(error)) from None
        if plan != before:
            self.driver.apply(plan)
        return plan

    # --- its nodes

    def act(self, name: str, action: NodeAction, for_s: float = 0.0) -> None:
        """Do this to the node of this name, and wait for the effect.

        `for_s`: a killed node is started again after this time, not at once.
        """
        from cluster.lab.folder import is_full
        from cluster.lab.wait import wait_until

        node = self.node(name)
        if node.state != _NEEDED[action]:
            raise LabError(f"cannot {action} {name}: it is {node.state}, not {_NEEDED[action]}")
        self.driver.act(node, action, for_s)

        def shows() -> bool:
            now = self.node(name)
            if action == "pause":
                return now.state == "paused"
            is_new = now.started_utc != node.started_utc
            return now.state == "running" and (is_new or action == "resume")

        if not wait_until(shows, DONE_TIMEOUT_S + for_s):
            why = f"the disk of {self.path} is full; " if is_full(self.path) else ""
            raise LabError(
                f"{name} is {self.node(name).state}, {DONE_TIMEOUT_S + for_s:g} s after `{action}`; "
                f"{why}see `xmpplab logs {name}`"
            )

    def nodes(self) -> list[NodeState]:
        """All nodes, Redis first."""
        return self.driver.status()

    def node(self, name: str) -> NodeState:
        """One node."""
        nodes = self.nodes()
        found = next((node for node in nodes if node.name == name), None)
        if found is None:
            raise BadInput(f"no node {name!r} in this lab (nodes: {', '.join(node.name for node in nodes)})")
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

    def troubles(self) -> list[str]:
        """The problems of a running lab."""
        from cluster.lab.overview import troubles

        return troubles(self.folder, self.plan)

    def log(self, node: str | None = None) -> LogStream:
        """The log of all nodes, or of one."""
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

    def netem(self, node: str, words: Sequence[str]) -> str:
        """Delay or lose packets of a node, with arguments of tc(8); without arguments, change nothing. Returns the
        settings."""
        from cluster.lab.containers.netem import netem

        return netem(self.folder, node, words)

    # --- its links and networks

    @cached_property
    def faults(self) -> LinkFaults:
        """The faults of its links."""
        from cluster.lab.faults import LinkFaults

        return LinkFaults(self.folder)

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

    @property
    def users(self) -> Users:
        """The accounts of its servers, while it is running."""
        from cluster.lab.clients.users import Users

        return Users(self.folder, self.plan, self.check_up)

    def accounts(self) -> list[KnownAccount]:
        """The accounts with known passwords, as far as the servers answer."""
        from cluster.lab.clients.accounts import known_accounts

        return known_accounts(self.folder, self.plan)

    def correspondents(self) -> list[Correspondent]:
        """The phones and mailboxes behind its gateways."""
        from cluster.lab.clients.correspondents import behind_gateways

        return behind_gateways(self.plan)

    def account(self, text: str) -> Jid:
        """The account of an address, or of a name that is unique in the lab."""
        from cluster.lab.clients.names import account_of

        return account_of(self.folder, self.plan, text)

    def send(self, from_: str, to: str, text: str, password: str | None = None) -> Sent:
        """Send a message as an account, and wait until it is accepted or returned."""
        from cluster.lab.clients.login import known_password
        from cluster.lab.clients.sending import checked_text, send_message

        plan = self.plan
        sender, receiver = self.account(from_).bare, self.account(to)
        return send_message(
            self.folder, plan, sender, known_password(plan, sender, password), receiver, checked_text(text)
        )

    def inbox(self, who: str, most: int, password: str | None = None) -> list[ArchivedMessage]:
        """The newest messages that others sent to an account, by its archive (XEP-0313)."""
        from cluster.client.archive import received
        from cluster.lab.clients.login import known_password, log_in
        from cluster.xmpp.streams.login import StreamFailed

        plan = self.plan
        jid = self.account(who).bare
        try:
            with log_in(self.folder, plan, jid, known_password(plan, jid, password)) as client:
                return received(client, most)
        except StreamFailed as error:
            raise LabError(f"{error}; check that the server of {jid} has the module `archive`") from None

    def chat(self, who: str, password: str | None = None) -> tuple[Messenger, ManagedClient]:
        """Log in as an account, and stay logged in until the client is closed."""
        from secrets import token_hex

        from cluster.client.managed import ManagedClient
        from cluster.client.messenger import Messenger
        from cluster.lab.clients.login import connector, explained, known_password

        plan = self.plan
        jid = self.account(who).bare
        password = known_password(plan, jid, password)
        messenger = Messenger(jid, lambda stanza: client.send([stanza]))
        connect = connector(self.folder, plan, jid.with_resource(f"chat-{token_hex(4)}"), password)
        with explained(self.folder, plan, jid):  # the first login; later ones are tried until they succeed
            client = ManagedClient(connect, messenger.greeting(), time.monotonic)
        return messenger, client

    # --- its stanzas

    def prober(
        self,
        from_: str,
        to: str,
        *,
        password: str | None = None,
        resource: str = "",
        node: str = "",
        with_receiver: bool = True,
        timeout_s: float = 10.0,
        tell: Tell = untold,
    ) -> AbstractContextManager[Prober]:
        """Log in as an account, to send probes to another one; see `cluster.lab.tracing.prober`.

        `resource`: one client of the receiver.
        """
        from cluster.lab.clients.login import known_password
        from cluster.lab.clients.names import with_resource
        from cluster.lab.tracing.prober import prober

        plan = self.plan
        sender = self.account(from_).bare
        receiver = with_resource(self.account(to), resource)
        return prober(
            self.folder, plan, sender, receiver, known_password(plan, sender, password),
            node=node, with_receiver=with_receiver, timeout_s=timeout_s, tell=tell,
        )  # fmt: skip

    def demonstration(self) -> list[tuple[Jid, Jid]]:
        """The first senders and receivers to show: a contact in another domain, and a user behind a gateway.

        They are C3 and FC1 of the RFC's figure.
        """
        from cluster.lab.clients.names import first_behind_gateway, first_pair

        plan = self.plan
        from_, contact = first_pair(plan)
        return [(from_, to) for to in (contact, first_behind_gateway(plan)) if to is not None]

    def hops(self, *, every_stanza: bool, tell: Tell = untold) -> Iterator[Hop]:
        """The hops from now on, endless; see `cluster.lab.tracing.watching`."""
        from cluster.lab.tracing.watching import watch

        found = watch(self.folder, self.plan, every_stanza=every_stanza, tell=tell)
        return (hop for hops in found for hop in hops)

    def why(self, trace_id: str = "", from_: str = "", to: str = "") -> Explanation:
        """What became of a stanza in the journal, and why: that of a trace id, or the newest one that matches."""
        from cluster.lab.tracing.why import explain_one

        return explain_one(self.folder, self.plan, trace_id, from_, to)

    def why_followed(self, address: str, tell: Tell = untold) -> Iterator[Explanation]:
        """Record all that is from or to an address, and explain each stanza; without an end."""
        from cluster.lab.tracing.why import explain_followed

        return explain_followed(self.folder, self.plan, address, tell)
