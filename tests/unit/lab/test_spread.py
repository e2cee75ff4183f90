"""A lab for several machines: a stack for Docker Swarm, manifests for Kubernetes."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.lab.containers.spread import Kind, spread
from cluster.lab.errors import BadInput
from tests.live.running_lab import ROOT

TOPOLOGIES = ("verona", "rfc3920", "gateways")
REDIS = "redis://:s3cret@redis.example:6379/0"
KINDS: tuple[Kind, ...] = ("swarm", "k8s")


def exported(kind: Kind, into: Path, topology: str = "gateways", redis: str = REDIS, image: str = "xmpplab") -> str:
    return spread(ROOT / "topologies" / f"{topology}.yaml", kind, redis, image, into).read_text()


def stack(folder: Path, **more: str) -> dict[str, Any]:
    return dict(yaml.safe_load(exported("swarm", folder, **more)))


def objects(folder: Path, kind: str, **more: str) -> dict[str, dict[str, Any]]:
    """The manifests of a kind, by name."""
    found = list(yaml.safe_load_all(exported("k8s", folder, **more)))
    return {each["metadata"]["name"]: each for each in found if each["kind"] == kind}


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_manifests_are_valid(tmp_path: Path, topology: str) -> None:
    """By the schema of Kubernetes' own API, with nothing that it does not know."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="needs `pip install 'xmpplab[ci]'`")
    version = kubernetes_validate.latest_version()
    for manifest in yaml.safe_load_all(exported("k8s", tmp_path, topology)):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_pod_meets_the_restricted_standard(tmp_path: Path) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, which the namespace demands."""
    (space,) = objects(tmp_path, "Namespace").values()
    assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    pods = [*objects(tmp_path, "StatefulSet").values(), *objects(tmp_path, "Job").values()]
    for pod in (each["spec"]["template"]["spec"] for each in pods):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = pod["containers"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_parts_find_each_other_by_name(tmp_path: Path) -> None:
    services = objects(tmp_path, "Service")
    assert {name: [port["port"] for port in each["spec"]["ports"]] for name, each in services.items()} == {
        "s1": [5222, 5223, 5281, 5347],
        "s2": [5222, 5223, 5281],
        "fn1": [2775],
        "fn2": [2525],
        "g2": [2525],
    }
    pods = objects(tmp_path, "StatefulSet")
    for name, service in services.items():
        labels = pods[name]["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()
    networks = stack(tmp_path)["services"]
    assert networks["s1"]["networks"]["clients"]["aliases"] == ["montague.lit", "sms.montague.lit", "mail.montague.lit"]
    assert networks["g1"]["networks"].keys() == {"fn1_network", "g1_s1"}


def secrets_of(kind: Kind, folder: Path, node: str) -> dict[str, bytes]:
    """The files that a node sees."""
    if kind == "k8s":
        data = objects(folder, "Secret")[node]["data"]
        return {file: base64.b64decode(content) for file, content in data.items()}
    made = stack(folder)
    given = [secret["source"] for secret in made["services"][node]["secrets"]]
    files = [Path(made["secrets"][source]["file"]) for source in given]
    return {file.name: (folder / file).read_bytes() for file in files}


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_has_its_own_secrets_and_nobody_elses(tmp_path: Path, kind: Kind) -> None:
    seen = secrets_of(kind, tmp_path, "s2")
    assert seen.keys() == {"ca.pem", "plan.json", "s2.key", "s2.pem", "secrets.json"}
    assert json.loads(seen["secrets.json"]).keys() == {"capulet.lit"}
    assert all(b"s3cret" not in content for content in seen.values())  # of whoever may do everything in Redis
    assert b"s3cret" in secrets_of(kind, tmp_path, "announce")["secrets.json"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_again_changes_nothing(tmp_path: Path, kind: Kind) -> None:
    first = exported(kind, tmp_path)
    assert exported(kind, tmp_path) == first
    assert exported(kind, tmp_path, redis="redis://:s3cret@other.example:6379/0") != first


def test_what_is_new_has_a_new_name(tmp_path: Path) -> None:
    """A swarm never changes a secret, Kubernetes never a job."""
    names = [
        ({key: each["name"] for key, each in stack(tmp_path, redis=url)["secrets"].items()}, objects(tmp_path, "Job"))
        for url in (REDIS, REDIS.replace("redis.example", "other.example"))
    ]
    (first, _), (second, _) = names
    assert first["s1.ca.pem"] == second["s1.ca.pem"]
    assert first["s1.secrets.json"] != second["s1.secrets.json"]
    assert all(len(name) <= 64 for name in first.values())
    assert objects(tmp_path, "Job").keys() != objects(tmp_path, "Job", redis="redis://x.example").keys()


def test_the_image_is_what_the_machines_call_it(tmp_path: Path) -> None:
    image = "registry.example/xmpplab:1"
    assert {each["image"] for each in stack(tmp_path, image=image)["services"].values()} == {image}
    sets = objects(tmp_path, "StatefulSet", image=image).values()
    assert {each["spec"]["template"]["spec"]["containers"][0]["image"] for each in sets} == {image}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("url", ["redis://127.0.0.1:6379/0", "redis://localhost/0", "unix:///run/redis.sock"])
def test_a_redis_that_no_container_reaches(tmp_path: Path, kind: Kind, url: str) -> None:
    with pytest.raises(BadInput, match="containers cannot reach loopback"):
        exported(kind, tmp_path / "new", redis=url)
    assert not (tmp_path / "new").exists()


def test_a_folder_with_something_else_in_it(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Juliet")
    with pytest.raises(BadInput, match="--into"):
        exported("swarm", tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(("kind", "most"), [("k8s", 52), ("swarm", 56)])
def test_a_name_that_the_engine_does_not_take(tmp_path: Path, kind: Kind, most: int) -> None:
    topology = tmp_path / "lab.yaml"
    for name, message in ((f"{'s' * most}s", f"at most {most}"), ("s-", "no hyphen")):
        topology.write_text(f"name: verona\nservers:\n  {name}: {{domain: montague.lit}}\n")
        with pytest.raises(BadInput, match=message):
            spread(topology, kind, REDIS, "xmpplab", tmp_path / "new")
        assert not (tmp_path / "new").exists()
    topology.write_text(f"name: verona\nservers:\n  {'s' * most}: {{domain: montague.lit}}\n")
    spread(topology, kind, REDIS, "xmpplab", tmp_path / "new")


def test_more_accounts_than_a_secret_holds(tmp_path: Path) -> None:
    topology = tmp_path / "lab.yaml"
    accounts = "".join(f"  user{number}@montague.lit:\n" for number in range(20_000))
    topology.write_text(f"name: verona\nservers:\n  s1: {{domain: montague.lit}}\naccounts:\n{accounts}")
    with pytest.raises(BadInput, match="fewer accounts"):
        spread(topology, "swarm", REDIS, "xmpplab", tmp_path / "new")
