"""The compose file of a plan: what a person reads, and what the engine is told."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.lab.containers import compose, document
from cluster.lab.containers.engine import explained
from cluster.lab.containers.export import compose_file
from cluster.lab.containers.files import plan_inside
from cluster.topology.load import load
from cluster.topology.resolve import resolve
from tests.live.running_lab import ROOT
from tests.unit.lab.plan import make_plan

EXAMPLES = runpy.run_path(str(ROOT / "docs" / "generate.py"))["COMPOSE"]
LAB = compose.in_lab(make_plan(Path("/lab"), host="127.20.0.1"), "127.20.0.1:16379", "1000:1000")


def parsed(text: str) -> dict[str, Any]:
    return dict(yaml.safe_load(text))


@pytest.mark.parametrize("lab", EXAMPLES)
def test_an_example_is_fresh(lab: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = compose_file(Path("topologies") / f"{lab}.yaml")
    assert (ROOT / "compose" / f"{lab}.yml").read_text() == text, "run `make docs`"


@pytest.mark.parametrize("lab", EXAMPLES)
def test_an_example_is_the_same_from_every_folder(lab: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = ROOT / "topologies" / f"{lab}.yaml"
    assert parsed(compose_file(file)) == parsed((ROOT / "compose" / f"{lab}.yml").read_text())


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
    s1, s2 = plan_inside(plan, "s1").servers
    assert [(peer.domain, peer.host) for peer in s1.s2s_peers] == [("m\u00fcnchen.lit", "xn--mnchen-3ya.lit")]
    names = compose.in_lab(plan, "127.20.0.1:16379", "1000:1000")
    [service] = [each for each in names.services if each.name == s2.name]
    assert any("xn--mnchen-3ya.lit" in aliases for aliases in service.networks.values())
