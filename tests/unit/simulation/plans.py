"""Plans of topologies, for simulations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cluster.lab.api import read_plans
from cluster.topology.plan import Plan
from tests.live.running_lab import ROOT

TWO_NODES = """
name: pair
servers:
  s1: {domain: montague.lit, nodes: 2}
  s2: {domain: capulet.lit}
"""
MIXED = """
name: mixed
servers:
  s1: {domain: montague.lit, rooms: conference.montague.lit, nodes: 2}
  s2: {domain: capulet.lit}
gateways:
  g1: {kind: sms, domain: sms.montague.lit, server: s1, network: fn1}
  g2: {kind: mail, domain: mail.montague.lit, server: s1, network: fn2}
networks:
  fn1: {kind: smsc, phones: {fc1: '+393331234561'}}
  fn2: {kind: mailhost, mailboxes: {fc6: friar@abbey.example}}
population:
  arrival: 5s
  session: 1m
  absence: 20s
  devices: ['20%', '50%', '30%']
  conversation: 15s
  breaks: 1m
  roaming: 1m
  rooms: 1
  visit: 30s
  remark: 8s
  sms: 30%
  mail: 30%
"""
"""All that people can do."""
LATER = ("lost its power", "the clock of", "the disk of", "slower", "was down")
"""Words of the kinds of troubles that are no crashes, pauses and cuts."""
LOSSY = """
name: lossy
servers:
  s1: {domain: montague.lit}
  s2: {domain: capulet.lit}
links:
  - {between: [s1, s2], loss: 20%, delay: 40ms}
"""


def named(name: str) -> Plan:
    """Of a topology that is included."""
    return read_plans(ROOT / "topologies" / f"{name}.yaml")[0]


def written(text: str, folder: Path) -> Plan:
    """Of this topology."""
    file = folder / "topology.yaml"
    file.write_text(text)
    return read_plans(file)[0]


class Silent:
    """Nobody looks at the progress of a run."""

    def show(self, now_s: float, sent: int, arrived: int, doing: Sequence[str]) -> None:
        """See `Observer`."""

    def end(self) -> None:
        """See `Observer`."""
