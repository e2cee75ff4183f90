"""A client of a scenario in virtual time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from typing_extensions import override

from cluster.client.managed import RETRY_S
from cluster.lab.verify.traffic import Client, Session
from cluster.simulation.chance import Chance
from cluster.simulation.device import Device
from cluster.simulation.lab import SimulatedLab
from cluster.virtual.host import Host
from cluster.xmpp.jid import Jid
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Stanza, make
from cluster.xmpp.streams.login import Login

_GOODBYE = make("presence", type="unavailable")
WaitUntil = Callable[[Callable[[], object], float], object]
"""Lets virtual time pass until a condition holds, or for so many seconds."""


class SimulatedClient(Client):
    """A client of the run."""

    def __init__(
        self, lab: SimulatedLab, wait_until: WaitUntil, host: Host, jid: Jid, password: str,
        greeting: Sequence[Stanza], chance: Chance,
    ) -> None:  # fmt: skip
        self.jid = jid
        self.session: Session | None = None
        """Who takes what arrives; None: `receive` does."""
        self.greeting = greeting
        nodes = [(node.name, node.c2s_port) for node in lab.plan.servers if node.domain == jid.domainpart]
        first = chance.randrange(len(nodes))  # as SRV records of one priority and weight (RFC 2782)
        nodes = nodes[first:] + nodes[:first]
        self.device = Device(host, nodes, Login(jid, password), self, chance, greeting, RETRY_S)
        self.breaks = self.device.breaks
        self._lab = lab
        self._wait_until = wait_until
        self._early: deque[Slice] = deque()
        self.device.come()

    @override
    @property
    def acknowledged(self) -> int:
        return self.device.acknowledged

    @override
    def send(self, stanzas: Sequence[Stanza]) -> None:
        self.device.send(stanzas)

    def receive(self, timeout_s: float) -> Slice | None:
        """See `Client`. Only while no session takes what arrives."""
        self._wait_until(lambda: self._early, timeout_s)
        return self._early.popleft() if self._early else None

    @override
    def cut(self, away_s: float = 0.0) -> None:
        self.device.cut(away_s)

    @override
    def close(self) -> None:
        self.session = None
        self._early.clear()
        self.device.leave(_GOODBYE)

    # --- of its device

    def on_online(self, *, is_new: bool) -> None:
        """Nothing has to be done."""

    def on_break(self) -> None:
        """Nothing has to be done."""

    def on_offline(self) -> None:
        """Nothing has to be done."""

    def on_stanza(self, stanza: Slice) -> None:
        """A stanza arrived."""
        lab = self._lab
        lab.journal.received(lab.timeline.now_ns, str(self.jid), stanza.raw)
        if self.session is None:
            self._early.append(stanza)
        else:
            self.session.count()
            self.session.take(stanza)

    def play(self, session: Session) -> None:
        """From now on the session takes what arrives, and what has arrived before."""
        self.session = session
        while self._early:
            session.take(self._early.popleft())
