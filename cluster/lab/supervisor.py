"""The process that keeps a lab running: `python -m cluster.lab.supervisor STATE_DIR [OWNER]`.

OWNER is the id of the process that the lab belongs to: when it ends, the lab is taken down and its folder removed.

It holds the lab's lock (an inherited file descriptor) as long as it lives. SIGTERM takes the lab down: the servers
first, so that they can end their clients' streams and write what is queued, then Redis.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any, Literal

from twisted.internet.defer import Deferred, DeferredLock, gatherResults
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger, globalLogBeginner
from twisted.python.failure import Failure

from cluster.lab.api import Lab
from cluster.lab.control.readiness import redis_question, server_question, status_question
from cluster.lab.errors import BadInput
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.logs import LogFile
from cluster.lab.processes.child import Child, Part, PartNode
from cluster.lab.processes.dns import NameServer
from cluster.lab.processes.owner import Owner
from cluster.lab.processes.probe import Reactor, always, looked_up
from cluster.lab.processes.python import PYTHON
from cluster.lab.processes.residence import Residence
from cluster.lab.processes.signals import APPLY
from cluster.lab.processes.spawning import Spawner, forked
from cluster.lab.provision.redis import command
from cluster.lab.provision.removal import remove
from cluster.lab.runtime.clock import make_steady
from cluster.lab.runtime.process import allow_many_files, log_to_stderr
from cluster.lab.state import LabState
from cluster.topology.plan import GatewayNode, NetworkNode, Plan, XmpplabServer

SERVER = "cluster.lab.node"
FOREIGN = "cluster.lab.foreign"
"""The modules of our own processes."""
OVERCOMMIT = b"WARNING Memory overcommit must be enabled"
"""The advice of Redis for machines with a database."""
SAVE_AFTER_PER_NODE_S = 0.0002
"""Of the lab: after a change, its state is written so much later, some tens of times what the writing takes."""
RECORD_AFTER_S = 1.0
"""Until then the nodes need the processors to start."""
RECORDED_WITHIN_S = 10.0
"""A look may still wait for Redis, or for the disk."""
LOOK_EVERY_S = 1.0
"""How often to check that the folder exists and has room, and that the lab's owner lives."""


class Supervisor:
    """Starts the nodes of a lab in order, writes its state file, and stops them in reverse order."""

    _log = Logger()

    def __init__(
        self,
        folder: LabFolder,
        parts: Sequence[Part],
        reactor: Reactor,
        now_utc: Callable[[], datetime],
        prepare: Callable[[], Coroutine[Any, Any, None]],
        spawner: Spawner,
    ) -> None:
        """`prepare` is awaited when Redis is ready, before the servers start."""
        self._folder = folder
        self._identity = folder.identity()
        self._prepare = prepare
        self._spawner = spawner
        self._stopping = False
        self._reactor = reactor
        self._now_utc = now_utc
        children = [self._make(part) for part in parts]
        self._is_unsaved = False
        self._saving: Any = None
        self._redis = [child for child in children if _is_redis(child.part)]
        self._others = [child for child in children if not _is_redis(child.part)]

    def _make(self, part: Part) -> Child:
        logs = {node.name: LogFile(self._folder.log(node.name)) for node in part.nodes}

        def take_hold() -> float:
            return max(map(self._folder.take_hold, logs))

        return Child(part, self._reactor, logs, self._now_utc, self._save_soon, take_hold, self._spawner.spawn)

    async def start(self) -> None:
        """Start Redis, and when it is ready, all other nodes at once. Returns when all are ready."""
        self._save()
        await gatherResults([child.start() for child in self._redis])
        self._save()
        await self._prepare()
        if not self._stopping:
            await gatherResults([child.start() for child in self._others])

    async def apply(self, parts: Sequence[Part]) -> None:
        """Start the nodes of these parts that are not running, stop the others; Redis stays."""
        names = [part.name for part in parts]
        running = {child.part.name: child for child in self._others}
        leaving = [child for name, child in running.items() if name not in names]
        coming = {part.name: self._make(part) for part in parts if part.name not in running and not _is_redis(part)}
        others = running | coming
        self._others = [others[name] for name in names if name in others] + leaving
        self._save()
        await gatherResults([child.stop() for child in leaving])
        for child in leaving:
            self._folder.target(child.part.name).unlink(missing_ok=True)
        self._others = [child for child in self._others if child not in leaving]
        self._save()
        await gatherResults([child.start() for child in coming.values()])

    async def stop(self) -> None:
        """Stop all processes; nothing is left running."""
        self._stopping = True
        await gatherResults([child.stop() for child in self._others])
        # the folder is gone, and another lab may be in its place: an orderly end would remove that lab's socket
        how: Literal["TERM", "KILL"] = "TERM" if self._folder.is_same(self._identity) else "KILL"
        await gatherResults([child.stop(how) for child in self._redis])
        self._save()

    def look(self) -> bool:
        """Write the state if it could not be written before, collect what has ended; False if the folder is gone, or
        another one."""
        if not self._folder.is_same(self._identity):
            return False
        if self._is_unsaved:
            self._save()
        self._spawner.reap()
        return True

    def _save_soon(self) -> None:
        """A change: the states of many nodes are written together."""
        if self._saving is None:
            nodes = sum(len(child.states) for child in (*self._redis, *self._others))
            self._saving = self._reactor.callLater(SAVE_AFTER_PER_NODE_S * nodes, self._save)

    def _save(self) -> None:
        """Without room on the disk, try again later: the children are looked after all the same."""
        if not self._folder.is_same(self._identity):
            return  # nothing is written into the folder of another lab
        if self._saving is not None and self._saving.active():
            self._saving.cancel()
        self._saving = None
        children = (*self._redis, *self._others)
        nodes = [each for child in children for each in zip(child.part.nodes, child.states, strict=True)]
        states = [state for _, state in sorted(nodes, key=lambda each: each[0].place)]
        try:
            LabState(states).save(self._folder.state_file)
            self._is_unsaved = False
        except OSError as error:
            if not self._is_unsaved:
                self._log.error("The state cannot be written: {error}", error=error)
            self._is_unsaved = True


def parts(folder: LabFolder, plan: Plan) -> list[Part]:
    """The parts of this plan."""
    found: list[Part] = []
    if not plan.redis_url:
        url = folder.secrets()[ADMIN]
        node = PartNode("redis", "redis", always(redis_question(folder.redis_socket, url)))
        found.append(Part(command(folder), (node,), OVERCOMMIT))
    processes: dict[str, list[PartNode]] = {}
    for place, server in enumerate(plan.started, 1):
        is_ours = isinstance(server, XmpplabServer)
        node = PartNode(server.name, "server" if is_ours else server.kind, always(server_question(server)), place)
        processes.setdefault((isinstance(server, XmpplabServer) and server.shares) or server.name, []).append(node)
    for name, nodes in processes.items():
        module = SERVER if nodes[0].kind == "server" else "cluster.lab.processes.peer"
        found.append(Part((*PYTHON, module, str(folder.path), name), tuple(nodes)))
    lower = enumerate(plan.lower_half, len(plan.started) + 1)
    return found + [_lower(folder, plan, node, place) for place, node in lower]


def _is_redis(part: Part) -> bool:
    return part.nodes[0].kind == "redis"


def _lower(folder: LabFolder, plan: Plan, node: GatewayNode | NetworkNode, place: int) -> Part:
    """A gateway or network. It is asked through the lab's Redis: not all of them listen."""
    argv = (*PYTHON, FOREIGN, str(folder.path), node.name)
    question = partial(status_question, folder.secrets()[ADMIN], plan, node.speaks_for)
    return Part(argv, (PartNode(node.name, node.kind, looked_up(question), place),))


def supervise(
    folder: LabFolder,
    find_parts: Callable[[], Sequence[Part]],
    prepare: Callable[[Reactor], Coroutine[Any, Any, None]],
    modules: Sequence[str] = (),
    owner: Owner | None = None,
) -> None:
    """Run the parts below this process until SIGTERM or SIGINT, or until the owner ends; read the plan again at APPLY.
    Those that run `modules` are forked.
    """
    server = forked(modules)
    from twisted.internet import reactor  # noqa: TID251  # an entry point

    _begin_logging()
    allow_many_files()
    react: Reactor = reactor
    make_steady(react)
    sockets = folder.redis_socket.parent
    spawner = Spawner(react, modules, server)
    supervisor = Supervisor(folder, find_parts(), react, lambda: datetime.now(UTC), lambda: prepare(react), spawner)

    one_by_one = DeferredLock()

    def start() -> None:
        Deferred.fromCoroutine(supervisor.start()).addErrback(give_up)

    def give_up(failure: Failure) -> None:
        Logger().failure("The lab could not be started", failure)
        react.stop()

    def apply() -> None:
        told: Deferred[None] = one_by_one.run(lambda: Deferred.fromCoroutine(supervisor.apply(find_parts())))
        told.addErrback(lambda failure: Logger().failure("The new plan could not be applied", failure))

    def look() -> None:
        if not supervisor.look():
            Logger().error("The folder {path} is gone: ending the lab", path=str(folder.path))
        elif owner is not None and not owner.is_alive():
            Logger().info("Process {pid}, which the lab belongs to, has ended: taking the lab down", pid=owner.pid)
        else:
            return
        looking.stop()
        react.stop()

    looking = LoopingCall(look)
    looking.clock = react
    react.callWhenRunning(looking.start, LOOK_EVERY_S)
    signal.signal(APPLY, lambda *_: react.callFromThread(apply))
    react.callWhenRunning(start)
    react.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(supervisor.stop()))
    react.run()
    if not supervisor.look():
        if sockets != folder.path:
            shutil.rmtree(sockets, ignore_errors=True)
    elif owner is not None and not owner.is_alive():
        remove(folder, keep=False)


class Recording:
    """Records the lab's time line as long as this process runs: in a thread, which waits for files and Redis."""

    def __init__(self, folder: LabFolder) -> None:
        self._folder = folder
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin, unless it has been stopped."""
        self._thread.start()

    def stop(self) -> None:
        """Return when nothing more is written: the folder may be removed then."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(RECORDED_WITHIN_S)

    def _run(self) -> None:
        from cluster.lab.timeline.recorder import Recorder  # takes long, when the nodes have started

        try:
            if not self._stopping.is_set():
                Recorder(Lab(self._folder), self._stopping).run()
        except OSError as error:
            Logger().error("The time line cannot be written: {error}", error=error)


def _begin_logging() -> None:
    Factory.noisy = False  # Twisted's messages about them do not help a reader of these logs
    observer: Any = log_to_stderr  # zope.interface has no types
    globalLogBeginner.beginLoggingTo([observer], discardBuffer=True, redirectStandardIO=False)


def main() -> None:
    """Supervise the lab whose state folder is the first argument. Its DNS runs in this process, too."""
    folder = LabFolder(Path(sys.argv[1]))
    folder.hand_over(os.getpid())  # the command that started this may have been interrupted before it could
    names = NameServer(folder.plan())

    def find_parts() -> list[Part]:
        plan = folder.plan()
        names.serve(plan)
        return parts(folder, plan)

    async def prepare(reactor: Reactor) -> None:
        names.start(reactor)
        await Residence(reactor, folder).move_in()
        recording = Recording(folder)
        reactor.callLater(RECORD_AFTER_S, recording.start)
        reactor.addSystemEventTrigger("after", "shutdown", recording.stop)

    try:
        owner = Owner(int(sys.argv[2])) if len(sys.argv) > 2 else None
    except BadInput as error:  # it ended just now
        remove(folder, keep=False)
        sys.exit(str(error))
    supervise(folder, find_parts, prepare, (SERVER, FOREIGN), owner)
    gc.freeze()  # at its end Python would go through all that was imported


if __name__ == "__main__":
    main()
