"""A simulated lab as the stage of a run: what takes time lets virtual time pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from typing_extensions import override

from cluster.lab.clients.correspondents import Correspondent
from cluster.lab.errors import LabError
from cluster.lab.verify.faultlog import FaultLog
from cluster.lab.verify.foreign import BoxClient, BoxRole
from cluster.lab.verify.report import MemoryReport
from cluster.lab.verify.stage import How, Part, Script, Stage
from cluster.lab.verify.traffic import Session
from cluster.router.settings import parse
from cluster.simulation import passwords
from cluster.simulation.chance import Chance
from cluster.simulation.client import SimulatedClient
from cluster.simulation.foreign import Asking
from cluster.simulation.lab import IN_TURN_S, SimulatedLab
from cluster.simulation.parts import SimulatedBox, SimulatedScript, SimulatedSession
from cluster.trace.hop import Hop
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

MOST_EVENTS = 30
"""A step goes on fewer events than this after its time: it can come between any two events."""
IN_TURN = 0.5
"""Probability that a node is killed before what it has handled is written, and not between two turns."""
REDIS = "redis"
"""The name of Redis as a node."""
LOOK_EVERY_S = 0.02
LOGIN_TIMEOUT_S = 20.0
READY_TIMEOUT_S = 60.0


class SimulatedStage(Stage):
    """A simulated lab whose clients play a scenario."""

    def __init__(self, lab: SimulatedLab, is_stopped: Callable[[], bool]) -> None:
        """Once `is_stopped` is true, `wait` raises KeyboardInterrupt."""
        self.plan = lab.plan
        self.lab = lab
        self.clients: list[SimulatedClient] = []
        self._is_stopped = is_stopped
        self._chance = Random(f"{lab.seed} stage")
        self._host = lab.network.host("stage")

    def start(self) -> None:
        """Start the lab."""
        started = Deferred.fromCoroutine(self.lab.start())
        self.wait(0)
        if isinstance(failure := getattr(started, "result", None), Failure):
            failure.raiseException()

    def leave(self) -> None:
        """Let all clients log out."""
        for client in self.clients:
            client.close()

    def left_over(self) -> list[str]:
        """What is left; empty when all clients have logged out, and nothing is kept of them."""
        left = [f"{client.jid}: still connected" for client in self.clients if not client.device.is_away]
        return left + self.lab.left_over()

    @override
    def seconds(self) -> float:
        return self.lab.timeline.seconds()

    @override
    def utc_s(self) -> float:
        return self.lab.utc_s()

    @override
    def token(self) -> str:
        return f"{self._chance.getrandbits(32):08x}"

    @override
    def wait(self, seconds: float) -> None:
        self.lab.let_pass(seconds, self._check_stopped)
        self._check_stopped()

    def _check_stopped(self) -> None:
        if self._is_stopped():
            raise KeyboardInterrupt

    def wait_until(self, is_done: Callable[[], object], timeout_s: float, look_every_s: float = LOOK_EVERY_S) -> bool:
        """Let time pass until the condition holds; False on timeout."""
        until_s = self.seconds() + timeout_s
        while not is_done():
            if self.seconds() >= until_s:
                return False
            self.wait(look_every_s)
        return True

    # --- clients

    @override
    def client(self, jid: Jid, password: str, greeting: Sequence[Stanza]) -> SimulatedClient:
        host = self.lab.network.host(str(jid))
        client = SimulatedClient(
            self.lab, self.wait_until, host, jid, password, greeting, Chance(f"{self.lab.seed} {jid}")
        )
        self.clients.append(client)
        if not self.wait_until(lambda: client.device.is_online, LOGIN_TIMEOUT_S):
            raise LabError(f"{jid} cannot log in: {client.device.trouble or 'its server does not answer'}")
        return client

    @override
    def account(self, domain: str) -> tuple[Jid, str]:
        jid = Jid(f"verify-{self.token()}", domain)
        assert jid.localpart is not None
        account = passwords.account(jid.localpart, "secret")
        self.lab.backbone.seed(domain, account, [])
        return jid, "secret"

    @override
    def box(self, box: Correspondent) -> BoxClient:
        program = self.lab.foreign.nodes[box.network.name].program
        return BoxClient(box, box.network.person_at(Asking(program), box.address))

    # --- what goes on

    @override
    def session(self, session: Session) -> Part:
        return SimulatedSession(session, self._host)

    @override
    def box_part(self, role: BoxRole) -> Part:
        return SimulatedBox(role, self._host)

    @override
    def script(self, name: str, script: Script) -> Part:
        chance = Random(f"{self.lab.seed} {name}")  # of its own, so that a further script does not affect the others

        def between_events(what: Callable[[], None]) -> None:
            self.lab.timeline.between(chance.randrange(MOST_EVENTS), what)

        return SimulatedScript(script, self._host, between_events)

    def lookouts(self, faults: FaultLog, now_s: Callable[[], float]) -> Sequence[Part]:
        """Nobody else breaks anything, and the nodes share the memory of one process."""
        return ()

    # --- what is done to the lab

    @override
    def act(self, node: str, how: How, for_s: float) -> Script:
        self.lab.mark(f"{how} {node}" + (f" --for {for_s:g}s" if for_s else ""))
        if node == REDIS:
            yield from self._act_on_redis(how, for_s)
            return
        match how:
            case "pause":
                host = self.lab.host_of(node)
                host.pause()
                yield for_s
                host.resume()
                return
            case "kill":
                chance = Random(f"{self.lab.seed} {node} {self.seconds()}")
                if chance.random() < IN_TURN:
                    self.lab.crash_in_turn(node)
                    yield max(for_s, 2 * IN_TURN_S)
                else:
                    self.lab.crash(node)
                    yield for_s
                self.lab.start_node(node)
            case "restart":
                self.lab.restart(node)
        for _ in range(int(READY_TIMEOUT_S / LOOK_EVERY_S)):
            if self.is_running(node):
                return
            yield LOOK_EVERY_S

    def _act_on_redis(self, how: How, for_s: float) -> Script:
        redis = self.lab.redis
        assert redis is not None  # otherwise the scenario was refused
        if how == "pause":
            redis.pause()
            yield for_s
            redis.resume()
        else:
            redis.crash()
            yield for_s
            redis.start()

    @override
    def is_running(self, node: str) -> bool:
        if node == REDIS:
            return self.lab.redis is not None and self.lab.redis.is_up
        return self.lab.is_running(node)

    @override
    def set_faults(self, from_: str, to: str, faults: Mapping[str, str]) -> None:
        self.lab.mark(" ".join(["fault set", from_, to, *(f"--{key} {text}" for key, text in faults.items())]))
        from_domain, to_domain = (self.plan.server_named(name).domain for name in (from_, to))
        self.lab.set_faults(from_domain, to_domain, parse(faults))

    # --- what is seen

    def check(self) -> None:
        """Nobody takes a simulated lab down."""

    def new_hops(self) -> Sequence[Hop]:
        """All losses so far; the run knows those that are not new."""
        return [*self.lab.journal.lost.values()]

    @override
    def routes(self, ids: set[str]) -> Sequence[Hop]:
        return [hop for hop in self.lab.journal.hops if hop.trace_id in ids]

    @override
    def memory(self) -> list[MemoryReport]:
        return []
