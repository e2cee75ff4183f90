"""The compose file of a plan: what a person reads, and what the engine is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.lab.containers import compose, document, setup
from cluster.lab.containers.engine import explained
from cluster.lab.containers.export import compose_file
from cluster.lab.containers.files import ANNOUNCE, BY_ALIAS, announced, plan_inside
from cluster.lab.containers.files import LAB as LAB_FOLDER
from cluster.lab.errors import BadInput
from cluster.lab.folder import LABS, LabFolder
from cluster.topology.load import load
from cluster.topology.resolve import resolve
from docs.generate import COMPOSE
from tests.live.running_lab import ROOT
from tests.unit.lab import composed
from tests.unit.lab.plan import make_plan

LAB = compose.in_lab(make_plan(Path("/lab"), host="127.20.0.1"), "127.20.0.1:16379", "1000:1000")


def parsed(text: str) -> dict[str, Any]:
    return dict(yaml.safe_load(text))


@pytest.mark.parametrize("lab", COMPOSE)
def test_an_example_is_fresh(lab: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = compose_file(Path("topologies") / f"{lab}.yaml")
    assert (ROOT / "compose" / f"{lab}.yml").read_text() == text, "run `make docs`"


@pytest.mark.parametrize("lab", COMPOSE)
def test_an_example_is_the_same_from_every_folder(lab: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = ROOT / "topologies" / f"{lab}.yaml"
    assert parsed(compose_file(file)) == parsed((ROOT / "compose" / f"{lab}.yml").read_text())


@pytest.mark.parametrize("lab", COMPOSE)
def test_compose_takes_it(lab: str) -> None:
    composed.check(ROOT / "compose" / f"{lab}.yml")


def test_only_ports_for_clients_are_published_by_an_export() -> None:
    services = parsed((ROOT / "compose" / "rfc3920.yml").read_text())["services"]
    inner = [port.rpartition(":")[2] for service in services.values() for port in service.get("ports", ())]
    assert set(inner) == {"5222", "5223", "5281"}


def test_a_topology_that_no_container_can_be_given(tmp_path: Path) -> None:
    """The file needs nothing beside it: the topology is in a variable, which Linux bounds."""
    accounts = "".join(f"  somebody-with-a-long-name-{number}@montague.lit:\n" for number in range(3_000))
    (tmp_path / "lab.yaml").write_text(f"name: x\nservers: {{s1: {{domain: montague.lit}}}}\naccounts:\n{accounts}")
    with pytest.raises(BadInput, match="bytes, and a container of a compose file gets at most 131000"):
        compose_file(tmp_path / "lab.yaml")


def test_a_server_has_its_clients_and_a_way_of_its_own_to_redis() -> None:
    services = parsed(document.text(LAB, ""))["services"]
    assert services["s1"]["networks"] == {"clients": {"aliases": ["montague.lit"]}, "s1.router": {}}
    assert services["s2"]["networks"] == {"clients": {"aliases": ["capulet.lit"]}, "s2.router": {}}
    assert services["redis"]["networks"].keys() == {"redis", "s1.router", "s2.router"}


def test_there_is_no_way_out_of_the_networks_to_redis() -> None:
    networks = parsed(document.text(LAB, ""))["networks"]
    assert {name for name, network in networks.items() if network.get("internal")} == {"s1.router", "s2.router"}


def test_only_loopback_addresses_are_published() -> None:
    services = parsed(document.text(LAB, ""))["services"]
    ports = [port for service in services.values() for port in service["ports"]]
    assert "127.20.0.1:16379:6379" in ports
    assert all(port.startswith("127.") for port in ports)


def test_nodes_may_do_little() -> None:
    for service in parsed(document.text(LAB, ""))["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["user"] == "1000:1000"
        assert "environment" not in service


def test_each_sees_its_own_folder_only() -> None:
    services = parsed(document.text(LAB, ""))["services"]
    assert services["s1"]["volumes"] == ["./containers/s1:/lab:ro"]
    assert services["redis"]["volumes"] == ["./containers/redis:/lab:ro", "./redis:/data"]


def test_a_dollar_is_no_variable() -> None:
    plan = make_plan(Path("/lab"))
    text = document.text(compose.alone(plan, plan, "name: $HOME\n"), "")
    assert parsed(text)["services"]["setup"]["environment"] == {"XMPPLAB_TOPOLOGY": "name: $$HOME\n"}


@pytest.mark.parametrize("text", ["966329e1", "1e3", "0o17", "12", "1.5", ".5E+3"])
def test_a_text_that_looks_like_a_number_is_a_text(text: str) -> None:
    """Compose, kustomize and Kubernetes read YAML 1.2, in which more is a number than in PyYAML's 1.1."""
    assert f"a: '{text}'\n" in document.written([{"a": text}], "")


def test_no_secret_is_an_argument() -> None:
    """Those of every program are shown to every user."""
    plan = make_plan(Path("/lab"))
    for made in (LAB, compose.alone(plan, plan, "the text with its secret\n")):
        for service in parsed(document.text(made, ""))["services"].values():
            assert "secret" not in " ".join(service["command"])


def test_a_name_in_another_script_is_an_alias_that_dns_knows(tmp_path: Path) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text("name: verona\nservers:\n  s1: {domain: müller.lit}\n")
    services = parsed(compose_file(file))["services"]
    assert services["s1"]["networks"]["clients"]["aliases"] == ["xn--mller-kva.lit"]


@pytest.mark.parametrize(
    ("refusal", "remedy"),
    [
        ("driver failed: Bind for 127.0.0.1:5222 failed: port is already allocated", "docker ps"),
        ("listen tcp4 127.0.0.1:5222: bind: address already in use", "ss -ltnp"),
        ("mkdir /var/lib/docker/x: no space left on device", "docker system prune"),
        ("could not find an available, non-overlapping IPv4 address pool among the defaults", "default-address-pools"),
        ("something new", "the engine refused: something new"),
    ],
)
def test_what_the_engine_refuses_is_told_with_the_remedy(refusal: str, remedy: str) -> None:
    assert remedy in explained(refusal)


def test_servers_that_speak_over_streams_find_each_other_by_their_domains(tmp_path: Path) -> None:
    file = tmp_path / "lab.yaml"
    servers = "servers: {s1: {domain: montague.lit}, s2: {domain: m\u00fcnchen.lit}}\n"
    file.write_text(f"name: x\n{servers}links: [{{between: [s1, s2], transport: s2s}}]\n")
    plan = resolve(load(file, ()), file, tmp_path, modules=())
    [s1] = plan_inside(plan, "s1", BY_ALIAS).servers
    assert [(peer.domain, peer.host) for peer in s1.s2s_peers] == [("m\u00fcnchen.lit", "xn--mnchen-3ya.lit")]
    names = compose.in_lab(plan, "127.20.0.1:16379", "1000:1000")
    [service] = [each for each in names.services if each.name == "s2"]
    assert any("xn--mnchen-3ya.lit" in aliases for aliases in service.networks.values())


def test_what_setup_writes_is_what_the_others_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each container has a volume of its own, with a folder that `setup` filled."""
    topology = (ROOT / "topologies" / "rfc3920.yaml").read_text()
    monkeypatch.setenv(compose.TOPOLOGY, topology)
    monkeypatch.setattr("sys.argv", ["setup", str(tmp_path)])
    setup.main()
    containers = tmp_path / LABS / "rfc3920" / "containers"
    file = tmp_path / "rfc3920.yaml"
    file.write_text(topology)
    services = parsed(compose_file(file))["services"]
    read = {name for name, each in services.items() if f"{name}:{LAB_FOLDER}:ro" in each["volumes"]}
    assert read == services.keys() - {"setup"} == {each.name for each in containers.iterdir()}
    plan, urls = announced(containers / ANNOUNCE)
    assert plan.name == "rfc3920"
    assert urls["admin"].endswith("@redis:6379/0")
    assert LabFolder(containers / "s1").plan().servers[0].accounts
