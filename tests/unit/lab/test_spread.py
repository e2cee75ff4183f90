"""A lab for several machines: what the folder for Docker Swarm or Kubernetes has, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.lab.containers.files import announced
from cluster.lab.containers.spread import spread
from cluster.lab.errors import BadInput
from cluster.lab.folder import Orchestrator
from tests.live.running_lab import ROOT
from tests.unit.lab import composed

TOPOLOGIES = ("verona", "rfc3920", "gateways")
IMAGE = "xmpplab"
REDIS = "redis://:s3cret@redis.example:6379/0"
KINDS: tuple[Orchestrator, ...] = ("swarm", "k8s")


def exported(
    kind: Orchestrator, into: Path, topology: str = "gateways", redis: str = REDIS, image: str = "xmpplab"
) -> Path:
    """The path of the file that begins with the instructions."""
    return spread(ROOT / "topologies" / f"{topology}.yaml", kind, redis, image, into)


def stack(folder: Path, **more: str) -> dict[str, Any]:
    return dict(yaml.safe_load(exported("swarm", folder, **more).read_text()))


def test_the_stack_names_the_folder_of_the_lab(tmp_path: Path) -> None:
    """By which the labs of a user are listed, wherever they were exported to."""
    services = stack(tmp_path)["services"]
    assert {each["deploy"]["labels"]["xmpplab.state"] for each in services.values()} == {str(tmp_path)}


def test_compose_takes_the_stack(tmp_path: Path) -> None:
    composed.check(exported("swarm", tmp_path))


def test_parts_find_each_other_by_name(tmp_path: Path) -> None:
    networks = stack(tmp_path)["services"]
    assert networks["s1"]["networks"]["clients"]["aliases"] == ["montague.lit", "sms.montague.lit", "mail.montague.lit"]
    assert networks["g1"]["networks"].keys() == {"fn1_network", "g1_s1"}


def test_ports_for_others_than_clients_are_not_published(tmp_path: Path) -> None:
    services = stack(tmp_path)["services"]
    published = {name: [port["target"] for port in each.get("ports", ())] for name, each in services.items()}
    assert {name: ports for name, ports in published.items() if ports} == {
        "s1": [5222, 5223, 5281],
        "s2": [5222, 5223, 5281],
    }


def test_the_port_for_the_users_own_component_is_published(tmp_path: Path) -> None:
    topology = tmp_path / "lab.yaml"
    components = "components: {echo.montague.lit: {server: s1, secret: x}}\n"
    topology.write_text(f"name: verona\nservers:\n  s1: {{domain: montague.lit}}\n{components}")
    services = yaml.safe_load(spread(topology, "swarm", REDIS, IMAGE, tmp_path / "new").read_text())["services"]
    assert [port["target"] for port in services["s1"]["ports"]] == [5222, 5223, 5281, 5347]


def test_services_have_limits(tmp_path: Path) -> None:
    for service in stack(tmp_path)["services"].values():
        assert service["deploy"]["resources"].keys() == {"reservations", "limits"}
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}


def secrets_of(kind: Orchestrator, folder: Path, node: str) -> dict[str, bytes]:
    """The files that a node sees."""
    file = exported(kind, folder)
    made = yaml.safe_load(file.read_text())
    if kind == "k8s":
        [found] = [each["files"] for each in made["secretGenerator"] if each["name"] == node]
    else:
        sources = [secret["source"] for secret in made["services"][node]["secrets"]]
        found = [made["secrets"][source]["file"] for source in sources]
    return {Path(each).name: (folder / each).read_bytes() for each in found}


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_has_its_own_secrets_and_nobody_elses(tmp_path: Path, kind: Orchestrator) -> None:
    seen = secrets_of(kind, tmp_path, "s2")
    assert seen.keys() == {"ca.pem", "plan.json", "s2.key", "s2.pem", "secrets.json"}
    assert json.loads(seen["secrets.json"]).keys() == {"capulet.lit"}
    assert all(b"s3cret" not in content for content in seen.values())  # of whoever may do everything in Redis


@pytest.mark.parametrize("kind", KINDS)
def test_who_announces_has_the_logins_and_no_accounts(tmp_path: Path, kind: Orchestrator) -> None:
    assert secrets_of(kind, tmp_path, "announce").keys() == {"announce.gz"}
    plan, urls = announced(tmp_path / "containers" / "announce")
    assert urls["admin"] == REDIS
    assert urls.keys() >= {"montague.lit", "capulet.lit", "sms.montague.lit", "fn1"}
    assert not any(server.accounts or server.components for server in plan.servers)


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_again_changes_nothing(tmp_path: Path, kind: Orchestrator) -> None:
    def files() -> dict[Path, bytes]:
        exported(kind, tmp_path)
        return {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}

    assert files() == files()


def test_a_changed_secret_has_a_new_name(tmp_path: Path) -> None:
    """A swarm never changes one."""
    first, second = (
        {key: each["name"] for key, each in stack(tmp_path, redis=url)["secrets"].items()}
        for url in (REDIS, REDIS.replace("redis.example", "other.example"))
    )
    assert first["s1.ca.pem"] == second["s1.ca.pem"]
    assert first["s1.secrets.json"] != second["s1.secrets.json"]
    assert all(len(name) <= 64 for name in first.values())


def test_the_image_is_what_the_machines_call_it(tmp_path: Path) -> None:
    image = "registry.example/xmpplab:1"
    assert {each["image"] for each in stack(tmp_path, image=image)["services"].values()} == {image}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("url", ["redis://127.0.0.1:6379/0", "redis://localhost/0", "unix:///run/redis.sock"])
def test_a_redis_that_no_container_reaches(tmp_path: Path, kind: Orchestrator, url: str) -> None:
    with pytest.raises(BadInput, match="containers cannot reach loopback"):
        exported(kind, tmp_path / "new", redis=url)
    assert not (tmp_path / "new").exists()


def test_a_folder_with_something_else_in_it(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Juliet")
    with pytest.raises(BadInput, match="--into"):
        exported("swarm", tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(("kind", "most"), [("k8s", 52), ("swarm", 56)])
def test_a_name_that_the_engine_does_not_take(tmp_path: Path, kind: Orchestrator, most: int) -> None:
    topology = tmp_path / "lab.yaml"
    for name, message in ((f"{'s' * most}s", f"at most {most}"), ("s-", "no hyphen")):
        topology.write_text(f"name: verona\nservers:\n  {name}: {{domain: montague.lit}}\n")
        with pytest.raises(BadInput, match=message):
            spread(topology, kind, REDIS, IMAGE, tmp_path / "new")
        assert not (tmp_path / "new").exists()
    topology.write_text(f"name: verona\nservers:\n  {'s' * most}: {{domain: montague.lit}}\n")
    spread(topology, kind, REDIS, IMAGE, tmp_path / "new")


def test_more_accounts_than_a_secret_holds(tmp_path: Path) -> None:
    topology = tmp_path / "lab.yaml"
    accounts = "".join(f"  user{number}@montague.lit:\n" for number in range(20_000))
    topology.write_text(f"name: verona\nservers:\n  s1: {{domain: montague.lit}}\naccounts:\n{accounts}")
    with pytest.raises(BadInput, match="its 20000 accounts: write fewer"):
        spread(topology, "swarm", REDIS, IMAGE, tmp_path / "new")


def test_more_servers_than_a_network_of_a_swarm_has_addresses(tmp_path: Path) -> None:
    topology = tmp_path / "lab.yaml"
    servers = "".join(f"  s{number}: {{domain: d{number}.lit}}\n" for number in range(201))
    topology.write_text(f"name: many\nservers:\n{servers}")
    with pytest.raises(BadInput, match=r"at most 200 servers.*254 addresses; use `xmpplab export k8s`"):
        spread(topology, "swarm", REDIS, IMAGE, tmp_path / "new")


def test_what_everybody_reads_does_not_grow_into_the_limit(tmp_path: Path) -> None:
    """The names of all domains are in one secret of a swarm, of at most 500 KiB; a lab has at most 2,000 nodes."""
    topology = tmp_path / "lab.yaml"
    servers = "".join(f"  s{number}: {{domain: d{number}.lit}}\n" for number in range(200))
    topology.write_text(f"name: many\nservers:\n{servers}")
    spread(topology, "swarm", REDIS, IMAGE, tmp_path / "new")
    assert (tmp_path / "new/containers/announce/announce.gz").stat().st_size < 500 * 1024 / 10


@pytest.mark.parametrize(("image", "secret", "why"), [("X Y", "", "--image: 'X Y'"), (IMAGE, "a b", "--pull-secret")])
def test_names_that_no_engine_accepts_are_refused(tmp_path: Path, image: str, secret: str, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        spread(ROOT / "topologies" / "verona.yaml", "k8s", REDIS, image, tmp_path / "new", secret)
    assert not (tmp_path / "new").exists()
