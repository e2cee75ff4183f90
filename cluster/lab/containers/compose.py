"""A plan as containers and networks, and as a compose file (https://github.com/compose-spec). Pure.

Each server has a network to Redis, which carries the stanzas to other domains: disconnected from it, the server is cut
off from them, and still has its clients, which are in the network `clients`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cluster.lab.containers.files import ANNOUNCE, DATA, LAB, REDIS, REDIS_PORT
from cluster.lab.errors import BadInput
from cluster.lab.folder import LABS
from cluster.topology.plan import GatewayNode, LabNode, NetworkNode, Plan, ServerNode, XmpplabServer
from cluster.xmpp.streams.servers.certificate import ascii_form

IMAGE = "xmpplab"
CLIENTS = "clients"
"""Network in which each domain resolves by its own name."""

SETUP = "setup"
TOPOLOGY = "XMPPLAB_TOPOLOGY"
"""Variable with the text of the topology for SETUP: the text has passwords, and every user sees the arguments of
programs."""
GRACE_S = 15
"""From SIGTERM to SIGKILL: a Redis that does not answer is given up after 7.5 s (redisio/silence.py), then the
connection is closed, which may take 2 s."""

_STATE = "/state"
ANNOUNCING = ("python", "-m", "cluster.lab.containers.announce")


class Service(msgspec.Struct, frozen=True):
    """One container."""

    name: str
    command: tuple[str, ...]
    volumes: tuple[str, ...]
    networks: Mapping[str, tuple[str, ...]] = {}
    """Its host names, by network."""
    ports: tuple[str, ...] = ()
    """`host:port:port inside`."""
    after: Mapping[str, str] = {}
    """Services that must be in this state first (`service_started` …)."""
    is_node: bool = True
    """Runs as long as the lab; the others end when their work is done."""
    prepares: bool = False
    """Writes the files of the others."""
    environment: Mapping[str, str] = {}


class Compose(msgspec.Struct, frozen=True):
    """A whole lab in containers."""

    lab: str
    services: tuple[Service, ...]
    networks: Mapping[str, bool]
    """By name: True if there is no way out of it."""
    volumes: tuple[str, ...] = ()
    user: str = ""
    """The user of the containers; empty: that of the image."""

    def full(self, name: str) -> str:
        """Name of a container or a network in the engine."""
        return f"xmpplab-{self.lab}-{name}"

    def labels(self, node: str = "") -> dict[str, str]:
        """The labels by which the lab and the node are found."""
        return {"xmpplab.lab": self.lab, **({"xmpplab.node": node} if node else {})}


def in_lab(plan: Plan, redis_address: str, user: str) -> Compose:
    """The lab that `xmpplab up` starts; its files are in the state folder, next to the compose file.

    `redis_address`: `host:port` at which commands reach the lab's own Redis.
    """
    services = []
    for node in nodes(plan):
        data = [f"./{node.name}:{_data_in(node)}"] if node.keeps_data else []
        services.append(_node(plan, node, plan, (f"./containers/{node.name}:{LAB}:ro", *data), node.ports))
    if not plan.redis_url:
        ports = (f"{redis_address}:{REDIS_PORT}",)
        services.insert(0, _redis(plan, f"./containers/{REDIS}", "./redis", ports))
    return Compose(plan.name, tuple(services), _networks(plan), user=user)


def alone(plan: Plan, published: Plan, topology: str) -> Compose:
    """The lab as a file that needs nothing but the image: `setup` creates the secrets and the CA first.

    `published`: the same lab with the addresses for the outside; `topology` is the text of its file.
    """
    state = f"{_STATE}/{LABS}/{plan.name}"
    names = [REDIS, ANNOUNCE, *(node.name for node in nodes(plan))]
    keepers = [node.name for node in plan.lower_half if node.keeps_data]
    volumes = [f"{SETUP}:{_STATE}", *(f"{name}:{state}/containers/{name}" for name in names)]
    volumes += [f"{name}.data:{state}/{name}" for name in keepers]
    kept = [f"{name}.data" for name in (REDIS, *keepers)]
    setup = ("python", "-m", "cluster.lab.containers.setup", _STATE)
    done = "service_completed_successfully"
    services = [
        Service(SETUP, setup, tuple(volumes), is_node=False, prepares=True, environment={TOPOLOGY: topology}),
        msgspec.structs.replace(_redis(plan, REDIS, f"{REDIS}.data", ()), after={SETUP: done}),
        Service(
            ANNOUNCE,
            ANNOUNCING,
            (f"{ANNOUNCE}:{LAB}:ro",),
            {REDIS: ()},
            after={REDIS: "service_started"},
            is_node=False,
        ),
    ]
    for node in nodes(plan):
        data = [f"{node.name}.data:{_data_in(node)}:nocopy"] if node.keeps_data else []
        service = _node(plan, node, published, (f"{node.name}:{LAB}:ro", *data), outer_ports(plan, node))
        services.append(msgspec.structs.replace(service, after={ANNOUNCE: done}))
    return Compose(plan.name, tuple(services), _networks(plan), (SETUP, *names, *kept))


def spread(plan: Plan, published: Plan) -> Compose:
    """The lab on several machines, with an existing Redis; the engines of the machines bring each service its files.

    `published` as in `alone`.
    """
    services = [Service(ANNOUNCE, ANNOUNCING, (), {CLIENTS: ()}, is_node=False)]
    for node in nodes(plan):
        data = (f"{node.name}.data:{LAB}",) if node.keeps_data else ()
        service = _node(plan, node, published, data, outer_ports(plan, node))
        services.append(msgspec.structs.replace(service, networks=_links(plan, node)))
    routers = {to_router(node.name) for node in nodes(plan)}
    networks = {name: is_internal for name, is_internal in _networks(plan).items() if name not in routers}
    volumes = tuple(f"{node.name}.data" for node in nodes(plan) if node.keeps_data)
    return Compose(plan.name, tuple(services), networks, volumes)


def to_router(node: str) -> str:
    """The network from this node to Redis."""
    return f"{node}.router"


def check_kinds(plan: Plan) -> None:
    """Raises BadInput for a server of another kind than `xmpplab`: there is no image for it."""
    for server in plan.servers:
        if not isinstance(server, XmpplabServer):
            raise BadInput(
                f"{server.name} is of kind {server.kind}, which runs as a process only; "
                "use `xmpplab up --driver process`, or delete its `kind`"
            )


def nodes(plan: Plan) -> list[LabNode]:
    """The nodes of the plan that run in containers, except Redis."""
    return [*plan.ours, *plan.lower_half]


def outer_ports(plan: Plan, node: ServerNode | GatewayNode | NetworkNode) -> tuple[int, ...]:
    """The ports that are used from outside the lab, by clients, components of the user, servers of other domains."""
    if not isinstance(node, ServerNode):
        return ()
    programs = {each.domain for each in node.components} - {gateway.domain for gateway in plan.gateways}
    components = (node.component_port,) if programs else ()
    return (*node.client_ports, *components, *(node.s2s_ports if node.asks_outside else ()))


def _networks(plan: Plan) -> dict[str, bool]:
    own_redis = not plan.redis_url
    found = {CLIENTS: False, **({REDIS: False} if own_redis else {})}
    found |= {to_router(node.name): own_redis for node in nodes(plan)}
    found |= {_to_server(gateway): True for gateway in plan.gateways}
    return found | {_around(network.name): False for network in plan.networks}


def _to_server(gateway: GatewayNode) -> str:
    """The network from a gateway to its server."""
    return f"{gateway.name}.{gateway.server}"


def _around(network: str) -> str:
    """The network of a foreign network and its gateways; the way out to a real network."""
    return f"{network}.network"


def _redis(plan: Plan, folder: str, data: str, ports: tuple[str, ...]) -> Service:
    networks = dict.fromkeys((REDIS, *(to_router(node.name) for node in nodes(plan))), (REDIS,))
    volumes = (f"{folder}:{LAB}:ro", f"{data}:{DATA}")
    return Service(REDIS, ("valkey-server", f"{LAB}/redis.conf"), volumes, networks, ports)


def _node(plan: Plan, node: LabNode, published: Plan, volumes: tuple[str, ...], to_publish: tuple[int, ...]) -> Service:
    outer = next(each for each in nodes(published) if each.name == node.name)
    ports = zip(outer.ports, node.ports, strict=True)
    shown = tuple(f"{outer.host}:{outside}:{inside}" for outside, inside in ports if inside in to_publish)
    networks = {**_links(plan, node), to_router(node.name): ()}
    return Service(node.name, (*program(node), node.name), volumes, networks, shown)


def program(node: LabNode) -> tuple[str, ...]:
    """The command of a node, without its last argument: the name."""
    return ("python", "-m", f"cluster.lab.{'node' if isinstance(node, ServerNode) else 'foreign'}", str(LAB))


def _links(plan: Plan, node: LabNode) -> dict[str, tuple[str, ...]]:
    """The networks of a node, except that to the router, with its names there."""
    if isinstance(node, NetworkNode):
        return {_around(node.name): (node.name,)}
    if isinstance(node, GatewayNode):
        return {_around(node.network): (), _to_server(node): ()}
    domains = (node.domain, *node.subdomains)
    links = {_to_server(gateway): (node.name,) for gateway in plan.gateways if gateway.server == node.name}
    return {CLIENTS: tuple(map(ascii_form, domains)), **links}


def _data_in(node: LabNode) -> str:
    """The container's path of the folder that its node keeps."""
    return f"{LAB}/{node.name}"
