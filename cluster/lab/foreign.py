"""The process of a gateway or of a foreign network: `python -m cluster.lab.foreign STATE_DIR NODE`."""

from __future__ import annotations

import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cluster.lab.control.requests import OF_KIND
from cluster.lab.control.server import ControlServer
from cluster.lab.folder import LabFolder
from cluster.lab.runtime import process
from cluster.lab.runtime.process import new_id
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.topology.plan import GatewayNode, NetworkNode, Plan
from cluster.trace.hop import Tracer
from cluster.trace.redis import RedisJournal


@dataclass(frozen=True)
class Surroundings:
    """What every part of the lower half is given."""

    reactor: Any
    folder: Path
    """Its own, for what it keeps in files."""
    plan: Plan
    client: RedisClient
    keys: Keys
    tracer: Tracer


class Part(Protocol):
    """A gateway or a network. `administration` answers `status` with `ready`, and the operator's other requests."""

    administration: Any

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class ForeignNode:
    """One part, with its connection to Redis and its control channel."""

    def __init__(self, reactor: Any, folder: LabFolder, node: GatewayNode | NetworkNode) -> None:
        plan = folder.plan()
        keys = Keys.of_lab(plan.name)
        url = RedisUrl.parse(folder.secrets()[node.speaks_for])
        self._client = client = RedisClient(reactor, url, random.random)
        self._home = keys.control(node.channel)
        self._journal = RedisJournal(client, keys, reactor, plan.journal_bytes)
        tracer = Tracer(node.name, self._journal, time.time_ns, new_id, 0, reactor)
        around = Surroundings(reactor, folder.path / node.name, plan, client, keys, tracer)
        self._part = _part(node, around)
        self._control = ControlServer(client, keys, node.channel, self._part.administration, OF_KIND[node.kind])

    async def start(self) -> None:
        """Connect to Redis, and begin."""
        await self._client.connect(self._home)
        await self._part.start()
        await self._control.start()

    async def stop(self) -> None:
        """End, and write what is to be kept."""
        await self._part.stop()
        self._journal.flush()
        await self._client.close()


def _part(node: GatewayNode | NetworkNode, around: Surroundings) -> Part:
    """What the node runs; only that is imported."""
    if node.kind in ("sms", "smsc"):
        from cluster.lab.sms import SmscPart, SmsPart

        return SmscPart(node, around) if isinstance(node, NetworkNode) else SmsPart(node, around)
    from cluster.lab.mail import MailHostPart, MailPart

    return MailHostPart(node, around) if isinstance(node, NetworkNode) else MailPart(node, around)


def main() -> None:
    """Run the node that the arguments name."""
    folder, name = LabFolder(Path(sys.argv[1])), sys.argv[2]
    node = next(node for node in folder.plan().lower_half if node.name == name)
    process.run(lambda reactor: ForeignNode(reactor, folder, node))


if __name__ == "__main__":
    main()
