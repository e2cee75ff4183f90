"""A topology for several machines, with an existing Redis: a file for their engine, and secrets."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from cluster.lab.containers import compose, files, k8s, swarm
from cluster.lab.containers.export import plans
from cluster.lab.errors import BadInput, LabError
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.plans import check_redis_url
from cluster.lab.private import write_private
from cluster.lab.provision import redis
from cluster.lab.provision.certificates import certify
from cluster.topology.plan import Plan

Kind = Literal["swarm", "k8s"]

FILES: dict[Kind, str] = {"swarm": "stack.yml", "k8s": "manifests.yaml"}
"""The name of the file."""

_HEADS: dict[Kind, str] = {
    "swarm": """\
Lab {lab} as a stack; made by `xmpplab export swarm {file}`. The folder beside this file has secrets.

    docker stack deploy -c stack.yml {lab}       # `docker stack rm {lab}` removes it

Every machine of the swarm needs the image. Clients trust ca.pem, and connect to the machine of the server:
{ports}""",
    "k8s": """\
Lab {lab} as manifests; made by `xmpplab export k8s {file}`. It holds secrets.

    kubectl apply -f manifests.yaml      # `kubectl delete namespace xmpplab-{lab}` removes it
    kubectl -n xmpplab-{lab} port-forward service/{first} 5222      # for clients, who trust ca.pem
""",
}


def spread(file: Path, kind: Kind, redis_url: str, image: str, into: Path | None) -> Path:
    """Write the lab into this folder; returns the path of its file. Raises BadInput, LabError, and then writes nothing.

    Secrets and CA of an earlier export to the same folder are kept.
    """
    check_redis_url(redis_url)
    files.check_reachable(redis_url)
    plan, published = plans(file, redis_url)
    folder = LabFolder(into or Path(f"{plan.name}-{kind}"))
    is_new = not folder.path.exists()
    if not is_new and any(folder.path.iterdir()) and not folder.plan_file.exists():
        raise BadInput(f"{folder.path} is not empty; name another folder with --into")
    owner = str(folder.path)  # the lab's identity in that Redis
    plan, published = (msgspec.structs.replace(each, state_dir=owner) for each in (plan, published))
    try:
        return _write(folder, file, plan, published, kind, image)
    except BaseException:
        if is_new:
            folder.remove()
        raise


def _write(folder: LabFolder, file: Path, plan: Plan, published: Plan, kind: Kind, image: str) -> Path:
    made = compose.spread(plan, published)
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.save_plan(published)
    certify(folder, plan, datetime.now(UTC))
    folder.save_secrets(_logins(folder, plan))
    files.nodes(folder, plan)
    files.announcer(folder, plan)
    found = {service.name: files.contents(folder, service.name) for service in made.services}
    _check(kind, plan.name, found)
    ports = "\n".join(f"    {server.domain}: port {server.c2s_port}" for server in published.servers)
    head = _HEADS[kind].format(lab=plan.name, file=file, first=plan.servers[0].name, ports=ports)
    if kind == "swarm":
        text = swarm.stack(made, found, image, folder.containers.name, head)
    else:
        text = k8s.manifests(made, found, image, head)
    write_private(folder.path / FILES[kind], text.encode())
    return folder.path / FILES[kind]


def _logins(folder: LabFolder, plan: Plan) -> dict[str, str]:
    """The logins of an earlier export for the same Redis and the same users, or new ones."""
    new = redis.new_logins(plan)
    try:
        kept = folder.secrets()
    except LabError:
        return new
    return kept if kept.keys() == new.keys() and kept[ADMIN] == new[ADMIN] else new


def _check(kind: Kind, lab: str, found: swarm.Files) -> None:
    """Raises BadInput for what these engines would refuse."""
    longest = k8s.MAX_NAME_LENGTH if kind == "k8s" else swarm.MAX_NAME_LENGTH - len(f"{lab}_")
    for service, contents in found.items():
        if service.endswith("-") or len(service) > longest:
            raise BadInput(
                f"{service!r} cannot be the name of a node there: it needs at most {longest} characters, and no "
                f"hyphen at its end"
            )
        sizes = list(map(len, contents.values()))
        size, limit = (sum(sizes), k8s.MAX_SECRET_BYTES) if kind == "k8s" else (max(sizes), swarm.MAX_FILE_BYTES)
        if size > limit:
            raise BadInput(
                f"{service} would read a secret of {size} bytes, and {limit} is the most; "
                f"write fewer accounts into the topology, and add the others with `xmpplab user add`"
            )
