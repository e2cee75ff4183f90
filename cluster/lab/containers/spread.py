"""A topology for several machines, with an existing Redis: a file for their engine, and secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from cluster.lab.containers import compose, files, swarm
from cluster.lab.containers.export import plans
from cluster.lab.containers.k8s import base
from cluster.lab.containers.k8s.parts import MAX_NAME_LENGTH, hosts, parts
from cluster.lab.containers.k8s.pod import Image
from cluster.lab.errors import BadInput, LabError
from cluster.lab.folder import ADMIN, LabFolder, Orchestrator
from cluster.lab.plans import check_redis_url
from cluster.lab.private import write_private
from cluster.lab.provision import redis
from cluster.lab.provision.certificates import certify
from cluster.topology.plan import Plan

MANY_SERVERS = 200
"""In a swarm: all are in the network of the clients, which has 254 addresses, some of them for the machines."""

_STACK_HEAD = """\
Lab {lab} as a stack; made by `xmpplab export swarm {file}`. The folder beside this file has secrets.

    docker stack deploy -c stack.yml {lab}       # `docker stack rm {lab}` removes it

Every machine of the swarm needs the image (--with-registry-auth, if the registry asks for a login). Clients trust
ca.pem, and connect to the machine of the server:
{ports}"""

_KUSTOMIZATION_HEAD = """\
Lab {lab} as a kustomize base; made by `xmpplab export k8s {file}`. The folder beside this file has secrets.

    kubectl apply -k .       # `kubectl delete namespace {namespace}` removes it
    kubectl -n {namespace} port-forward service/{clients} {port}      # for clients, who trust ca.pem

An overlay changes it: `resources: [this folder]`, and patches for images, resources, or the type of a Service.
"""

_MANIFESTS_HEAD = "Made by `xmpplab export k8s`; kustomization.yaml adds the Secrets. Change it with an overlay.\n"


def spread(
    file: Path, orchestrator: Orchestrator, redis_url: str, image: str, into: Path | None, pull_secret: str = ""
) -> Path:
    """Write the lab into this folder; returns the path of its file. Raises BadInput, LabError, and then writes nothing.

    Secrets and CA of an earlier export to the same folder are kept. `pull_secret`: see `Image`; a swarm has none.
    """
    check_redis_url(redis_url)
    files.check_reachable(redis_url)
    plan, published = plans(file, redis_url)
    _check_names(orchestrator, plan)
    _check_image(image, pull_secret)
    folder = LabFolder(into or Path(f"{plan.name}-{orchestrator}"))
    is_new = not folder.path.exists()
    if not is_new and any(folder.path.iterdir()) and not folder.plan_file.exists():
        raise BadInput(f"{folder.path} is not empty; name another folder with --into")
    owner = str(folder.path)  # the lab's identity in that Redis
    plan, published = (msgspec.structs.replace(each, state_dir=owner) for each in (plan, published))
    try:
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.save_plan(published)
        certify(folder, plan, datetime.now(UTC))
        folder.save_secrets(_logins(folder, plan))
        files.announcer(folder, plan)
        if orchestrator == "swarm":
            return _write_stack(folder, file, plan, published, image)
        return _write_base(folder, file, plan, Image(image, pull_secret))
    except BaseException:
        if is_new:
            folder.remove()
        raise


def _write_stack(folder: LabFolder, file: Path, plan: Plan, published: Plan, image: str) -> Path:
    made = compose.spread(plan, published)
    files.nodes(folder, plan, compose.nodes(plan), files.BY_ALIAS)
    found = _found(folder, [service.name for service in made.services])
    _check_sizes(
        plan, {name: max(map(len, contents.values())) for name, contents in found.items()}, swarm.MAX_FILE_BYTES
    )
    ports = "\n".join(f"    {server.domain}: port {server.c2s_port}" for server in published.servers)
    head = _STACK_HEAD.format(lab=plan.name, file=file, ports=ports)
    return _written(folder.stack_file, swarm.stack(made, found, image, plan.state_dir, folder.containers.name, head))


def _write_base(folder: LabFolder, file: Path, plan: Plan, image: Image) -> Path:
    found_parts = parts(plan)
    files.nodes(folder, plan, [part.node for part in found_parts], hosts(plan))
    found = _found(folder, [files.ANNOUNCE, *(part.name for part in found_parts)])
    sizes = {name: sum(map(len, contents.values())) for name, contents in found.items()}
    _check_sizes(plan, sizes, base.MAX_SECRET_BYTES)
    first = plan.servers[0]
    words = {"namespace": base.namespace(plan.name), "clients": base.clients(first.name), "port": first.c2s_port}
    head = _KUSTOMIZATION_HEAD.format(lab=plan.name, file=file, **words)
    _written(folder.path / base.MANIFESTS, base.manifests(plan, found, image, _MANIFESTS_HEAD))
    return _written(folder.base_file, base.kustomization(plan, found, folder.containers.name, head))


def _written(path: Path, text: str) -> Path:
    write_private(path, text.encode())
    return path


def _found(folder: LabFolder, names: Iterable[str]) -> files.Files:
    return {name: files.contents(folder, name) for name in names}


def _logins(folder: LabFolder, plan: Plan) -> dict[str, str]:
    """The logins of an earlier export for the same Redis and the same users, or new ones."""
    new = redis.new_logins(plan)
    try:
        kept = folder.secrets()
    except LabError:
        return new
    return kept if kept.keys() == new.keys() and kept[ADMIN] == new[ADMIN] else new


def _check_image(name: str, pull_secret: str) -> None:
    """Raises BadInput for what no engine accepts as the name of an image or of a Secret."""
    if not re.fullmatch(r"[^\s'\"]+", name):
        raise BadInput(f"--image: {name!r} is no name of an image; write one such as registry.lan/xmpplab:7")
    if pull_secret and not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", pull_secret):
        raise BadInput(f"--pull-secret: {pull_secret!r} is no name; write lowercase letters, digits, '-' and '.'")


def _check_names(orchestrator: Orchestrator, plan: Plan) -> None:
    """Raises BadInput for names and numbers of nodes that these engines would refuse."""
    longest = MAX_NAME_LENGTH if orchestrator == "k8s" else swarm.MAX_NAME_LENGTH - len(f"{plan.name}_")
    names = (
        [part.name for part in parts(plan)] if orchestrator == "k8s" else [node.name for node in compose.nodes(plan)]
    )
    for name in names:
        if name.endswith("-") or len(name) > longest:
            raise BadInput(
                f"{name!r} cannot be the name of a node there: it needs at most {longest} characters, and no "
                f"hyphen at its end"
            )
        if orchestrator == "k8s" and base.clients(name) in names:
            raise BadInput(f"{base.clients(name)} is the name of the Service for clients of {name}; rename that node")
    if orchestrator == "swarm" and len(plan.servers) > MANY_SERVERS:
        raise BadInput(
            f"a stack has at most {MANY_SERVERS} servers, and this lab has {len(plan.servers)}: a network of a swarm "
            f"has 254 addresses; use `xmpplab export k8s`, or several labs"
        )


def _check_sizes(plan: Plan, sizes: Mapping[str, int], limit: int) -> None:
    """Raises BadInput for a secret that is too large for the engine."""
    name, size = max(sizes.items(), key=lambda each: each[1])
    if size <= limit:
        return
    server = plan.server(name)
    count = len(server.accounts) if server is not None else 0
    remedy = (
        f"most of it are its {count} accounts: write fewer into the topology, and add the others with "
        f"`xmpplab user add`"
        if count
        else "write fewer nodes and links into the topology"
    )
    raise BadInput(f"{name} would read a secret of {size} bytes, and {limit} is the most; {remedy}")
