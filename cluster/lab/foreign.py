"""The process of a gateway or of a foreign network: `python -m cluster.lab.foreign STATE_DIR NODE`."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

from cluster.base.clock import Reactor
from cluster.components.program import NodeEnvironment
from cluster.lab.control.requests import PROCESS
from cluster.lab.control.server import ControlServer
from cluster.lab.folder import LabFolder
from cluster.lab.runtime import process
from cluster.lab.runtime.monitor import Monitor
from cluster.lab.runtime.process import new_id
from cluster.lab.serving import program
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.topology.plan import GatewayNode, NetworkNode
from cluster.trace.hop import Tracer
from cluster.trace.redis import RedisJournal


class ForeignNode:
    """One program, with its connection to Redis and its control channel."""

    def __init__(self, reactor: Reactor, folder: LabFolder, node: GatewayNode | NetworkNode) -> None:
        plan = folder.plan()
        keys = Keys.of_lab(plan.name)
        url = RedisUrl.parse(folder.secrets()[node.speaks_for])
        self._client = client = RedisClient(reactor, url, random.random)
        self._home = keys.control(node.channel)
        self._journal = RedisJournal(client, keys, reactor, plan.journal_bytes)
        tracer = Tracer(node.name, self._journal, time.time_ns, new_id, 0, reactor)
        home = folder.path / node.name
        environment = NodeEnvironment(reactor, home, client, keys, tracer, time.time, new_id, random.random)
        self._program = program(plan, node, environment)
        administration = self._program.administration
        self._control = ControlServer(
            client, keys, node.channel, (administration, node.requests), (process.LOG_LEVELS, PROCESS)
        )
        self._watched = Monitor(reactor, folder, node.name).watch(node.name, node.kind, administration.status)

    async def start(self) -> None:
        """Connect to Redis, and start the program."""
        await self._client.connect(self._home)
        await self._program.start()
        await self._control.start()
        self._watched.is_up = True

    async def stop(self) -> None:
        """Stop the program, and write its data."""
        self._watched.is_up = False
        await self._program.stop()
        self._journal.flush()
        await self._client.close()


def main() -> None:
    """Run the node that the arguments name."""
    folder, name = LabFolder(Path(sys.argv[1])), sys.argv[2]
    node = next(node for node in folder.plan().lower_half if node.name == name)
    process.run(lambda reactor: ForeignNode(reactor, folder, node))


if __name__ == "__main__":
    main()
