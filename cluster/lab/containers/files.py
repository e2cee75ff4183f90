"""The files of each container: a folder with its own secrets only."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from cluster.lab.containers import health
from cluster.lab.errors import BadInput
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.private import write_private
from cluster.lab.provision import redis
from cluster.redisio.url import RedisUrl, with_authority
from cluster.topology.plan import GatewayNode, LabNode, NetworkNode, Plan, ServerNode, XmpplabServer
from cluster.xmpp.streams.servers.certificate import ascii_form

N = TypeVar("N", ServerNode, GatewayNode, NetworkNode)

LAB = Path(health.LAB)
"""The folder in a container."""

DATA = Path("/data")
"""The folder of Redis's data in its container."""

REDIS = "redis"
"""Name of Redis as a node of the lab, and its host name."""

REDIS_PORT = health.REDIS_PORT

ANNOUNCE = "announce"
"""Name of the container that writes users and domains to Redis, if no command does."""

IMAGE_USER = 10001
"""User and group in compose/Dockerfile; no other user has this number."""

_REDIS_CA = "redis-ca.pem"
"""The authorities for the certificate of a Redis with TLS."""
_ANNOUNCED = "announce.gz"
"""The only file of ANNOUNCE: it names every domain, and a secret of an engine has a limit."""


class Hosts(NamedTuple):
    """The host names by which the containers of an engine reach each other."""

    of_node: Callable[[ServerNode | GatewayNode | NetworkNode], str]
    of_domain: Callable[[str], str]
    """Those of the nodes that serve this domain."""


Files = Mapping[str, Mapping[str, bytes]]
"""The files in the folder of each container."""


class _Announced(msgspec.Struct):
    plan: Plan
    urls: dict[str, str]


BY_ALIAS = Hosts(lambda node: node.name, ascii_form)
"""In the networks of `compose`."""


def own_redis(folder: LabFolder, plan: Plan, outside: str) -> None:
    """Write the configuration and the secrets of the lab's own Redis.

    `outside` is `host:port` for commands; without it they cannot reach it.
    """
    passwords = redis.new_passwords(plan)
    where = [["port", str(REDIS_PORT)], ["bind", "*"], ["protected-mode", "no"], ["dir", str(DATA)]]
    inside = folder.container(REDIS)
    _make(inside)
    write_private(inside.redis_config, redis.configuration(plan, passwords, where).encode())
    logins = redis.logins(plan, passwords)
    urls = {who: f"redis://{login}@{REDIS}:{REDIS_PORT}/0" for who, login in logins.items()}
    inside.save_secrets({ADMIN: urls[ADMIN]})
    if outside:
        urls[ADMIN] = f"redis://{logins[ADMIN]}@{outside}/0"
    folder.save_secrets(urls)


def announcer(folder: LabFolder, plan: Plan) -> None:
    """Write the folder of the container that writes users and domains to Redis: it has all secrets of Redis."""
    inside = folder.container(ANNOUNCE)
    _make(inside)
    servers = tuple(msgspec.structs.replace(each, accounts=(), components=()) for each in plan.servers)
    urls = _seen(inside, folder.secrets() if plan.redis_url else folder.container(REDIS).secrets())
    told = _Announced(
        msgspec.structs.replace(plan, servers=servers, redis_url=urls[ADMIN] if plan.redis_url else ""), urls
    )
    write_private(inside.path / _ANNOUNCED, gzip.compress(msgspec.json.encode(told), mtime=0))


def announced(path: Path) -> tuple[Plan, dict[str, str]]:
    """What `announcer` wrote to this folder: the plan without accounts, and the URLs of Redis by user."""
    found = msgspec.json.decode(gzip.decompress((path / _ANNOUNCED).read_bytes()), type=_Announced)
    return found.plan, found.urls


def _seen(inside: LabFolder, urls: Mapping[str, str]) -> dict[str, str]:
    """The URLs of Redis as the container has them: the authorities of its certificate are in the container's folder."""
    ca_file = RedisUrl.parse(next(iter(urls.values()))).ca_file
    if not ca_file:
        return dict(urls)
    shutil.copyfile(ca_file, inside.path / _REDIS_CA)
    return {who: with_authority(url, str(LAB / _REDIS_CA)) for who, url in urls.items()}


def check_reachable(url: str) -> None:
    """Raises BadInput for a Redis that containers cannot reach."""
    for host, _ in RedisUrl.parse(url).addresses:
        if not host or host in ("localhost", "::1") or host.startswith("127."):
            raise BadInput(
                "--redis: containers cannot reach loopback addresses or sockets of this machine; "
                "give a Redis that listens at another address"
            )


def contents(folder: LabFolder, name: str) -> dict[str, bytes]:
    """The files of a container's folder."""
    return {file.name: file.read_bytes() for file in sorted(folder.container(name).path.iterdir()) if file.is_file()}


def nodes(folder: LabFolder, plan: Plan, wanted: Sequence[LabNode], hosts: Hosts) -> None:
    """Write the folders of these nodes; the lab has secrets and certificates already."""
    urls = folder.secrets()
    for node in wanted:
        inside = folder.container(node.name)
        _make(inside)
        inside.save_plan(plan_inside(plan, node.name, hosts))
        inside.save_secrets(_seen(inside, {node.speaks_for: urls[node.speaks_for]}))
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


def part_of(plan: Plan, name: str) -> Plan:
    """What the node of this name has to know of the plan: itself, and of others what it reaches by way of the plan.

    So a lab of many domains has small files, and passwords only where they are used.
    """
    server = next((each for each in plan.ours if each.name == name), None)
    if server is not None:
        needed = [each for each in plan.servers if _is_known_to(server, each)]
        others = [each if each is server else msgspec.structs.replace(each, accounts=()) for each in needed]
        return msgspec.structs.replace(plan, servers=tuple(others), gateways=(), networks=(), links=())
    gateways = tuple(each for each in plan.gateways if name in (each.name, each.network))
    own = [each for each in gateways if each.name == name]
    servers = tuple(
        msgspec.structs.replace(each, accounts=()) for each in plan.servers if each.name in {one.server for one in own}
    )
    networks = tuple(each for each in plan.networks if each.name in (name, *(one.network for one in own)))
    return msgspec.structs.replace(plan, servers=servers, gateways=gateways, networks=networks, links=())


def _is_known_to(server: XmpplabServer, other: ServerNode) -> bool:
    """Whether this server has to know the other one: as a node of its own domain, or by its components, whose stanzas
    come from the other domain; all of them, if it asks outside of the lab."""
    return other.server == server.server or bool(other.subdomains) or server.asks_outside


def plan_inside(plan: Plan, name: str, hosts: Hosts) -> Plan:
    """The part of the plan for a container: the node listens on all addresses, and finds the others by their names.

    It is the same for all nodes of a server: they meet in Redis only.
    """
    own = {node.name for node in plan.nodes_of(plan.server_named(name).server)} if plan.server(name) else {name}

    def placed(node: N) -> N:
        if isinstance(node, NetworkNode) and node.is_external:
            return node
        placed = msgspec.structs.replace(node, host="0.0.0.0" if node.name in own else hosts.of_node(node))
        if not isinstance(placed, ServerNode):
            return placed
        peers = [msgspec.structs.replace(peer, host=hosts.of_domain(peer.domain)) for peer in placed.s2s_peers]
        return msgspec.structs.replace(placed, s2s_peers=tuple(dict.fromkeys(peers)))

    part = part_of(plan, name)
    return msgspec.structs.replace(
        part,
        state_dir=str(LAB),
        redis_url="",  # its URL has the password of the Redis administrator
        servers=tuple(map(placed, part.servers)),
        gateways=tuple(map(placed, part.gateways)),
        networks=tuple(map(placed, part.networks)),
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
