"""A topology as a compose file that needs nothing but the image."""

from __future__ import annotations

from pathlib import Path

from cluster import modules
from cluster.lab.containers import compose, document
from cluster.lab.errors import BadInput
from cluster.topology.load import load
from cluster.topology.plan import Plan
from cluster.topology.problem import TopologyError
from cluster.topology.resolve import resolve

MAX_TOPOLOGY_BYTES = 131_000
"""A variable of the environment, with its name, has less than 128 KiB on Linux (MAX_ARG_STRLEN)."""

_HEAD = """\
Lab {lab} in containers; made by `xmpplab export compose {file}`.
It needs the image `xmpplab`: `make image` in the project's folder. It has the passwords of the accounts.

    docker compose -p xmpplab-{lab} -f {lab}.yml up -d         # `down -v` leaves nothing of it
    docker cp xmpplab-{lab}-setup:/state/.xmpplab/{lab}/ca.pem .      # what clients have to trust
    docker network disconnect xmpplab-{lab}-{first}.router xmpplab-{lab}-{first}      # cut {first} off; `connect` heals

Clients connect to:
{addresses}"""


def compose_file(file: Path) -> str:
    """The text of the file; the same on every machine. Raises BadInput with all errors of the topology, or if the
    topology is too long."""
    plan, published = plans(file)
    topology = file.read_text()
    if (size := len(topology.encode())) > MAX_TOPOLOGY_BYTES:
        raise BadInput(
            f"{file} has {size} bytes, and a container of a compose file gets at most {MAX_TOPOLOGY_BYTES}; "
            f"write fewer accounts, or use `xmpplab up --driver docker`"
        )
    addresses = "\n".join(f"    {server.domain}: {server.c2s}" for server in published.servers)
    head = _HEAD.format(lab=plan.name, file=file, first=plan.servers[0].name, addresses=addresses)
    return document.text(compose.alone(plan, published, topology), head)


def plans(file: Path, redis_url: str = "") -> tuple[Plan, Plan]:
    """The plan for the containers, and the same with the ports for the outside. Raises BadInput."""
    try:
        topology = load(file, modules.names())
    except TopologyError as error:
        raise BadInput(f"{file} is not valid:\n{error}") from None
    plan, published = (
        resolve(topology, file, Path("/"), modules=modules.defaults(), redis_url=redis_url, single_host=is_single)
        for is_single in (False, True)
    )
    compose.check_kinds(plan)
    return plan, published
