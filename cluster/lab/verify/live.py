"""A running lab as the stage of a run: each client, step and observer has a thread."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from random import SystemRandom
from secrets import token_hex

from typing_extensions import override

from cluster.client.managed import BROKEN, ManagedClient
from cluster.lab.api import Lab
from cluster.lab.clients.correspondents import Correspondent
from cluster.lab.clients.login import connector
from cluster.lab.clients.names import our_server
from cluster.lab.control.ask import ask
from cluster.lab.control.requests import UserAdd, UserDel
from cluster.lab.errors import LabError
from cluster.lab.tracing.journal import journal
from cluster.lab.verify import memory
from cluster.lab.verify.faultlog import FaultLog
from cluster.lab.verify.foreign import BoxClient, BoxRole
from cluster.lab.verify.lookout import Lookout
from cluster.lab.verify.memory import MemoryWatch
from cluster.lab.verify.progress import Observer
from cluster.lab.verify.report import MemoryReport
from cluster.lab.verify.run import Outcome, Run
from cluster.lab.verify.scenario import Scenario
from cluster.lab.verify.stage import How, Part, Script, Stage
from cluster.lab.verify.timetable import planned
from cluster.lab.verify.traffic import Session
from cluster.lab.wait import pause
from cluster.topology.plan import Plan
from cluster.trace.hop import Hop
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

MEND_TIMEOUT_S = 10.0
"""How long the end of a run waits until paused nodes and cut connections are back."""
_MAX_SEED = 999_999


def run(lab: Lab, scenario: Scenario, progress: Observer) -> Outcome:
    """Run a scenario in a lab; see `Run.completed`. Raises LabError if a client or a step failed."""
    with ExitStack() as stack:
        return running(lab, scenario, stack).completed(progress)


def running(lab: Lab, scenario: Scenario, stack: ExitStack) -> Run:
    """A run in a lab, with its clients logged in; `stack` ends what it has begun. Raises LabError."""
    seed = SystemRandom().randint(1, _MAX_SEED) if scenario.seed is None else scenario.seed
    return Run(LiveStage(lab, stack), scenario, seed, planned(scenario.steps, seed))


class LiveStage(Stage):
    """A lab that is up."""

    def __init__(self, lab: Lab, stack: ExitStack) -> None:
        """`stack` closes the clients, and removes the accounts. Raises LabError."""
        self.plan: Plan = lab.plan
        self._lab = lab
        self._stack = stack
        self._lookout: Lookout | None = None
        self._memory: MemoryWatch | None = None
        self._sessions: list[SessionThread] = []
        with journal(lab.folder, lab.plan) as reader:
            self._begin_position = self._position = reader.newest()

    @override
    def seconds(self) -> float:
        return time.monotonic()

    @override
    def utc_s(self) -> float:
        return time.time()

    @override
    def token(self) -> str:
        return token_hex(4)

    @override
    def wait(self, seconds: float) -> None:
        pause(seconds)

    # --- clients

    @override
    def client(self, jid: Jid, password: str, greeting: Sequence[Stanza]) -> ManagedClient:
        connect = connector(self._lab.folder, self.plan, jid, password)
        try:
            client = ManagedClient(connect, greeting, time.monotonic)
        except BROKEN as error:
            raise LabError(f"{jid} cannot log in: {error}; see `xmpplab ps`") from None
        self._stack.callback(client.close)
        return client

    @override
    def account(self, domain: str) -> tuple[Jid, str]:
        server = our_server(self.plan, domain)
        localpart, secret = f"verify-{token_hex(4)}", token_hex(16)
        ask(self._lab.folder, self.plan, server, UserAdd(localpart, secret))

        def remove() -> None:
            with suppress(LabError):  # its server is down: `xmpplab user ls` shows what is left
                ask(self._lab.folder, self.plan, server, UserDel(localpart))

        self._stack.callback(remove)
        return Jid(localpart, domain), secret

    @override
    def box(self, box: Correspondent) -> BoxClient:
        return BoxClient(box, box.person(self._lab.folder, self.plan))

    # --- what goes on

    @override
    def session(self, session: Session) -> Part:
        self._sessions.append(SessionThread(session))
        return self._sessions[-1]

    @override
    def box_part(self, role: BoxRole) -> Part:
        return BoxThread(role)

    @override
    def script(self, name: str, script: Script) -> Part:
        return ScriptThread(name, script)

    @override
    def lookouts(self, faults: FaultLog, now_s: Callable[[], float]) -> Sequence[Part]:
        self._lookout, self._memory = Lookout(self._lab, faults, now_s), MemoryWatch(self._lab, now_s)
        return self._lookout, self._memory

    # --- what is done to the lab

    @override
    def act(self, node: str, how: How, for_s: float) -> Script:
        if how == "pause":
            self._lab.act(node, "pause")
            yield for_s
            self._lab.act(node, "resume")
        else:
            self._lab.act(node, how, for_s)

    @override
    def is_running(self, node: str) -> bool:
        return all(each.state == "running" for each in self._lab.nodes() if each.name == node)

    @override
    def set_faults(self, from_: str, to: str, faults: Mapping[str, str]) -> None:
        self._lab.faults.set(from_, to, faults)

    # --- what is seen

    @override
    def check(self) -> None:
        for thread in self._sessions:
            if thread.error:
                raise LabError(f"a client of the checker failed ({thread.name}):\n{thread.error}")
        if self._lookout is not None and self._lookout.is_gone:
            raise LabError(f"lab {self.plan.name} was taken down while it was checked")

    @override
    def new_hops(self) -> Sequence[Hop]:
        found: list[Hop] = []
        if not self._is_redis_down:
            with suppress(LabError), journal(self._lab.folder, self.plan) as reader:  # the next call reads it
                for position, hops in reader.after(self._position):
                    self._position = position
                    found += hops
        return found

    @override
    def routes(self, ids: set[str]) -> Sequence[Hop]:
        if not self._is_redis_down:
            with suppress(LabError), journal(self._lab.folder, self.plan) as reader:  # Redis may have died just now
                return reader.read(ids, self._begin_position)
        return ()

    @override
    def memory(self) -> list[MemoryReport]:
        return [] if self._memory is None else memory.reports(self._memory.samples)

    @property
    def _is_redis_down(self) -> bool:
        return self._lookout is not None and self._lookout.is_redis_down


class SessionThread(threading.Thread):
    """The thread of a session. Only it uses the client, except `cut`."""

    def __init__(self, session: Session) -> None:
        super().__init__(name=str(session.witness.jid), daemon=True)
        self.error = ""
        self._session = session
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Send and receive no more, and end the stream."""
        self._stopping.set()

    def run(self) -> None:
        """Until `stop`."""
        session = self._session
        try:
            while not self._stopping.is_set():
                session.send()
                child = session.client.receive(session.pause_s)
                session.count()
                if child is not None:
                    session.take(child)
            session.client.close()
        except Exception:  # the run ends with it: who started this thread reports it
            self.error = traceback.format_exc()


class BoxThread(threading.Thread):
    """The thread of a phone or a mailbox."""

    def __init__(self, role: BoxRole) -> None:
        super().__init__(name=role.name, daemon=True)
        self._role = role
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End; returns at once."""
        self._stopping.set()

    def run(self) -> None:
        """Until `stop`."""
        while not self._stopping.wait(self._role.pause_s):
            with suppress(LabError):  # its network or Redis is down just now
                self._role.turn()


class ScriptThread(threading.Thread):
    """The thread of a script."""

    def __init__(self, name: str, script: Script) -> None:
        super().__init__(name=name, daemon=True)
        self._script = script
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Wait no more."""
        self._stopping.set()

    def run(self) -> None:
        """To the end of the script."""
        for seconds in self._script:
            self._stopping.wait(seconds)

    def join(self, timeout: float | None = MEND_TIMEOUT_S) -> None:
        """Wait until what it has begun is mended."""
        super().join(timeout)
