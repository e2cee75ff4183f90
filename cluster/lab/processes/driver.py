"""Brings a plan up as processes of this machine, and down again."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from datetime import UTC, datetime

import psutil

from cluster.lab.errors import BadInput, LabError
from cluster.lab.folder import LabFolder, is_full
from cluster.lab.logs import ProcessLogs, tail
from cluster.lab.processes.owner import Owner
from cluster.lab.processes.python import PYTHON
from cluster.lab.processes.signals import APPLY, STOP_TIMEOUT_S, end_holder, end_orphans
from cluster.lab.progress import Tell, shortened, untold
from cluster.lab.provision.open_files import check_open_files
from cluster.lab.provision.removal import remove
from cluster.lab.provision.same import check_same
from cluster.lab.state import LabState, NodeAction, NodeState
from cluster.lab.wait import wait_until
from cluster.topology.plan import Plan

READY_TIMEOUT_S = 60.0
"""Two domains take about a second."""
READY_TIMEOUT_PER_PART_S = 1.0
"""Each further one takes half a second of a core before it answers."""

HOPELESS_RESTARTS = 3
"""A part that died this often before it answered will not come up."""

SHOWN_LOG_LINES = 15

_SIGNALS: dict[NodeAction, signal.Signals] = {
    "kill": signal.SIGKILL,
    "pause": signal.SIGSTOP,
    "resume": signal.SIGCONT,
    "restart": signal.SIGTERM,
}


class ProcessDriver:
    """Runs the lab in this folder (`cluster.lab.driver.Driver`)."""

    def __init__(self, folder: LabFolder) -> None:
        self._folder = folder

    def up(self, plans: Sequence[Plan], tell: Tell, owner: int | None = None) -> tuple[Plan, bool]:
        """Bring the lab up and wait until every part answers: the plan that runs, and False where it ran already.

        `plans` are the same lab at different addresses: the first whose addresses are free is taken. Raises LabError,
        and then nothing is left of it.
        """
        if owner is not None:
            Owner(owner)  # raises BadInput
        had_data = self._folder.plan_file.exists()
        lock = self._folder.lock()
        if lock is None:
            return _running(self._folder, plans, tell), False
        try:
            try:
                tell("writing certificates and configuration")
                plan = _prepare(self._folder, plans)
                self._folder.hand_over(_start_supervisor(self._folder, lock, owner))
            finally:
                os.close(lock)
            _wait_ready(self._folder, plan, tell)
        except BaseException:
            with contextlib.suppress(LabError):  # what led here is the news
                self.down(keep=had_data)
            raise
        return plan, True

    def down(self, *, keep: bool) -> bool:
        """Stop everything; remove the folder unless its data are kept. False where nothing ran. Raises LabError."""
        folder = self._folder
        wait_until(lambda: folder.holder() != os.getpid(), STOP_TIMEOUT_S)  # of an `up` that was interrupted in between
        holder = folder.holder()
        if holder is not None:
            end_holder(folder, holder)
        lock = folder.lock()
        if lock is None:
            raise LabError(f"another command is changing lab {folder.name!r}; wait for it to end, then try again")
        try:
            end_orphans(folder)
            remove(folder, keep=keep)
        finally:
            os.close(lock)
        return holder is not None

    def status(self) -> list[NodeState]:
        """The states of its nodes, Redis first; all are stopped if no supervisor runs.

        The processes are checked too, as the supervisor may not have written its latest state.
        """
        nodes, is_looked_after = _nodes(self._folder), self._folder.is_locked()
        how = {pid: _how_it_is(pid) for pid in {node.pid for node in nodes} if pid is not None}
        for node in nodes:
            if not is_looked_after:
                node.state, node.pid = "stopped", None
            elif node.pid is not None:
                if how[node.pid] is None:
                    node.state, node.pid = "restarting", None
                elif how[node.pid] == psutil.STATUS_STOPPED:
                    node.state = "paused"
        return nodes

    def is_up(self) -> bool:
        """Whether a supervisor, or an `up` at work, has the lock of the lab."""
        return self._folder.is_locked()

    def story(self, node: str | None) -> ProcessLogs:
        """The logs of all processes, or of one. Raises BadInput for an unknown node."""
        known = sorted(path.stem for path in self._folder.logs.glob("*.jsonl"))
        if node is not None and node not in known:
            raise BadInput(f"no log of {node!r} (nodes: {', '.join(known)})")
        return ProcessLogs(self._folder.logs, node)

    def apply(self, plan: Plan) -> None:
        """Start the nodes that only this plan has, stop those that it lacks, and wait until every part answers."""
        from cluster.lab.provision.addresses import check_free

        before = {node.name for node in self._folder.plan().servers}
        check_free([address for node in plan.servers if node.name not in before for address in node.listeners])
        self._folder.save_plan(plan)
        supervisor = self._folder.holder()
        if supervisor is not None:
            os.kill(supervisor, APPLY)
        _wait_ready(self._folder, plan, untold)

    def act(self, node: NodeState, action: NodeAction, for_s: float) -> None:
        """Send the node's process the signal; the supervisor starts again what ends by it, `for_s` from now."""
        if for_s:
            self._folder.hold(node.name, for_s)
        if node.pid is not None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(node.pid, _SIGNALS[action])


def _running(folder: LabFolder, plans: Sequence[Plan], tell: Tell) -> Plan:
    """The plan of a lab that is up or coming up, once it answers. Raises LabError when it is another one."""
    wait_until(lambda: folder.plan_file.exists() or not folder.is_locked(), READY_TIMEOUT_S)
    plan = folder.plan()
    check_same(plan, plans)
    _wait_ready(folder, plan, tell)
    return plan


def _prepare(folder: LabFolder, plans: Sequence[Plan]) -> Plan:
    """Write the files that the processes read. Only here is imported what the other commands do not need."""
    from cluster.lab.processes.peer import check
    from cluster.lab.provision import redis
    from cluster.lab.provision.addresses import first_free
    from cluster.lab.provision.certificates import certify

    check(plans[0])
    check_open_files(plans[0])
    end_orphans(folder)
    folder.state_file.unlink(missing_ok=True)
    plan = first_free(plans)
    folder.create()
    folder.save_plan(plan)
    certify(folder, plan, datetime.now(UTC))
    if plan.redis_url:
        redis.move_in(folder, plan)
    else:
        redis.configure(folder, plan)
    return plan


def _start_supervisor(folder: LabFolder, lock: int, owner: int | None) -> int:
    """Start it in a session of its own, so that Ctrl-C in this terminal is not for it, and with no signal
    blocked, whatever this process does; its process id."""
    os.set_inheritable(lock, True)
    argv = [*PYTHON, "cluster.lab.supervisor", str(folder.path)]
    argv += [] if owner is None else [str(owner)]
    log = (os.POSIX_SPAWN_OPEN, 1, str(folder.log("supervisor")), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    files = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), log, (os.POSIX_SPAWN_DUP2, 1, 2)]
    return os.posix_spawn(argv[0], argv, os.environ, file_actions=files, setsid=True, setsigmask=())


def _wait_ready(folder: LabFolder, plan: Plan, tell: Tell) -> None:
    """Return when every part answers. Raises LabError with the last log lines of one that does not."""
    expected = {node.name for node in (*plan.started, *plan.lower_half)}

    def settled() -> bool:
        nodes = _nodes(folder)
        there = {node.name for node in nodes if node.kind != "redis"}
        waiting = [node.name for node in nodes if node.state != "running"]
        ready = there == expected and not waiting
        if nodes:
            behind = f"; waiting for {shortened(waiting)}" if waiting else ""
            tell(f"{len(nodes) - len(waiting)} of {len(nodes)} nodes are ready{behind}")
        return ready or any(map(_is_hopeless, nodes)) or not folder.is_locked()

    patience_s = READY_TIMEOUT_S + READY_TIMEOUT_PER_PART_S * len(expected)
    in_time = wait_until(settled, patience_s)
    if not folder.is_locked():
        raise LabError(_last_words(folder, "supervisor", "the supervisor stopped"))
    nodes = _nodes(folder)
    if absent := sorted(expected - {node.name for node in nodes}):
        raise LabError(_last_words(folder, "supervisor", f"{', '.join(absent)} could not be started"))
    missing = [node for node in nodes if node.state != "running"]
    if missing:
        worst = max(missing, key=lambda node: node.restarts)
        problem = f"did not answer within {patience_s:g} s" if not in_time else f"does not start ({worst.last_exit})"
        speaker = worst.name if worst.started_utc else "supervisor"  # it never ran: another one knows why
        raise LabError(_last_words(folder, speaker, f"{worst.name} {problem}"))
    if not in_time:
        raise LabError(_last_words(folder, "supervisor", f"the supervisor started nothing in {patience_s:g} s"))


def _is_hopeless(node: NodeState) -> bool:
    return node.state != "running" and node.restarts >= HOPELESS_RESTARTS


def _last_words(folder: LabFolder, node: str, problem: str) -> str:
    if is_full(folder.path):
        problem += f"; the disk of {folder.path} is full: free some space (`df -h {folder.path}`)"
    lines = tail(folder.log(node), SHOWN_LOG_LINES)
    return "\n".join([f"{problem}; its last log lines:", *(f"    {line}" for line in lines or ["(none)"])])


def _nodes(folder: LabFolder) -> list[NodeState]:
    state = LabState.load(folder.state_file)
    return state.nodes if state else []


def _how_it_is(pid: int) -> str | None:
    """Of a process, as psutil has it; None where it has ended."""
    try:
        how = psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return None
    return None if how in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD) else how
