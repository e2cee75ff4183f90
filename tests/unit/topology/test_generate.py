"""Topologies from `xmpplab generate`: their shapes, and that they are valid and the same each time."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest
import yaml

from cluster.lab.api import read_plans
from cluster.simulation.api import simulate
from cluster.topology.generate import Shape, topology
from tests.unit.cli.shell import Shell, shell

__all__ = ["shell"]

SHAPES: tuple[Shape, ...] = ("ring", "star", "mesh", "tree", "scale-free")


def text(domains: int, users: int, shape: Shape, seed: int = 1) -> str:
    return "\n".join(topology("lab", domains, users, shape, seed)) + "\n"


def links(domains: int, shape: Shape) -> list[tuple[str, str]]:
    document = yaml.safe_load(text(domains, 0, shape))
    assert document.get("mesh", True) is (shape == "mesh")
    return [tuple(link["between"]) for link in document.get("links", ())]


def degrees(domains: int, shape: Shape) -> Counter[str]:
    return Counter(end for link in links(domains, shape) for end in link)


def test_the_links_of_each_shape() -> None:
    assert set(degrees(12, "ring").values()) == {2}
    assert degrees(12, "star")["s1"] == 11
    assert len(links(12, "star")) == len(links(12, "tree")) == 11
    assert max(degrees(40, "tree").values()) == 4, "a parent and three children"
    assert links(12, "mesh") == []


def test_a_few_domains_of_a_scale_free_network_have_most_links() -> None:
    found = degrees(200, "scale-free")
    assert max(found.values()) > 20
    assert sorted(found.values())[100] <= 4


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("domains", [1, 2, 3, 9])
def test_all_domains_are_joined_and_the_file_is_valid(tmp_path: Path, shape: Shape, domains: int) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(text(domains, 2, shape))
    plan = read_plans(file)[0]
    near, new = {"d1.example"}, ["d1.example"]
    while new:
        node = plan.server(new.pop())
        assert node is not None
        more = {each.domain for each in plan.servers if node.is_joined_to(each.domain)} - near
        near |= more
        new += more
    assert len(near) == len(plan.servers) == domains


@pytest.mark.parametrize("shape", SHAPES)
def test_contacts_can_be_reached(tmp_path: Path, shape: Shape) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(text(8, 3, shape))
    plan = read_plans(file)[0]
    for server, account in itertools.chain.from_iterable(
        zip([each] * 3, each.accounts, strict=True) for each in plan.servers
    ):
        assert all(
            server.domain == to or server.is_joined_to(to)
            for to in (contact.jid.partition("@")[2] for contact in account.contacts)
        )


def test_the_same_seed_gives_the_same_file() -> None:
    assert text(9, 3, "scale-free", 5) == text(9, 3, "scale-free", 5) != text(9, 3, "scale-free", 6)


def test_people_of_it_can_be_simulated(shell: Shell, tmp_path: Path) -> None:
    code, out, _ = shell.run("generate", "--domains", "12", "--users", "2", "--shape", "tree", "--name", "woods")
    assert (code, out.splitlines()[0]) == (0, "name: woods")
    file = tmp_path / "woods.yaml"
    file.write_text(out)
    report = simulate(read_plans(file)[0], duration_s=300)
    assert (report.domains, report.people, report.broken) == (12, 24, [])
    assert report.messages.sent > 20


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--name", "No Name"), "No Name"),
        (("--domains", "0"), "greater than or equal to 1"),
        (("--domains", "100", "--users", "1000000"), "accounts are too many: at most 1,000,000; give fewer --users"),
        (("--shape", "cube"), "cube"),
    ],
)
def test_bad_input(shell: Shell, arguments: tuple[str, ...], words: str) -> None:
    code, out, err = shell.run("generate", *arguments)
    assert (code, out) == (2, "")
    assert words in err
