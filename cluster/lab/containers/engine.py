"""The Docker engine: requests to it, and its errors in words for the user."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster.lab.containers.compose import GRACE_S, IMAGE, Compose, Service
from cluster.lab.containers.document import PART
from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder

STATE = "xmpplab.state"
"""Label with the state folder: of the objects that `xmpplab up` created, and of the services of an exported stack."""

NODE = "xmpplab.node"
"""Label with the node, see `Compose.labels`."""

SOCKET = Path("/var/run/docker.sock")
"""Where docker's SDK looks, unless DOCKER_HOST names another place."""

TIMEOUT_S = 60.0
"""For one request."""


class Engine:
    """The objects of one lab in the engine."""

    def __init__(self, client: Any, folder: LabFolder) -> None:
        """`client` is a docker.DockerClient; see `connected`."""
        self.client = client
        self._folder = folder
        self._mine = {"label": [f"{STATE}={folder.path}"]}
        self._nodes = {"label": [*self._mine["label"], NODE]}

    def containers(self) -> list[Any]:
        """The lab's nodes, Redis first, the others by name."""
        found = self.client.containers.list(all=True, filters=self._nodes, ignore_removed=True)
        return sorted(found, key=lambda one: (one.labels["xmpplab.node"] != "redis", one.labels["xmpplab.node"]))

    def container(self, node: str) -> Any:
        """The container of this node. Raises LabError."""
        found = next((one for one in self.containers() if one.labels["xmpplab.node"] == node), None)
        if found is None:
            raise LabError(f"the container of {node} is gone; run `xmpplab down`, then `up`")
        return found

    def run_beside(self, container: Any, command: list[str]) -> tuple[int, str]:
        """Run a command in the network of a container, with the right to change it; returns the exit code and the
        output."""
        beside = self.client.containers.create(
            IMAGE,
            command,
            network_mode=f"container:{container.id}",
            user="root",
            cap_drop=["ALL"],
            cap_add=["NET_ADMIN"],
            read_only=True,
            labels={STATE: str(self._folder.path)},
        )
        try:
            beside.start()
            exit_code = beside.wait()["StatusCode"]
            return exit_code, beside.logs().decode("utf-8", "replace")
        finally:
            beside.remove(force=True)

    def ends(self) -> dict[str, int]:
        """The exit codes of the last process of each node that died, as far as the engine remembers."""
        filters = {**self._nodes, "event": "die", "type": "container"}
        events = self.client.events(since=0, until=_until(self.client), filters=filters, decode=True)
        codes = [
            (event["Actor"]["Attributes"]["xmpplab.node"], event["Actor"]["Attributes"]["exitCode"]) for event in events
        ]
        return {node: int(code) for node, code in codes if code != "0"}

    def check_image(self) -> None:
        """Raises LabError if the image does not exist."""
        from docker.errors import ImageNotFound

        try:
            self.client.images.get(IMAGE)
        except ImageNotFound:
            raise LabError(
                f"the engine has no image {IMAGE!r}; run `make image`, or "
                f"`docker build -t {IMAGE} -f compose/Dockerfile .` in the project's folder"
            ) from None

    def check_names(self, compose: Compose) -> None:
        """Raises LabError if another lab has a container or a network of one of these names."""
        filters = {"label": f"xmpplab.lab={compose.lab}"}
        containers = self.client.containers.list(all=True, filters=filters, ignore_removed=True)
        found = [*containers, *self.client.networks.list(filters=filters)]
        for one in found:
            owner = _labels(one).get(STATE, "")
            if owner != str(self._folder.path):
                where = (
                    f"of {owner}; run `xmpplab down` there"
                    if owner
                    else "of a compose file; run `docker compose down` there"
                )
                raise LabError(
                    f"this engine runs another lab named {compose.lab!r}, {where}, or give this topology another `name`"
                )

    def make_networks(self, compose: Compose) -> None:
        """Create the networks that do not exist yet."""
        labels = {**compose.labels(), STATE: str(self._folder.path)}
        there = {network.name for network in self.client.networks.list(filters=self._mine)}
        for name, is_internal in compose.networks.items():
            if compose.full(name) in there:
                continue
            self.client.networks.create(compose.full(name), driver="bridge", internal=is_internal, labels=labels)

    def make(self, compose: Compose, service: Service) -> Any:
        """Create the container of a service, without starting it."""
        api = self.client.api
        ports = [port.rsplit(":", 2) for port in service.ports]
        container = api.create_container(
            PART["image"],
            list(service.command),
            name=compose.full(service.name),
            hostname=service.name,
            labels={**compose.labels(service.name), STATE: str(self._folder.path)},
            user=compose.user,
            stdin_open=True,
            stop_timeout=GRACE_S,
            ports=[int(inside) for _, _, inside in ports],
            host_config=api.create_host_config(
                binds=[self._bind(volume) for volume in service.volumes],
                port_bindings={int(inside): (host, int(outside)) for host, outside, inside in ports},
                init=True,
                read_only=True,
                cap_drop=PART["cap_drop"],
                security_opt=PART["security_opt"],
                restart_policy={"Name": PART["restart"]},
                log_config={"type": PART["logging"]["driver"], "config": PART["logging"]["options"]},
            ),
            **self._first_network(compose, service),
        )
        for name, aliases in list(service.networks.items())[1:]:
            network = self.client.networks.get(compose.full(name))
            network.connect(container["Id"], aliases=list(aliases))
        return self.client.containers.get(container["Id"])

    def _first_network(self, compose: Compose, service: Service) -> dict[str, Any]:
        name, aliases = next(iter(service.networks.items()))
        end_point = self.client.api.create_endpoint_config(aliases=list(aliases))
        return {"networking_config": self.client.api.create_networking_config({compose.full(name): end_point})}

    def _bind(self, volume: str) -> str:
        """The engine wants absolute paths; those of the compose file are relative to it."""
        return f"{self._folder.path}/{volume.removeprefix('./')}"

    def join(self, compose: Compose, service: Service) -> None:
        """Connect a container to those of its networks that it is not in yet."""
        container = self.container(service.name)
        for name, aliases in service.networks.items():
            if compose.full(name) not in container.attrs["NetworkSettings"]["Networks"]:
                self.client.networks.get(compose.full(name)).connect(container, aliases=list(aliases))

    def remove(self, node: str, network: str) -> None:
        """Stop and remove a node, and the network that only it needs."""
        container = self.container(node)
        container.stop(timeout=GRACE_S)
        container.remove(force=True, v=True)
        self._remove_network(self.client.networks.get(network))

    def _remove_network(self, network: Any) -> None:
        network.reload()
        for member in network.attrs["Containers"]:
            network.disconnect(member, force=True)
        network.remove()

    def remove_all(self) -> bool:
        """Stop and remove the objects with this lab's label, and nothing else. False if nothing was running."""
        for beside in self.client.containers.list(all=True, filters=self._mine, ignore_removed=True):
            if NODE not in beside.labels:  # left by a command that was killed
                beside.remove(force=True)
        containers = self.containers()
        for container in reversed(containers):  # the servers first, so that they can write what is queued
            if container.status == "paused":
                container.unpause()
        _each(containers[1:], lambda one: one.stop(timeout=GRACE_S))
        _each(containers[:1], lambda one: one.stop(timeout=GRACE_S))
        _each(containers, lambda one: one.remove(force=True, v=True))
        for network in self.client.networks.list(filters=self._mine):
            self._remove_network(network)  # also with other containers in it, such as a client that somebody put there
        return any(container.status in ("running", "paused", "restarting") for container in containers)


def _until(client: Any) -> int:
    """The time of the engine, which may be on another machine."""
    from datetime import datetime

    return int(datetime.fromisoformat(client.info()["SystemTime"][:19] + "+00:00").timestamp()) + 1


def _labels(one: Any) -> dict[str, str]:
    """Of a container or a network."""
    labels = one.attrs.get("Labels") or one.attrs.get("Config", {}).get("Labels") or {}
    return dict(labels)


def _each(items: list[Any], act: Any) -> None:
    """Do it to all at once: the engine takes some tenths of a second for each."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(MAX_AT_ONCE) as pool:
        list(pool.map(act, items))


MAX_AT_ONCE = 8
"""More requests at once make the engine no faster."""


@contextmanager
def connected(folder: LabFolder) -> Iterator[Engine]:
    """The engine that DOCKER_HOST names, or this machine's; its errors become LabErrors."""
    try:
        import docker
        from requests.exceptions import ConnectionError, Timeout
    except ImportError:
        raise LabError("containers need the docker SDK; `pip install '.[docker]'` in the checkout of xmpplab") from None
    client = None
    try:
        client = docker.from_env(timeout=TIMEOUT_S, max_pool_size=MAX_AT_ONCE)
        yield Engine(client, folder)
    except docker.errors.APIError as error:
        raise LabError(explained(str(error.explanation or error))) from error
    except (docker.errors.DockerException, ConnectionError, Timeout) as error:
        raise LabError(_unreachable(error)) from error
    finally:
        if client is not None:
            client.close()


def folders() -> list[str]:
    """State folders of all labs that have containers in the engine, or that it runs as a stack and whose export is on
    this machine. Raises LabError if no engine answers.

    Where none is installed there are none, and docker's SDK, which is slow to import, is not needed to know it.
    """
    if "DOCKER_HOST" not in os.environ and not SOCKET.exists():
        return []
    with connected(LabFolder(Path())) as engine:
        found = engine.client.containers.list(all=True, filters={"label": STATE}, ignore_removed=True)
        return sorted({one.labels[STATE] for one in found} | _stacks(engine.client))


def _stacks(client: Any) -> set[str]:
    """None where this engine manages no swarm."""
    if not client.info()["Swarm"]["ControlAvailable"]:
        return set()
    named = {each.attrs["Spec"]["Labels"][STATE] for each in client.services.list(filters={"label": STATE})}
    return {path for path in named if LabFolder(Path(path)).orchestrator == "swarm"}


def _unreachable(error: Exception) -> str:
    if "Permission denied" in str(error) or "PermissionError" in str(error):
        return (
            "no permission to use the Docker engine; join its group (`sudo usermod -aG docker $USER`, "
            "then log in again), or leave --driver docker out: processes need no permission"
        )
    return (
        f"no Docker engine answers ({_short(error)}); start it (`sudo systemctl start docker`), install it "
        f"(`apt install docker.io`), set DOCKER_HOST, or leave --driver docker out: processes need no engine"
    )


def _short(error: Exception) -> str:
    return str(error).replace("Error while fetching server API version: ", "")


_REMEDIES = {
    "port is already allocated": "another container has the port; find it with `docker ps`",
    "address already in use": "another program has the port; find it with `ss -ltnp`",
    "no space left on device": "the disk is full; `docker system df` shows of what, `docker system prune` frees it",
    "non-overlapping IPv4 address pool": "the engine has no free network; a lab needs one for each server and "
    "two more: remove unused ones (`docker network prune`), or give the engine more `default-address-pools` "
    "(/etc/docker/daemon.json)",
    "executable file not found": "the image lacks this program; add it to the image's base, and run `make image`",
    "permission denied while trying to connect": "join the group `docker`",
}


def explained(refusal: str) -> str:
    """An error of the engine, with the remedy if one is known."""
    for words, remedy in _REMEDIES.items():
        if words in refusal:
            return f"{refusal}: {remedy}"
    return f"the engine refused: {refusal}"
