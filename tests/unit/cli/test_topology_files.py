"""`xmpplab validate` and `init`, and names of included topologies."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.lab.catalogue import topologies
from tests.unit.cli.shell import VERONA, Shell, shell

__all__ = ["shell"]


def test_validate_a_good_file(shell: Shell) -> None:
    code, out, _ = shell.run("validate", VERONA)
    assert (code, out) == (0, f"{VERONA}: lab verona, servers: 3, accounts: 5; valid\n")


def test_validate_a_topology_by_its_name(shell: Shell) -> None:
    code, out, _ = shell.run("validate", "verona")
    assert (code, out) == (0, f"{VERONA}: lab verona, servers: 3, accounts: 5; valid\n")


def test_validate_what_a_topology_and_a_scenario_are_called(shell: Shell) -> None:
    code, out, _ = shell.run("validate", "gateways")
    assert code == 0
    assert [line.split(": ")[1].split()[0] for line in out.splitlines()] == ["lab", "scenario"]


@pytest.mark.parametrize("command", ["up", "config", "graph", "export compose"])
def test_no_topology_of_this_name(shell: Shell, command: str) -> None:
    code, _, err = shell.run(*command.split(), "rfc3921")
    assert code == 2
    assert err.startswith("xmpplab: no file and no topology 'rfc3921'; did you mean 'rfc3920'? allowed: bench, ")


def test_the_name_of_a_file_here_without_its_end(shell: Shell) -> None:
    assert shell.run("init", "my-lab")[0] == 0
    code, _, err = shell.run("up", "my-lab")
    assert (code, err) == (2, "xmpplab: no file and no topology 'my-lab'; did you mean the file my-lab.yaml?\n")


def test_a_folder_of_the_same_name_is_no_topology(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "nodes").mkdir()
    assert shell.run("validate", "nodes")[0] == 0


@pytest.mark.parametrize("from_", sorted(topologies()))
def test_init_writes_a_topology_that_is_valid(shell: Shell, tmp_path: Path, from_: str) -> None:
    code, out, _ = shell.run("init", "my-lab", "--from", from_)
    assert (code, out.split(";")[0]) == (0, "written: my-lab.yaml")
    assert "$schema" not in (tmp_path / "my-lab.yaml").read_text()
    code, out, _ = shell.run("validate", "my-lab.yaml")
    assert code == 0
    assert out.startswith("my-lab.yaml: lab my-lab, ")


def test_init_overwrites_nothing(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "my-lab.yaml").write_text("mine")
    code, _, err = shell.run("init", "my-lab")
    assert (code, err) == (
        2, "xmpplab: my-lab.yaml exists and is not overwritten; choose another name, or remove the file\n"
    )  # fmt: skip
    assert (tmp_path / "my-lab.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("My Lab",), "'My Lab' is not a valid name; allowed: lowercase letters"),
        (("../lab",), "'../lab' is not a valid name"),
        (("lab", "--from", "rfc3921"), "no topology 'rfc3921'; did you mean 'rfc3920'? allowed: bench, "),
    ],
)
def test_init_refuses(shell: Shell, tmp_path: Path, arguments: tuple[str, ...], error: str) -> None:
    code, _, err = shell.run("init", *arguments)
    assert code == 2
    assert err.startswith(f"xmpplab: {error}")
    assert list(tmp_path.iterdir()) == []


def test_validate_shows_every_error(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("name: Bad\nservers:\n  s1: {domian: montague.lit}\n")
    code, out, err = shell.run("validate", "bad.yaml")
    assert (code, out) == (2, "")
    assert err.startswith("xmpplab: bad.yaml is not valid:\nbad.yaml:1:")
    assert "did you mean 'domain'" in err


def test_validate_several_files(shell: Shell, tmp_path: Path) -> None:
    """The good ones are told of; the errors of all others come together."""
    (tmp_path / "bad.yaml").write_text("name: bad\nservers:\n  s1: {domian: montague.lit}\n")
    (tmp_path / "worse.yaml").write_text("name: [\n")
    code, out, err = shell.run("validate", "bad.yaml", "verona", "worse.yaml", "kill-s9")
    assert (code, out) == (2, f"{VERONA}: lab verona, servers: 3, accounts: 5; valid\n")
    for error in ("bad.yaml is not valid:\n", "\nworse.yaml is not valid:\n", "\nno file and no topology or scenario"):
        assert error in err
