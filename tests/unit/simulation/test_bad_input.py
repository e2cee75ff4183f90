"""What cannot be simulated is refused at once, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.lab.api import BadInput
from cluster.simulation.api import simulate
from tests.unit.cli.shell import VERONA, Shell, shell
from tests.unit.simulation.plans import named, written

__all__ = ["shell"]

S2S = """
name: standard
servers:
  s1: {domain: montague.lit}
  s2: {domain: capulet.lit}
links:
  - {between: [s1, s2], transport: s2s}
"""


def test_gateways_and_their_networks() -> None:
    with pytest.raises(BadInput) as refused:
        simulate(named("rfc3920"))
    assert "gateway g1 (sms.montague.lit) has no simulated network; leave it out" in str(refused.value)
    assert "network fn1 is not simulated; leave it out" in str(refused.value)


def test_standard_streams_between_servers(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="server s2 has a link with `transport: s2s`; leave the key out"):
        simulate(written(S2S, tmp_path), people=2)


def test_nobody_to_play(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no accounts; say how many people there are"):
        simulate(written("name: empty\nservers:\n  s1: {domain: montague.lit}\n", tmp_path))


def test_more_people_than_fit_into_memory() -> None:
    with pytest.raises(BadInput, match=r"3 domains with 1,000,000,000 people need about [\d.]+ GiB of memory"):
        simulate(named("verona"), people=1_000_000_000)


@pytest.mark.parametrize("seeds", ["7", "5..1", "1..200000", "a..b"])
def test_what_is_no_range_of_seeds(shell: Shell, seeds: str) -> None:
    code, out, err = shell.run("simulate", VERONA, "--seeds", seeds)
    assert (code, out) == (2, "")
    assert "is no range of seeds; write 1..500" in err
