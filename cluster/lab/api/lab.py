"""A lab, and all that can be done with it."""

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
    from cluster.lab.answers import Intention, Overview, Sent
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
    from cluster.xmpp.jid import Jid

DONE_TIMEOUT_S = 60.0
"""As long as `up` waits for a part to answer."""

_NEEDED: dict[NodeAction, State] = {"kill": "running", "pause": "running", "resume": "paused", "restart": "running"}


class Lab:
    """One lab, by its state folder. All methods raise LabError, and BadInput for what makes no sense."""

    def __init__(self, folder: LabFolder, driver: Driver | None = None) -> None:
        """`driver`: what runs it, where its folder does not tell."""
        self.folder = folder
        self._driver = driver

    @classmethod
    def named(cls, name: str | None) -> Lab:
        """The lab of this name under the current folder; None: the only one."""
        from cluster.lab.folder import choose

        return cls(choose(Path.cwd(), name))

    @classmethod
    def of_plan(cls, plan: Plan) -> Lab:
        """The lab that `up` makes of a plan."""
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
        """What was brought up; another one after `scale`."""
        return self.folder.plan()

    @property
    def exists(self) -> bool:
        """False once it was taken down without keeping its data."""
        return self.folder.plan_file.exists()

    @property
    def driver(self) -> Driver:
        """What runs it."""
        from cluster.lab.driver import driver_of

        return self._driver or driver_of(self.folder)

    @property
    def is_up(self) -> bool:
        """True while it runs."""
        return self.driver.is_up()

    def check_up(self) -> None:
        """Raises LabError where it does not run."""
        if not self.is_up:
            raise LabError(f"lab {self.name} is down; bring it up with `xmpplab up {self.plan.topology} -d`")

    # --- its life

    def up(self, plans: Sequence[Plan], kind: DriverKind = "process", tell: Tell = untold) -> bool:
        """Bring it up and wait until every part answers; False where it ran already.

        `plans` are the same lab at different addresses: the first whose addresses are free is taken.
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
        """What `up` would do; nothing is written and nothing is started."""
        from cluster.lab.provision.intention import intention

        return intention(self.folder, plans, kind)

    def down(self, *, keep: bool = False) -> bool:
        """Stop everything; remove the folder unless its data are kept. False where nothing ran."""
        return self.driver.down(keep=keep)

    def scale(self, nodes: Mapping[str, int]) -> Plan:
        """Give servers so many nodes, by their names, while the lab runs: the plan that runs now."""
        from cluster.topology.scale import with_nodes

        before = plan = self.plan
        if not self.is_up:
            raise LabError(f"lab {self.name!r} is down; bring it up with `xmpplab up`, then scale it")
        more_first = sorted(nodes.items(), key=lambda wish: wish[1] < len(before.nodes_of(wish[0])))
        for server, count in more_first:  # so that no new node gets the address of one that has yet to go
            try:
                plan = with_nodes(plan, server, count)
            except ValueError as error:
                raise BadInput(str(error)) from None
        if plan != before:
            self.driver.apply(plan)
        return plan

    # --- its nodes

    def act(self, name: str, action: NodeAction, for_s: float = 0.0) -> None:
        """Do this to the node of this name, and wait until it shows.

        `for_s`: a node that is killed is started again after so long, not at once.
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
        """What runs, Redis first."""
        return self.driver.status()

    def node(self, name: str) -> NodeState:
        """One of them."""
        nodes = self.nodes()
        found = next((node for node in nodes if node.name == name), None)
        if found is None:
            raise BadInput(f"no node {name!r} in this lab (nodes: {', '.join(node.name for node in nodes)})")
        return found

    def overview(self) -> Overview:
        """Its nodes, components and links, and how they are."""
        from cluster.lab.overview import overview

        return overview(self.folder, self.nodes())

    def overviews(self, every_s: float) -> Iterator[Overview]:
        """Again and again, as long as there is something to see."""
        from cluster.lab.wait import pause

        while self.exists:
            yield self.overview()
            pause(every_s)

    def troubles(self) -> list[str]:
        """What does not work though the lab runs."""
        from cluster.lab.overview import troubles

        return troubles(self.folder, self.plan)

    def log(self, node: str | None = None) -> LogStream:
        """What all nodes say, or one of them."""
        return self.driver.story(node)

    def follow(self, story: LogStream, every_s: float, *, until_down: bool = False) -> Iterator[tuple[str, LogLine]]:
        """What is added to a log, until the lab's files are gone; `until_down`: until it does not run."""
        from cluster.lab.wait import pause

        while self.is_up if until_down else self.folder.logs.exists():
            pause(every_s)
            yield from story.read()

    def become(self, command: Sequence[str]) -> NoReturn:
        """Run a program in place of this process, where the system has the lab's names and trusts its CA."""
        from cluster.lab.processes.namespace import become

        self.check_up()
        become(self.folder, self.plan, command)

    def netem(self, node: str, words: Sequence[str]) -> str:
        """Let packets that a node sends be late or lost, in the words of tc(8); none: change nothing. What holds."""
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
        """One of the people of its networks of this kind, such as a phone, by name or address."""
        from cluster.lab.clients.correspondents import find_person

        return find_person(self.folder, self.plan, kind, wanted)

    # --- its accounts, and what they send

    @property
    def ca_file(self) -> Path:
        """What clients have to trust, PEM."""
        return self.folder.ca_file

    @property
    def users(self) -> Users:
        """The accounts of its servers, while it runs."""
        from cluster.lab.clients.users import Users

        return Users(self.folder, self.plan, self.check_up)

    def accounts(self) -> list[KnownAccount]:
        """Whom one can log in as, as far as the servers answer."""
        from cluster.lab.clients.accounts import known_accounts

        return known_accounts(self.folder, self.plan)

    def correspondents(self) -> list[Correspondent]:
        """The phones and mailboxes behind its gateways."""
        from cluster.lab.clients.correspondents import behind_gateways

        return behind_gateways(self.plan)

    def account(self, text: str) -> Jid:
        """Whom the user means by an address, or by a name that is unique in the lab."""
        from cluster.lab.clients.names import account_of

        return account_of(self.folder, self.plan, text)

    def send(self, from_: str, to: str, text: str, password: str | None = None) -> Sent:
        """Send a message as an account, and wait until it was taken in or came back."""
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
        """Log in as an account, and stay so until the client is closed."""
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

    # --- what passes through it

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

        `resource`: of the receiver: one client of it.
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
        """Who may write to whom first: to a contact in another domain, and to somebody behind a gateway.

        They are C3 and FC1 of the RFC's figure.
        """
        from cluster.lab.clients.names import first_behind_gateway, first_pair

        plan = self.plan
        from_, contact = first_pair(plan)
        return [(from_, to) for to in (contact, first_behind_gateway(plan)) if to is not None]

    def hops(self, *, every_stanza: bool, tell: Tell = untold) -> Iterator[Hop]:
        """The hops from now on, without an end; see `cluster.lab.tracing.watching`."""
        from cluster.lab.tracing.watching import watch

        return watch(self.folder, self.plan, every_stanza=every_stanza, tell=tell)
