"""Where a run takes place, as a run sees it: a running lab (`live.py`), or one in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, Protocol

from cluster.lab.clients.correspondents import Correspondent
from cluster.lab.verify.faultlog import FaultLog
from cluster.lab.verify.foreign import BoxClient, BoxRole
from cluster.lab.verify.report import MemoryReport
from cluster.lab.verify.traffic import Client, Session
from cluster.topology.plan import Plan
from cluster.trace.hop import Hop
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

How = Literal["kill", "restart", "pause"]

Script = Iterator[float]
"""What is done by and by: each value is the time to wait, in seconds, before it goes on."""


class Part(Protocol):
    """What goes on by itself from `start` until `stop`, or until it is over."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End soon; returns at once."""

    def join(self) -> None:
        """Wait until it is over."""

    def is_alive(self) -> bool:
        """Whether it has begun and is not over."""


class Stage(Protocol):
    """What a run needs of its lab. Each call may raise LabError."""

    plan: Plan

    def seconds(self) -> float:
        """A steady clock."""

    def utc_s(self) -> float:
        """The time that the lab's journal and archives have."""

    def token(self) -> str:
        """Eight hexadecimal digits that no other call returns."""

    def wait(self, seconds: float) -> None:
        """Let this time pass. Raises KeyboardInterrupt."""

    # --- clients

    def client(self, jid: Jid, password: str, greeting: Sequence[Stanza]) -> Client:
        """Log in; the stage closes it at the end."""

    def account(self, domain: str) -> tuple[Jid, str]:
        """A new account that is nobody's contact, and its password; the stage removes it at the end."""

    def box(self, box: Correspondent) -> BoxClient:
        """A reader and sender for a phone or a mailbox."""

    # --- what goes on

    def session(self, session: Session) -> Part:
        """A part that plays this role: it sends when something is due, and takes what arrives."""

    def box_part(self, role: BoxRole) -> Part:
        """A part that plays this role, turn by turn."""

    def script(self, name: str, script: Script) -> Part:
        """A part that does what the script says; it does not wait any more when it is stopped."""

    def lookouts(self, faults: FaultLog, now_s: Callable[[], float]) -> Sequence[Part]:
        """Parts that record what others break during the run, and the memory of the nodes."""

    # --- what is done to the lab

    def act(self, node: str, how: How, for_s: float) -> Script:
        """Kill, restart or pause a node, for this time and until it is ready again."""

    def is_running(self, node: str) -> bool:
        """Whether a node is up."""

    def set_faults(self, from_: str, to: str, faults: Mapping[str, str]) -> None:
        """Change the faults of the link between two servers."""

    # --- what is seen

    def check(self) -> None:
        """Raises LabError if the lab is gone, or a session has failed."""

    def new_hops(self) -> Iterable[Hop]:
        """The hops in the journal since the last call; none while it cannot be read."""

    def routes(self, ids: set[str]) -> Sequence[Hop]:
        """The hops of these stanzas since the start of the run, as far as the journal has them."""

    def memory(self) -> list[MemoryReport]:
        """The memory of the nodes during the run."""
