"""The files of each container: a folder with its own secrets only."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from cluster.lab.errors import BadInput
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.private import write_private
from cluster.lab.provision import redis
from cluster.redisio.url import each_of
from cluster.topology.plan import GatewayNode, NetworkNode, Plan, ServerNode
from cluster.xmpp.streams.servers.certificate import ascii_form

N = TypeVar("N", ServerNode, GatewayNode, NetworkNode)

LAB = Path("/lab")
"""The folder in a container."""

DATA = Path("/data")
"""The folder of Redis's data in its container."""

REDIS = "redis"
"""Name of Redis as a node of the lab, and its host name."""

REDIS_PORT = 6379

ANNOUNCE = "announce"
"""Name of the container that writes users and domains to Redis, if no command does."""

IMAGE_USER = 10001
"""User and group in compose/Dockerfile; no other user has this number."""


def own_redis(folder: LabFolder, plan: Plan, outside: str) -> None:
    """Write the configuration and the secrets of the lab's own Redis.

    `outside` is `host:port` for commands; without it they cannot reach it.
    """
    passwords = redis.new_passwords(plan)
    where = [["port", str(REDIS_PORT)], ["bind", "*"], ["protected-mode", "no"], ["dir", str(DATA)]]
    inside = folder.container(REDIS)
    _make(inside)
    write_private(inside.redis_config, redis.configuration(plan, passwords, where).encode())
    urls = {who: f"redis://{redis.login(plan, passwords, who)}@{REDIS}:{REDIS_PORT}/0" for who in passwords}
    inside.save_plan(plan_inside(plan, REDIS))
    inside.save_secrets({ADMIN: urls[ADMIN]})
    if outside:
        urls[ADMIN] = f"redis://{redis.login(plan, passwords, ADMIN)}@{outside}/0"
    folder.save_secrets(urls)


def announcer(folder: LabFolder, plan: Plan) -> None:
    """Write the folder of the container that creates the lab's users in an existing Redis: it has all secrets."""
    inside = folder.container(ANNOUNCE)
    _make(inside)
    inside.save_plan(plan)
    inside.save_secrets(folder.secrets())


def check_reachable(url: str) -> None:
    """Raises BadInput for a Redis that containers cannot reach."""
    for parts in map(urlsplit, each_of(url)):
        if parts.scheme == "unix" or parts.hostname in ("localhost", "::1") or str(parts.hostname).startswith("127."):
            raise BadInput(
                "--redis: containers cannot reach loopback addresses or sockets of this machine; "
                "give a Redis that listens at another address"
            )


def contents(folder: LabFolder, name: str) -> dict[str, bytes]:
    """The files of a container's folder."""
    return {file.name: file.read_bytes() for file in sorted(folder.container(name).path.iterdir()) if file.is_file()}


def nodes(folder: LabFolder, plan: Plan) -> None:
    """Write the folder of each node; the lab has secrets and certificates already."""
    urls = folder.secrets()
    for node in (*plan.ours, *plan.lower_half):
        inside = folder.container(node.name)
        _make(inside)
        inside.save_plan(plan_inside(plan, node.name))
        inside.save_secrets({node.speaks_for: urls[node.speaks_for]})
        if isinstance(node, ServerNode):
            shutil.copy(folder.ca_file, inside.ca_file)
            shutil.copy(folder.certificate(node.server), inside.certificate(node.server))
            shutil.copy(folder.key(node.server), inside.key(node.server))
        if node.keeps_data:
            (inside.path / node.name).mkdir(mode=0o700, exist_ok=True)  # the node's data will be put there
            (folder.path / node.name).mkdir(mode=0o700, exist_ok=True)


def data(folder: LabFolder, plan: Plan) -> list[Path]:
    """Folders for the data that nodes do not keep in Redis."""
    return [folder.path / node.name for node in plan.lower_half if node.keeps_data]


def _make(inside: LabFolder) -> None:
    for path in (inside.path.parent, inside.path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)


def plan_inside(plan: Plan, name: str) -> Plan:
    """The plan for a container: the node listens on all addresses, and finds the others by their names.

    In the network of the clients a server has the names of its domains: there the servers find each other too.
    """

    def placed(node: N) -> N:
        if isinstance(node, NetworkNode) and node.is_external:
            return node
        placed = msgspec.structs.replace(node, host="0.0.0.0" if node.name == name else node.name)
        if not isinstance(placed, ServerNode):
            return placed
        peers = [msgspec.structs.replace(peer, host=ascii_form(peer.domain)) for peer in placed.s2s_peers]
        return msgspec.structs.replace(placed, s2s_peers=tuple(peers))

    return msgspec.structs.replace(
        plan,
        state_dir=str(LAB),
        redis_url="",  # its URL has the password of the Redis administrator
        servers=tuple(map(placed, plan.servers)),
        gateways=tuple(map(placed, plan.gateways)),
        networks=tuple(map(placed, plan.networks)),
    )


def user() -> str:
    """The user of the containers: the owner of the files, or for root the user of the image."""
    return f"{os.getuid()}:{os.getgid()}" if os.getuid() else f"{IMAGE_USER}:{IMAGE_USER}"


def hand_over(*paths: Path) -> None:
    """If root prepared the files, give them to the user of the containers."""
    if os.getuid():
        return
    for top in paths:
        for path in (top, *top.rglob("*")):
            os.chown(path, IMAGE_USER, IMAGE_USER)
