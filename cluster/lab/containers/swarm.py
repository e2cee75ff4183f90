"""A lab as a stack file for Docker Swarm (`docker stack deploy`), with an existing Redis. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from cluster.lab.containers.compose import Compose, Service
from cluster.lab.containers.document import MERGE, PART, networks, written
from cluster.lab.containers.engine import STATE
from cluster.lab.containers.files import IMAGE_USER, LAB, Files

MAX_FILE_BYTES = 500 * 1024
"""Of a secret in a swarm."""

MAX_NAME_LENGTH = 63
"""Of a service in a swarm: the stack and the node, with an underscore between them."""

_SECRET_NAME_LENGTH = 64
"""Of a secret in a swarm, in characters."""

_IGNORED = ("security_opt", "restart")
"""Keys of a compose file that a swarm does not use."""

_DEPLOY = {
    "endpoint_mode": "dnsrr",  # a container has one name, and needs no virtual address
    "update_config": {"order": "stop-first"},  # two servers of one domain would read the same links
    "restart_policy": {"condition": "any", "delay": "2s"},
    "resources": {
        "reservations": {"cpus": "0.05", "memory": "64M"},
        "limits": {"cpus": "2", "memory": "512M"},  # as in k8s/pod.py
    },
}


def stack(compose: Compose, files: Files, image: str, state: str, folder: str, head: str) -> str:
    """The file; `files` are secrets of the swarm, whose files are in `folder`, next to the stack file. `state`: the
    path of the folder of the lab, by which `xmpplab ls` finds it."""
    deploy = {**_DEPLOY, "labels": {STATE: state}}
    part = {key: value for key, value in PART.items() if key not in _IGNORED} | {"image": image, "deploy": deploy}
    secrets = {
        _source(service, file): {"file": f"./{folder}/{service}/{file}", "name": _name(compose, service, file, content)}
        for service, contents in files.items()
        for file, content in contents.items()
    }
    document: dict[str, Any] = {
        "version": "3.8",
        "x-node": part,
        "services": {
            service.name: _service(compose, service, part, files[service.name]) for service in compose.services
        },
        "networks": {
            _network(name): {
                "driver": "overlay",
                "labels": compose.labels(),
                **({"internal": True} if is_internal else {}),
            }
            for name, is_internal in compose.networks.items()
        },
        "secrets": secrets,
    }
    if compose.volumes:
        document["volumes"] = {name: {"labels": compose.labels()} for name in compose.volumes}
    return written([document], head)


def _service(compose: Compose, service: Service, part: dict[str, Any], contents: Mapping[str, bytes]) -> dict[str, Any]:
    shown: dict[str, Any] = {MERGE: part}
    if not service.is_node:  # it ends when its work is done
        shown["deploy"] = {**part["deploy"], "restart_policy": {"condition": "on-failure", "delay": "2s"}}
        shown["healthcheck"] = {"disable": True}
    shown |= {
        "hostname": service.name,
        "labels": compose.labels(service.name),
        "command": list(service.command),
        "networks": {_network(name): entry for name, entry in networks(service).items()},
        "secrets": [_secret(service.name, file) for file in contents],
    }
    if service.ports:
        shown["ports"] = [_port(port) for port in service.ports]
    if service.volumes:
        shown["volumes"] = list(service.volumes)
    return shown


def _network(name: str) -> str:
    """A swarm allows no dots in the name; no node has an underscore."""
    return name.replace(".", "_")


def _port(port: str) -> dict[str, Any]:
    """On the machine where the container runs, so that the server sees the addresses of its clients."""
    _, outside, inside = port.rsplit(":", 2)
    return {"target": int(inside), "published": int(outside), "mode": "host"}


def _secret(service: str, file: str) -> dict[str, Any]:
    user = str(IMAGE_USER)
    return {"source": _source(service, file), "target": f"{LAB}/{file}", "uid": user, "gid": user, "mode": 0o400}


def _source(service: str, file: str) -> str:
    return f"{service}.{file}"


def _name(compose: Compose, service: str, file: str, content: bytes) -> str:
    """With a hash of its content: a swarm cannot change a secret, so a changed one has a new name."""
    digest = sha256(content).hexdigest()[:8]
    return f"{compose.full(_source(service, file))[: _SECRET_NAME_LENGTH - len(digest) - 1]}-{digest}"
