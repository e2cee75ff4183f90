"""A lab that was exported: what the commands say of it, while its engine runs it and before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cluster.base.request import Status
from cluster.lab.api import Lab
from cluster.lab.containers.spread import spread
from cluster.lab.control.server import ControlServer
from cluster.lab.errors import LabError
from cluster.lab.folder import ADMIN, LabFolder, Orchestrator
from cluster.lab.plans import read_plans
from cluster.lab.provision import redis
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from tests.harness import ReactorThread, Valkey
from tests.live.engine import open_sockets_forgiven
from tests.live.running_lab import ROOT
from tests.unit.lab.test_control import Operations

RFC3920 = ROOT / "topologies" / "rfc3920.yaml"
ENGINES: tuple[Orchestrator, ...] = ("swarm", "k8s")


def exported(folder: Path, engine: Orchestrator, valkey: Valkey) -> Lab:
    """An export whose Redis, unlike that of a real one, is on this machine."""
    spread(RFC3920, engine, "redis://:x@redis.example", "xmpplab", folder)
    lab = LabFolder(folder)
    lab.save_plan(msgspec.structs.replace(lab.plan(), redis_url=valkey.url))
    lab.save_secrets({**lab.secrets(), ADMIN: valkey.url})
    return Lab(lab)


@pytest.fixture
def s1(reactor_thread: ReactorThread, own_valkey: Valkey) -> Iterator[None]:
    """A node that answers, somewhere."""
    keys = Keys.of_lab("rfc3920")
    client = RedisClient(reactor_thread.reactor, RedisUrl.parse(own_valkey.url), lambda: 0.0)

    async def start() -> None:
        await client.connect()
        await ControlServer(client, keys, "montague.lit", (Operations(), (Status,))).start()

    reactor_thread.run(start)
    yield
    reactor_thread.run(client.close)


@pytest.mark.usefixtures("s1")
@pytest.mark.parametrize("engine", ENGINES)
def test_its_nodes_are_asked_through_redis(tmp_path: Path, engine: Orchestrator, own_valkey: Valkey) -> None:
    lab = exported(tmp_path / "new", engine, own_valkey)
    states = {node.name: (node.kind, node.state) for node in lab.nodes()}
    assert states == {
        "s1": ("server", "running"),
        "s2": ("server", "stopped"),
        "fn1": ("smsc", "stopped"),
        "g1": ("sms", "stopped"),
    }
    assert lab.is_up


@pytest.mark.usefixtures("s1")
@pytest.mark.parametrize(
    ("engine", "command"),
    [("swarm", "docker stack rm rfc3920"), ("k8s", "kubectl delete namespace xmpplab-rfc3920")],
)
def test_it_is_not_removed_while_nodes_answer(
    tmp_path: Path, engine: Orchestrator, command: str, own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would go on without their users in Redis."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    lab = exported(tmp_path / "new", engine, own_valkey)
    with open_sockets_forgiven(), pytest.raises(LabError, match=f"run `{command}`, then `down` again"):
        lab.down()
    assert lab.exists


@pytest.mark.parametrize("engine", ENGINES)
def test_its_users_in_redis_are_removed(tmp_path: Path, engine: Orchestrator, own_valkey: Valkey) -> None:
    lab = exported(tmp_path / "new", engine, own_valkey)
    redis.let_in(lab.plan, lab.folder.secrets())
    users = set(own_valkey.admin.acl_users())
    assert len(users) == 5
    assert lab.down() is False
    assert set(own_valkey.admin.acl_users()) == {"default"}
    assert not list(own_valkey.admin.scan_iter("*"))
    assert not lab.path.exists()


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        (
            "swarm",
            ["docker stack deploy", "service update --force rfc3920_s1", "docker service logs rfc3920_s1"],
        ),
        ("k8s", ["kubectl apply -k", "rollout restart statefulset/s1", "logs -l app.kubernetes.io/instance=s1"]),
    ],
)
def test_what_its_engine_does_is_told(
    tmp_path: Path, engine: Orchestrator, words: list[str], own_valkey: Valkey
) -> None:
    lab = exported(tmp_path / "new", engine, own_valkey)
    deploy, restart, logs = words
    with pytest.raises(LabError, match=f"is an export; run `{deploy}"):
        lab.up(read_plans(RFC3920, tmp_path))
    assert lab.start_command.startswith(deploy)
    intention = lab.intention(read_plans(RFC3920, tmp_path))
    assert (intention.does, "is an export" in intention.why) == ("refuse", True)
    node = msgspec.structs.replace(lab.node("s1"), state="running")
    with pytest.raises(LabError, match=restart):
        lab.driver.act(node, "restart", 0.0)
    with pytest.raises(LabError, match=logs):
        lab.log("s1")
