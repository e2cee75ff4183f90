"""A lab on Kubernetes: the kustomize base, rendered by kustomize, and as Kubernetes would read it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from cluster.lab.containers.files import announced
from cluster.lab.containers.spread import spread
from cluster.lab.errors import BadInput
from cluster.lab.folder import LabFolder
from cluster.lab.provision import ca
from cluster.redisio.url import RedisUrl
from tests.live.running_lab import ROOT
from tests.unit.lab.policies import Network

TOPOLOGIES = ("verona", "rfc3920", "gateways", "nodes", "s2s", "rooms")
REDIS = "redis://:s3cret@10.0.0.5:6379/0"
INSTANCE = "app.kubernetes.io/instance"
Objects = dict[str, dict[str, Any]]


def exported(
    folder: Path, topology: str = "gateways", redis: str = REDIS, image: str = "xmpplab", pull_secret: str = ""
) -> Path:
    file = Path(topology) if topology.endswith(".yaml") else ROOT / "topologies" / f"{topology}.yaml"
    spread(file, "k8s", redis, image, folder, pull_secret)
    return folder


def objects(folder: Path, kind: str) -> Objects:
    """The manifests of a kind, by name."""
    found = list(yaml.safe_load_all((folder / "manifests.yaml").read_text()))
    return {each["metadata"]["name"]: each for each in found if each["kind"] == kind}


def templates(folder: Path) -> Objects:
    """The pods, by the names of what makes them."""
    made = {**objects(folder, "StatefulSet"), **objects(folder, "Job")}
    return {name: each["spec"]["template"] for name, each in made.items()}


def network(folder: Path) -> Network:
    """The namespace, with a pod of somebody else in it."""
    pods = {each["metadata"]["labels"][INSTANCE]: each["metadata"]["labels"] for each in templates(folder).values()}
    return Network([*objects(folder, "NetworkPolicy").values()], {**pods, "stranger": {"app": "stranger"}})


def lab(folder: Path, text: str) -> str:
    file = folder / "lab.yaml"
    file.write_text(text)
    return str(file)


@pytest.fixture
def rendered() -> Callable[[Path], list[dict[str, Any]]]:
    """What kustomize makes of a folder."""
    program = next(
        (words for words in (["kustomize", "build"], ["kubectl", "kustomize"]) if shutil.which(words[0])), None
    )
    if program is None:
        pytest.skip("needs kustomize, or kubectl, which has it")

    def render(folder: Path) -> list[dict[str, Any]]:
        done = subprocess.run([*program, folder], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return list(yaml.safe_load_all(done.stdout))

    return render


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_what_kustomize_renders_is_valid(
    tmp_path: Path, topology: str, rendered: Callable[[Path], list[dict[str, Any]]]
) -> None:
    """By the schema of Kubernetes' own API, with nothing that it does not know."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="needs `pip install 'xmpplab[ci]'`")
    version = kubernetes_validate.latest_version()
    manifests = rendered(exported(tmp_path, topology))
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)
        if manifest["kind"] != "Namespace":
            assert manifest["metadata"]["namespace"] == f"xmpplab-{topology}"


def test_an_overlay_changes_what_an_operator_changes(
    tmp_path: Path, rendered: Callable[[Path], list[dict[str, Any]]]
) -> None:
    exported(tmp_path / "base", "nodes")
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    patch = "- {op: add, path: /spec/type, value: LoadBalancer}"
    target = {"kind": "Service", "name": ".*-clients"}
    (overlay / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {
                "resources": ["../base"],
                "images": [{"name": "xmpplab", "newName": "registry.example/xmpplab", "newTag": "7"}],
                "patches": [{"target": target, "patch": patch}],
            }
        )
    )
    found = rendered(overlay)
    types = {each["metadata"]["name"]: each["spec"].get("type") for each in found if each["kind"] == "Service"}
    assert types == {"s1": None, "s1-clients": "LoadBalancer", "s2": None, "s2-clients": "LoadBalancer"}
    images = [
        each["spec"]["template"]["spec"]["containers"][0]["image"] for each in found if each["kind"] == "StatefulSet"
    ]
    assert images == ["registry.example/xmpplab:7"] * 2


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_each_pod_gets_the_files_that_it_mounts(tmp_path: Path, topology: str) -> None:
    made = yaml.safe_load((exported(tmp_path, topology) / "kustomization.yaml").read_text())
    files = {each["name"]: each["files"] for each in made["secretGenerator"]}
    assert all((tmp_path / file).is_file() for several in files.values() for file in several)
    for pod in templates(tmp_path).values():
        [volume] = pod["spec"]["volumes"]
        [container] = pod["spec"]["containers"]
        mounted = [each["subPath"] for each in container["volumeMounts"] if each["name"] == volume["name"]]
        assert sorted(mounted) == sorted(Path(file).name for file in files[volume["secret"]["secretName"]])


def test_a_pod_meets_the_restricted_standard(tmp_path: Path) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, which the namespace demands."""
    (space,) = objects(exported(tmp_path), "Namespace").values()
    assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in (each["spec"] for each in templates(tmp_path).values()):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = pod["containers"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_a_pod_has_requests_limits_and_probes_of_the_running_process(tmp_path: Path) -> None:
    for name, pod in templates(exported(tmp_path)).items():
        (container,) = pod["spec"]["containers"]
        assert container["resources"].keys() == {"requests", "limits"}
        if not name.startswith("announce-"):
            assert container["startupProbe"]["httpGet"] == {"path": "/live", "port": "metrics"}
            assert container["livenessProbe"]["httpGet"] == {"path": "/live", "port": "metrics"}
            assert container["readinessProbe"]["httpGet"] == {"path": "/ready", "port": "metrics"}


def test_parts_find_each_other_by_name(tmp_path: Path) -> None:
    services = objects(exported(tmp_path), "Service")
    assert {name: [port["port"] for port in each["spec"]["ports"]] for name, each in services.items()} == {
        "s1": [5222, 5223, 5281, 5347],
        "s1-clients": [5222, 5223, 5281],
        "s2": [5222, 5223, 5281],
        "s2-clients": [5222, 5223, 5281],
        "fn1": [2775],
        "fn2": [2525],
        "g2": [2525],
    }
    pods = templates(tmp_path)
    for name, service in services.items():
        labels = pods[name.removesuffix("-clients")]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()
    plan = LabFolder(tmp_path / "containers" / "g1").plan()
    assert (plan.server_named("s1").host, plan.network("fn1").host) == ("s1-1.s1", "fn1")


def test_servers_with_streams_find_each_other_where_no_name_has_a_dot(tmp_path: Path) -> None:
    exported(tmp_path, "s2s")
    for server in LabFolder(tmp_path).plan().ours:
        [same] = LabFolder(tmp_path / "containers" / server.server).plan().nodes_of(server.name)
        assert {peer.host for peer in same.s2s_peers} <= objects(tmp_path, "Service").keys()


@pytest.mark.parametrize(("pod", "node"), [("s1-1", "s1"), ("s1-2", "s1-2"), ("s1-11", "s1-11"), ("s-1-1", "s-1")])
def test_a_pod_runs_the_node_of_its_number(tmp_path: Path, pod: str, node: str) -> None:
    sets = objects(exported(tmp_path, "nodes"), "StatefulSet")
    spec = sets["s1"]["spec"]
    assert (spec["replicas"], spec["ordinals"]) == (2, {"start": 1})
    (container,) = spec["template"]["spec"]["containers"]
    shell, option, command = container["command"]
    echoed = [shell, option, command.replace("exec python", "echo")]
    told = subprocess.run(echoed, env={"POD": pod}, capture_output=True, text=True, check=True).stdout
    assert told.split() == ["-m", "cluster.lab.node", "/lab", node]


def test_nodes_of_a_domain_are_apart_and_go_one_after_the_other(tmp_path: Path) -> None:
    sets = objects(exported(tmp_path, "nodes"), "StatefulSet")
    budgets = objects(tmp_path, "PodDisruptionBudget")
    assert budgets.keys() == sets.keys() == {"s1", "s2"}
    for name, each in sets.items():
        labels = each["spec"]["template"]["metadata"]["labels"]
        [spread] = each["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert spread["topologyKey"] == "kubernetes.io/hostname"
        assert spread["labelSelector"]["matchLabels"].items() <= labels.items()
        assert budgets[name]["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert budgets[name]["spec"]["maxUnavailable"] == 1


def test_a_domain_with_one_node_has_no_budget(tmp_path: Path) -> None:
    """It would keep the machine from being drained at all."""
    assert objects(exported(tmp_path), "PodDisruptionBudget") == {}


def test_all_objects_have_the_recommended_labels(tmp_path: Path) -> None:
    for each in yaml.safe_load_all((exported(tmp_path, "nodes") / "manifests.yaml").read_text()):
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == labels["app.kubernetes.io/managed-by"] == "xmpplab"
        assert labels["app.kubernetes.io/part-of"] == "nodes"


def test_who_may_speak_to_whom_in_the_figure(tmp_path: Path) -> None:
    seen = network(exported(tmp_path))
    assert seen.may("g1", "s1", 5347)
    assert seen.may("g1", "fn1", 2775)
    assert seen.may("fn2", "g2", 2525)
    assert not seen.may("g1", "s2", 5347)
    assert not seen.may("g1", "fn2", 2525)
    assert not seen.may("s1", "s2", 5222)  # they speak through Redis
    assert not seen.may("stranger", "s1", 5347)
    for server in ("s1", "s2"):
        assert seen.may_enter(server, 5222)
        assert seen.may("stranger", server, 5222)
        assert seen.may("stranger", server, 9464)
        assert not seen.may_enter(server, 9464)
    assert not seen.may_enter("fn1", 2775)


def test_nodes_reach_redis_and_no_other_address(tmp_path: Path) -> None:
    seen = network(exported(tmp_path))
    for pod in ("s1", "s2", "g1", "g2", "fn1", "fn2", "announce"):
        assert seen.may_leave(pod, "10.0.0.5", 6379)
        assert not seen.may_leave(pod, "10.0.0.6", 6379)
        assert not seen.may_leave(pod, "10.0.0.5", 5222)


@pytest.mark.parametrize(
    ("url", "address", "port"),
    [
        ("redis://:x@10.0.0.5:6379,10.0.0.6:6380", "10.0.0.6", 6380),  # a replica that may take over
        ("redis://:x@redis.example:6379", "10.0.0.9", 6379),  # a policy knows no names
        ("redis+cluster://:x@10.0.0.5:7000", "10.0.0.9", 7000),  # the others are told by the cluster
        ("redis+sentinel://:x@10.0.0.5,10.0.0.6/verona", "10.0.0.6", 26379),
        ("redis+sentinel://:x@10.0.0.5/verona", "10.0.0.9", 6379),  # the master is told by the Sentinels
    ],
)
def test_nodes_reach_each_redis_that_may_be_the_master(tmp_path: Path, url: str, address: str, port: int) -> None:
    assert network(exported(tmp_path, redis=url)).may_leave("s1", address, port)


def test_streams_between_servers_follow_the_links(tmp_path: Path) -> None:
    servers = "servers: {s1: {domain: a.lit}, s2: {domain: b.lit, nodes: 2}, s3: {domain: c.lit}}\n"
    links = "mesh: false\nlinks: [{between: [s1, s2], transport: s2s}, {between: [s2, s3]}]\n"
    seen = network(exported(tmp_path / "new", lab(tmp_path, f"name: x\n{servers}{links}")))
    assert seen.may("s1", "s2", 5269)
    assert seen.may("s2", "s1", 5269)
    assert not seen.may("s2", "s3", 5269)
    assert not seen.may("s1", "s3", 5269)
    assert not seen.may_enter("s1", 5269)


def test_a_server_that_asks_outside_is_reached_from_there(tmp_path: Path) -> None:
    text = "name: x\nresolver: system\nservers: {s1: {domain: a.lit}}\n"
    seen = network(exported(tmp_path / "new", lab(tmp_path, text)))
    assert seen.may_enter("s1", 5269)
    assert seen.may_leave("s1", "192.0.2.7", 5269)


def test_a_pull_secret_is_that_of_all_pods(tmp_path: Path) -> None:
    exported(tmp_path, image="registry.example/xmpplab:1", pull_secret="regcred")
    for pod in (each["spec"] for each in templates(tmp_path).values()):
        assert pod["imagePullSecrets"] == [{"name": "regcred"}]
        assert pod["containers"][0]["image"] == "registry.example/xmpplab:1"


def test_pods_are_replaced_when_their_secret_changes(tmp_path: Path) -> None:
    """And a job has a new name: Kubernetes never changes one."""
    first, again, other = (
        templates(exported(tmp_path, redis=url)) for url in (REDIS, REDIS, "redis://:x@other.example:6379/0")
    )
    assert first == again
    assert first["s1"] != other["s1"]
    assert first.keys() - other.keys() == {name for name in first if name.startswith("announce-")}


def test_a_name_that_is_that_of_a_service(tmp_path: Path) -> None:
    text = "name: x\nservers: {s1: {domain: a.lit}, s1-clients: {domain: b.lit}}\n"
    with pytest.raises(BadInput, match="s1-clients is the name of the Service for clients of s1; rename that node"):
        exported(tmp_path / "new", lab(tmp_path, text))


def test_a_redis_with_an_authority_of_its_own_is_trusted_by_all_pods(tmp_path: Path) -> None:
    (tmp_path / "redis.pem").write_bytes(b"")
    with pytest.raises(BadInput, match="no certificates"):
        exported(tmp_path / "new", redis=f"rediss://:x@10.0.0.5?ssl_ca_certs={tmp_path}/redis.pem")
    authority, _ = ca.issue(datetime.now(UTC), "redis", {})
    (tmp_path / "redis.pem").write_bytes(authority)
    folder = exported(tmp_path / "new", redis=f"rediss://:x@10.0.0.5?ssl_ca_certs={tmp_path}/redis.pem")
    for part in ("s1", "g1", "fn1", "announce"):
        assert (folder / "containers" / part / "redis-ca.pem").read_bytes() == authority
    _, urls = announced(folder / "containers" / "announce")
    urls |= LabFolder(folder / "containers" / "s1").secrets()
    assert {RedisUrl.parse(url).ca_file for url in urls.values()} == {"/lab/redis-ca.pem"}


def test_all_pods_ask_the_sentinels(tmp_path: Path) -> None:
    url = RedisUrl.parse("redis+sentinel://:x@10.0.0.5,10.0.0.6/verona?sentinel_password=y")
    folder = exported(tmp_path / "new", redis=url.text)
    _, urls = announced(folder / "containers" / "announce")
    for part in ("s1", "g1", "fn1"):
        urls |= LabFolder(folder / "containers" / part).secrets()
    found = [RedisUrl.parse(each) for each in urls.values()]
    assert {msgspec.structs.replace(each, user="", password="x") for each in found} == {url}
