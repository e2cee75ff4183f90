"""The process that keeps a lab running: `python -m cluster.lab.supervisor STATE_DIR`.

It holds the lab's lock (an inherited file descriptor) as long as it lives. SIGTERM takes the lab down: the servers
first, so that they can close their clients' streams and write what is queued, then Redis.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.lab.child import Child, Part
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.logs import LogFile
from cluster.lab.probe import Reactor
from cluster.lab.question import redis_question, server_question, status_question
from cluster.lab.redis import command
from cluster.lab.state import LabState
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.topology.plan import GatewayNode, NetworkNode, Plan


class Supervisor:
    """Starts the parts of a lab in order, keeps its state file, and stops them in reverse."""

    def __init__(
        self,
        folder: LabFolder,
        parts: Sequence[Part],
        reactor: Reactor,
        now_utc: Callable[[], datetime],
        prepare: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """`prepare` is awaited when Redis answers, before the servers start."""
        self._folder = folder
        self._prepare = prepare
        self._stopping = False
        children = [
            Child(part, reactor, LogFile(folder.log(part.name)), now_utc, self._save,
                  partial(folder.held_until_utc_s, part.name))
            for part in parts
        ]  # fmt: skip
        self._redis = [child for child in children if child.state.kind == "redis"]
        self._others = [child for child in children if child.state.kind != "redis"]

    async def start(self) -> None:
        """Start Redis, and when it answers, all others at once. Returns when everything answers."""
        self._save()
        await gatherResults([child.start() for child in self._redis])
        await self._prepare()
        if not self._stopping:
            await gatherResults([child.start() for child in self._others])

    async def stop(self) -> None:
        """End all processes; nothing is left running."""
        self._stopping = True
        await gatherResults([child.stop() for child in self._others])
        await gatherResults([child.stop() for child in self._redis])

    def _save(self) -> None:
        nodes = [child.state for child in (*self._redis, *self._others)]
        LabState(nodes).save(self._folder.state_file)


def parts(folder: LabFolder, plan: Plan) -> list[Part]:
    """What runs for this plan."""
    found: list[Part] = []
    if not plan.redis_url:
        url = folder.secrets()[ADMIN]
        found.append(Part("redis", "redis", command(folder), redis_question(folder.redis_socket, url)))
    for server in plan.servers:
        argv = (sys.executable, "-m", "cluster.lab.node", str(folder.path), server.name)
        found.append(Part(server.name, "server", argv, server_question(server)))
    return found + [_lower(folder, plan, node) for node in plan.lower_half]


def _lower(folder: LabFolder, plan: Plan, node: GatewayNode | NetworkNode) -> Part:
    """A part of the lower half of the figure. It is asked through the lab's Redis: not all of them listen."""
    argv = (sys.executable, "-m", "cluster.lab.foreign", str(folder.path), node.name)
    return Part(node.name, node.kind, argv, status_question(folder.secrets()[ADMIN], plan, node.speaks_for))


async def announce(reactor: Reactor, url: str, plan: Plan) -> None:
    """Write down which domains the lab serves: a stanza for any other is answered with remote-server-not-found."""
    client = RedisClient(reactor, RedisUrl.parse(url), random.random)
    await client.connect()
    key = Keys.of_lab(plan.name).domains
    await client.execute("DEL", key)
    await client.execute("SADD", key, *(server.domain for server in plan.servers))
    await client.close()


def supervise(
    folder: LabFolder, parts: Sequence[Part], prepare: Callable[[Reactor], Coroutine[Any, Any, None]]
) -> None:
    """Run the parts in this process until SIGTERM or SIGINT."""
    from twisted.internet import reactor  # noqa: TID251  # an entry point

    react: Reactor = reactor
    supervisor = Supervisor(folder, parts, react, lambda: datetime.now(UTC), lambda: prepare(react))

    def start() -> None:
        Deferred.fromCoroutine(supervisor.start()).addErrback(give_up)

    def give_up(failure: Failure) -> None:
        Logger().failure("The lab could not be started", failure)
        react.stop()

    react.callWhenRunning(start)
    react.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(supervisor.stop()))
    react.run()


def main() -> None:
    """Supervise the lab whose state folder is the argument."""
    folder = LabFolder(Path(sys.argv[1]))
    plan, url = folder.plan(), folder.secrets()[ADMIN]
    supervise(folder, parts(folder, plan), lambda reactor: announce(reactor, url, plan))


if __name__ == "__main__":
    main()
