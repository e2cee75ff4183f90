"""The grid: for every two kinds and each way to prove a domain, a lab of two servers, and all scenarios both ways."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Literal

import msgspec

from cluster.kinds import servers
from cluster.lab.api import BadInput, Lab, LabError
from cluster.lab.interop.person import Broken
from cluster.lab.interop.scenarios import SCENARIOS, Sides
from cluster.lab.interop.strangers import STRANGER, verdicts
from cluster.lab.plans import read_plans
from cluster.lab.progress import Tell
from cluster.xmpp.streams.login import StreamFailed

Way = Literal["external", "dialback", "certificates"]
CERTIFICATES: Way = "certificates"
"""In place of a pair: what a server makes of certificates with flaws, which is a table of its own."""
WAYS: dict[Way, str] = {"external": "required", "dialback": "off"}
"""How a server proves its domain, and the `tls` that makes it so: its certificate under TLS (RFC 6120 section 13.7), or
dialback in the clear (XEP-0220)."""
DOMAINS = ("montague.lit", "capulet.lit")


class Cell(msgspec.Struct, frozen=True):
    """One scenario from one server to another."""

    here: str
    """Kind of the server whose client begins; of `certificates`, the domain of the stranger."""
    there: str
    way: str
    scenario: str
    """Of `certificates`: what the certificate is."""
    ok: bool
    remark: str
    """What went wrong, or what is worth knowing."""
    seconds: float


def kinds_to_try() -> list[str]:
    """Those that this machine can run."""
    return [name for name, kind in servers().items() if kind.is_started]


def run(root: Path, kinds: Sequence[str], ways: Sequence[Way], tell: Tell) -> Iterator[Cell]:
    """Try everything, in labs under `root`. Raises BadInput, and LabError where a lab does not come up."""
    for kind in kinds:
        if kind not in kinds_to_try():
            raise BadInput(f"no kind {kind!r} of servers to try (kinds: {', '.join(kinds_to_try())})")
    for way in ways:
        if way == CERTIFICATES:
            for kind in kinds:
                begun_s = time.monotonic()
                for flaw, ok, found in verdicts(root, kind, tell):
                    yield Cell(STRANGER, kind, way, flaw, ok, found, time.monotonic() - begun_s)
            continue
        for pair in combinations_with_replacement(kinds, 2):
            yield from _pair(root, pair, way, tell)


def _pair(root: Path, kinds: tuple[str, str], way: Way, tell: Tell) -> Iterator[Cell]:
    name = f"interop-{kinds[0]}-{kinds[1]}-{way}"
    file = root / f"{name}.yaml"
    file.write_text(topology(name, kinds, way), encoding="utf-8")
    plans = read_plans(file, root)
    lab = Lab.of_plan(plans[0])
    tell(f"{' and '.join(kinds)}, {way}: bringing them up")
    lab.up(plans, tell=tell)
    try:
        first, second = lab.plan.servers
        for here, there in ((first, second), (second, first)):
            yield from _cells(Sides(lab, here, there), way, tell)
            if kinds[0] == kinds[1]:
                break  # the other direction is the same
    finally:
        lab.down()


def _cells(sides: Sides, way: Way, tell: Tell) -> Iterator[Cell]:
    here, there = sides.here.kind, sides.there.kind
    for scenario in SCENARIOS:
        tell(f"{here} → {there}, {way}: {scenario.name}")
        begun_s = time.monotonic()
        try:
            ok, remark = True, scenario.run(sides)
        except (Broken, LabError, StreamFailed, OSError) as error:
            ok, remark = False, str(error)
        yield Cell(here, there, way, scenario.name, ok, remark, time.monotonic() - begun_s)


def topology(name: str, kinds: tuple[str, str], way: Way) -> str:
    """Of two servers; each has a friend, who is the other friend's contact, a stranger, and somebody who is away."""
    lines = [f"name: {name}", f"defaults: {{tls: {WAYS[way]}}}", "servers:"]
    for number, (kind, domain) in enumerate(zip(kinds, DOMAINS, strict=True), 1):
        lines.append(f"  s{number}: {{domain: {domain}, kind: {kind}, rooms: conference.{domain}}}")
    lines += ["links: [{between: [s1, s2], transport: s2s}]", "accounts:"]
    lines.append(f"  friend@{DOMAINS[0]}: {{contacts: [friend@{DOMAINS[1]}]}}")
    lines += [f"  {who}@{domain}:" for who in ("friend", "stranger", "away") for domain in DOMAINS][1:]
    return "\n".join([*lines, ""])
