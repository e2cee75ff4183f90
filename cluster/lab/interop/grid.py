"""The grid: for every two kinds and each way to prove a domain, a lab of two servers, and all scenarios both ways."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations_with_replacement
from pathlib import Path
from typing import NamedTuple

from cluster.kinds import servers
from cluster.lab.api import BadInput, Lab, LabError
from cluster.lab.interop import strangers
from cluster.lab.interop.cell import Cell, Outcome, Way, one_line, tried
from cluster.lab.interop.conduct import MISCONDUCT, Misconduct, Stage
from cluster.lab.interop.exchange import Exchange
from cluster.lab.interop.scenarios import SCENARIOS
from cluster.lab.interop.sides import Scenario, Sides
from cluster.lab.plans import read_plans
from cluster.lab.progress import Tell
from cluster.lab.provision.ca import FLAWS
from cluster.topology.plan import ServerNode


class Proof(NamedTuple):
    """How two servers meet, as settings of the topology."""

    tls: str
    transport: str = "s2s"
    defaults: str = ""


PROOFS: dict[Way, Proof] = {
    "external": Proof("required"),
    "dialback": Proof("off"),
    "bidi": Proof("required", transport="bidi"),
    "direct-tls": Proof("required", defaults=", s2s_direct_tls_port: 5270"),
}
"""Certificates under TLS (RFC 6120 section 13.7), or dialback in the clear (XEP-0220); certificates on one stream for
both directions (XEP-0288), or on streams that begin with TLS (XEP-0368). Where a server cannot do one of the last two,
the first is what happens."""
CERTIFICATES: Way = "certificates"
"""Instead of a pair of servers: whether a server accepts certificates with flaws. It has its own table."""
CONDUCT: Way = "conduct"
"""Instead of a pair of servers: what a server makes of another one that misbehaves. It has its own table, too."""
WAYS: tuple[Way, ...] = (*PROOFS, CERTIFICATES, CONDUCT)
DOMAINS = ("montague.lit", "capulet.lit")
VALIDATION = "RFC 6120 section 13.7.2"
"""Of certificates."""
_SECTIONS = re.compile(r"\((.*)\)$")


def kinds_to_try() -> list[str]:
    """The kinds of servers that a lab can start."""
    return [name for name, kind in servers().items() if kind.is_started]


class _Part(NamedTuple):
    """What one lab is for."""

    kinds: tuple[str, ...]
    """Two, or one that a stranger meets."""
    way: Way

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Whose client begins, and the other server."""
        if len(self.kinds) == 1:
            return [(strangers.STRANGER, self.kinds[0])]
        first, second = self.kinds
        return [(first, second)] if first == second else [(first, second), (second, first)]

    @property
    def scenarios(self) -> list[tuple[str, str]]:
        """Name and section of each column."""
        if self.way == CERTIFICATES:
            return [(flaw, VALIDATION) for flaw in (strangers.GOOD, *FLAWS)]
        return [(each.name, section(each.rule)) for each in (MISCONDUCT if self.way == CONDUCT else SCENARIOS)]


def _parts(kinds: Sequence[str], ways: Sequence[Way]) -> Iterator[_Part]:
    for way in ways:
        for each in combinations_with_replacement(kinds, 2 if way in PROOFS else 1):
            yield _Part(each, way)


def count(kinds: Sequence[str], ways: Sequence[Way]) -> int:
    """How many cells `run` yields."""
    return sum(len(part.rows) * len(part.scenarios) for part in _parts(kinds, ways))


def run(root: Path, kinds: Sequence[str], ways: Sequence[Way], tell: Tell) -> Iterator[Cell]:
    """Try everything, in labs under `root`; the cells of a lab that does not come up fail. Raises BadInput."""
    for kind in kinds:
        if kind not in kinds_to_try():
            raise BadInput(f"no kind {kind!r} of servers to try (kinds: {', '.join(kinds_to_try())})")
    for part in _parts(kinds, ways):
        left = [(*row, *scenario) for row in part.rows for scenario in part.scenarios]
        try:
            for cell in _pair(root, part, tell) if part.way in PROOFS else _alone(root, part, tell):
                del left[0]
                yield cell
        except LabError as error:
            for here, there, scenario, rule in left:
                yield Cell(here, there, part.way, scenario, False, one_line(f"no lab: {error}"), 0.0, "unknown", rule)


def _alone(root: Path, part: _Part, tell: Tell) -> Iterator[Cell]:
    (kind,), way, stranger = part.kinds, part.way, strangers.STRANGER
    with strangers.lab_with_stranger(root, kind, tell) as lab:
        if way == CERTIFICATES:
            for flaw in (strangers.GOOD, *FLAWS):
                tell(f"{kind}: a certificate that is {flaw}")
                run = partial(strangers.tried, lab, flaw)
                yield tried(lab, stranger, kind, way, flaw, VALIDATION, run)
            return
        for each in MISCONDUCT:
            tell(f"{kind}: {each.name}")
            yield tried(lab, stranger, kind, way, each.name, section(each.rule), partial(_misconduct, lab, each))


def _misconduct(lab: Lab, misconduct: Misconduct, exchange: Exchange) -> Outcome:
    return True, misconduct.run(Stage(lab, exchange))


def _pair(root: Path, part: _Part, tell: Tell) -> Iterator[Cell]:
    kinds, way = part.kinds, part.way
    name = f"interop-{kinds[0]}-{kinds[1]}-{way}"
    file = root / f"{name}.yaml"
    file.write_text(topology(name, kinds, way), encoding="utf-8")
    plans = read_plans(file, root)
    lab = Lab.of_plan(plans[0])
    tell(f"{' and '.join(kinds)}, {way}: bringing them up")
    lab.up(plans, tell=tell, owner=os.getpid())
    try:
        first, second = lab.plan.servers
        for here, there in ((first, second), (second, first))[: len(part.rows)]:
            yield from _cells(lab, here, there, way, tell)
    finally:
        lab.down()


def _cells(lab: Lab, here: ServerNode, there: ServerNode, way: Way, tell: Tell) -> Iterator[Cell]:
    for each in SCENARIOS:
        tell(f"{here.kind} → {there.kind}, {way}: {each.name}")
        run = partial(_scenario, lab, here, there, each)
        yield tried(lab, here.kind, there.kind, way, each.name, section(each.rule), run)


def _scenario(lab: Lab, here: ServerNode, there: ServerNode, scenario: Scenario, exchange: Exchange) -> Outcome:
    return True, scenario.run(Sides(lab, here, there, exchange))


def section(rule: str) -> str:
    """The sections at the end of a rule."""
    found = _SECTIONS.search(rule)
    return found[1] if found else rule


def topology(name: str, kinds: Sequence[str], way: Way) -> str:
    """Two servers, each with three accounts: `friend`, a contact of the other `friend`, `stranger` and `away`."""
    proof = PROOFS[way]
    lines = [f"name: {name}", f"defaults: {{tls: {proof.tls}{proof.defaults}}}", "servers:"]
    for number, (kind, domain) in enumerate(zip(kinds, DOMAINS, strict=True), 1):
        lines.append(f"  s{number}: {{domain: {domain}, kind: {kind}, rooms: conference.{domain}}}")
    lines += [f"links: [{{between: [s1, s2], transport: {proof.transport}}}]", "accounts:"]
    lines.append(f"  friend@{DOMAINS[0]}: {{contacts: [friend@{DOMAINS[1]}]}}")
    lines += [f"  {who}@{domain}:" for who in ("friend", "stranger", "away") for domain in DOMAINS][1:]
    return "\n".join([*lines, ""])
