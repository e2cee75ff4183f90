"""What cannot be simulated is refused at once, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from cluster.lab.api import BadInput
from cluster.simulation.api import simulate
from tests.unit.cli.shell import VERONA, Shell, shell
from tests.unit.simulation.plans import named, written

__all__ = ["shell"]

EXTERNAL = """
name: external
servers:
  s1: {domain: montague.lit}
gateways:
  g1: {kind: sms, domain: sms.montague.lit, server: s1, network: fn1}
networks:
  fn1: {kind: smsc, external: {host: smsc.example, port: 2775, user: romeo, password: secret}}
"""


def test_a_real_network_behind_a_gateway(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="network fn1 is a real one; leave `external` out, so that it is simulated"):
        simulate(written(EXTERNAL, tmp_path), people=2)


def test_a_module_that_cannot_be_loaded(tmp_path: Path) -> None:
    plan = written("name: alone\nservers:\n  s1: {domain: montague.lit}\n", tmp_path)
    with pytest.raises(BadInput, match="no module verse"):
        simulate(replace(plan, servers=tuple(replace(each, modules=("verse",)) for each in plan.servers)), people=2)


def test_nobody_to_play(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no accounts; say how many people there are"):
        simulate(written("name: empty\nservers:\n  s1: {domain: montague.lit}\n", tmp_path))


def test_more_people_than_fit_into_memory() -> None:
    with pytest.raises(
        BadInput, match=r"3 domains with 1,000,000,000 people and [\d,]+ devices need about [\d.]+ GiB of memory"
    ):
        simulate(named("verona"), people=1_000_000_000)


def test_one_seed_and_several(shell: Shell) -> None:
    code, out, err = shell.run("simulate", VERONA, "--seed", "3", "--seeds", "1..2")
    assert (code, out) == (2, "")
    assert "--seed and --seeds exclude each other" in err


@pytest.mark.parametrize("seeds", ["7", "5..1", "1..200000", "a..b"])
def test_what_is_no_range_of_seeds(shell: Shell, seeds: str) -> None:
    code, out, err = shell.run("simulate", VERONA, "--seeds", seeds)
    assert (code, out) == (2, "")
    assert "is no range of seeds; write 1..500" in err


def test_servers_of_other_kinds(shell: Shell) -> None:
    code, out, err = shell.run("simulate", "mixed")
    assert (code, out) == (2, "")
    assert "server s2 is of kind prosody, a program of its own; make it xmpplab" in err
    assert "server s3 is of kind ejabberd, a program of its own; make it xmpplab" in err


def test_a_driver(shell: Shell) -> None:
    code, out, err = shell.run("simulate", VERONA, "--driver", "docker")
    assert (code, out) == (2, "")
    assert "it runs in this process; leave it out, or use `xmpplab verify`" in err
