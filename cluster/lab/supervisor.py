"""The process that keeps a lab running: `python -m cluster.lab.supervisor STATE_DIR`.

It holds the lab's lock (an inherited file descriptor) as long as it lives. SIGTERM takes the lab down: the servers
first, so that they can end their clients' streams and write what is queued, then Redis.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from twisted.internet.defer import Deferred, DeferredLock, gatherResults
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger, globalLogBeginner
from twisted.python.failure import Failure

from cluster.lab.control.readiness import redis_question, server_question, status_question
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.logs import LogFile
from cluster.lab.processes.child import Child, Part
from cluster.lab.processes.dns import NameServer
from cluster.lab.processes.probe import Reactor
from cluster.lab.processes.residence import Residence
from cluster.lab.processes.signals import APPLY
from cluster.lab.provision.redis import command
from cluster.lab.runtime.clock import make_steady
from cluster.lab.runtime.process import log_to_stderr
from cluster.lab.state import LabState
from cluster.topology.plan import GatewayNode, NetworkNode, Plan, XmpplabServer

OVERCOMMIT = b"WARNING Memory overcommit must be enabled"
"""The advice of Redis for machines with a database."""
LOOK_EVERY_S = 1.0
"""How often to check that the folder exists, and has room."""


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
    ) -> None:
        """`prepare` is awaited when Redis is ready, before the servers start."""
        self._folder = folder
        self._identity = folder.identity()
        self._prepare = prepare
        self._stopping = False
        self._reactor = reactor
        self._now_utc = now_utc
        children = [self._make(part) for part in parts]
        self._is_unsaved = False
        self._redis = [child for child in children if child.state.kind == "redis"]
        self._others = [child for child in children if child.state.kind != "redis"]

    def _make(self, part: Part) -> Child:
        log = LogFile(self._folder.log(part.name))
        take_hold = partial(self._folder.take_hold, part.name)
        return Child(part, self._reactor, log, self._now_utc, self._save, take_hold)

    async def start(self) -> None:
        """Start Redis, and when it is ready, all other nodes at once. Returns when all are ready."""
        self._save()
        await gatherResults([child.start() for child in self._redis])
        await self._prepare()
        if not self._stopping:
            await gatherResults([child.start() for child in self._others])

    async def apply(self, parts: Sequence[Part]) -> None:
        """Start the nodes of these parts that are not running, stop the others; Redis stays."""
        names = [part.name for part in parts]
        running = {child.state.name: child for child in self._others}
        leaving = [child for name, child in running.items() if name not in names]
        coming = {part.name: self._make(part) for part in parts if part.name not in running and part.kind != "redis"}
        others = running | coming
        self._others = [others[name] for name in names if name in others] + leaving
        self._save()
        await gatherResults([child.stop() for child in leaving])
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

    def look(self) -> bool:
        """Write the state if it could not be written before; False if the folder is gone, or another one."""
        if not self._folder.is_same(self._identity):
            return False
        if self._is_unsaved:
            self._save()
        return True

    def _save(self) -> None:
        """Without room on the disk, try again later: the children are looked after all the same."""
        if not self._folder.is_same(self._identity):
            return  # nothing is written into the folder of another lab
        nodes = [child.state for child in (*self._redis, *self._others)]
        try:
            LabState(nodes).save(self._folder.state_file)
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
        found.append(Part("redis", "redis", command(folder), redis_question(folder.redis_socket, url), OVERCOMMIT))
    for server in plan.started:
        is_ours = isinstance(server, XmpplabServer)
        module = "cluster.lab.node" if is_ours else "cluster.lab.processes.peer"
        argv = (sys.executable, "-m", module, str(folder.path), server.name)
        found.append(Part(server.name, "server" if is_ours else server.kind, argv, server_question(server)))
    return found + [_lower(folder, plan, node) for node in plan.lower_half]


def _lower(folder: LabFolder, plan: Plan, node: GatewayNode | NetworkNode) -> Part:
    """A gateway or network. It is asked through the lab's Redis: not all of them listen."""
    argv = (sys.executable, "-m", "cluster.lab.foreign", str(folder.path), node.name)
    return Part(node.name, node.kind, argv, status_question(folder.secrets()[ADMIN], plan, node.speaks_for))


def supervise(
    folder: LabFolder,
    find_parts: Callable[[], Sequence[Part]],
    prepare: Callable[[Reactor], Coroutine[Any, Any, None]],
) -> None:
    """Run the parts in this process until SIGTERM or SIGINT; read the plan again at APPLY."""
    from twisted.internet import reactor  # noqa: TID251  # an entry point

    Factory.noisy = False  # Twisted's messages about them do not help a reader of these logs
    observer: Any = log_to_stderr  # zope.interface has no types
    globalLogBeginner.beginLoggingTo([observer], discardBuffer=True, redirectStandardIO=False)
    react: Reactor = reactor
    make_steady(react)
    sockets = folder.redis_socket.parent
    supervisor = Supervisor(folder, find_parts(), react, lambda: datetime.now(UTC), lambda: prepare(react))

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
            looking.stop()
            react.stop()

    looking = LoopingCall(look)
    looking.clock = react
    react.callWhenRunning(looking.start, LOOK_EVERY_S)
    signal.signal(APPLY, lambda *_: react.callFromThread(apply))
    react.callWhenRunning(start)
    react.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(supervisor.stop()))
    react.run()
    if not supervisor.look() and sockets != folder.path:
        shutil.rmtree(sockets, ignore_errors=True)


def main() -> None:
    """Supervise the lab whose state folder is the argument. Its DNS runs in this process, too."""
    folder = LabFolder(Path(sys.argv[1]))
    folder.hand_over(os.getpid())  # whoever started this may have been interrupted before it could
    names = NameServer(folder.plan())

    def find_parts() -> list[Part]:
        plan = folder.plan()
        names.serve(plan)
        return parts(folder, plan)

    async def prepare(reactor: Reactor) -> None:
        names.start(reactor)
        await Residence(reactor, folder).move_in()

    supervise(folder, find_parts, prepare)


if __name__ == "__main__":
    main()
