"""Whom a command means: an address, or a name that is unique in the lab."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cluster.lab.checking.check import Check
from cluster.lab.clients import accounts
from cluster.lab.clients.names import account_of, server_of
from cluster.lab.errors import BadInput, LabError
from cluster.lab.folder import LabFolder
from cluster.lab.plans import read_plans
from cluster.topology.plan import Plan
from cluster.topology.scale import with_nodes

ROOT = Path(__file__).parents[3]
FOLDER = LabFolder(Path("/lab"))


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The figure of RFC 3920, with two nodes for a domain."""
    return with_nodes(read_plans(ROOT / "topologies" / "rfc3920.yaml", Path("/"))[0], "s1", 2)


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The accounts that the servers of the lab have, by domain; others do not answer."""
    there: dict[str, list[str]] = {}

    def ask(folder: LabFolder, plan: Plan, server: object, *more: object) -> list[str]:
        domain = server.domain
        if domain not in there:
            raise LabError("no answer")
        return there[domain]

    monkeypatch.setattr(accounts, "ask", ask)
    return there


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("romeo", "romeo@montague.lit"),
        ("juliet/balcony", "juliet@capulet.lit/balcony"),
        ("juliet@capulet.lit/a@b", "juliet@capulet.lit/a@b"),
        ("fc1", "+393331234567@sms.montague.lit"),
        ("somebody@elsewhere.example", "somebody@elsewhere.example"),
        ("rosaline", "rosaline@capulet.lit"),
    ],
)
def test_who_is_meant(plan: Plan, added: dict[str, list[str]], text: str, meant: str) -> None:
    added["capulet.lit"] = ["juliet", "rosaline"]
    assert str(account_of(FOLDER, plan, text)) == meant


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tybalt", "no account, phone or mailbox 'tybalt' in this lab"),
        ("", "write an address such as"),
        ("capulet.lit", "write an address such as romeo@capulet.lit"),
        ("tybalt/", "no account, phone or mailbox 'tybalt' in this lab"),
        ("romeo/", "write an address such as"),
        ("rosaline", "'rosaline' is ambiguous: rosaline@montague.lit or rosaline@capulet.lit; write the full address"),
    ],
)
def test_who_cannot_be_meant(plan: Plan, added: dict[str, list[str]], text: str, told: str) -> None:
    added |= {"montague.lit": ["rosaline"], "capulet.lit": ["rosaline"]}
    with pytest.raises(BadInput) as refused:
        account_of(FOLDER, plan, text)
    assert told in str(refused.value)


@pytest.mark.parametrize("typed", ["capulet.lit", "CAPULET.lit."])
def test_a_domain_is_found_as_it_is_typed(plan: Plan, typed: str) -> None:
    assert server_of(plan, typed).name == "s2"
    Check(FOLDER, plan, typed)
    Check(FOLDER, plan, f"SMS.{plan.servers[0].domain}")


@pytest.mark.parametrize("typed", ["", "..", "x@capulet.lit", "elsinore.lit"])
def test_a_domain_that_nobody_serves_is_told_with_those_that_are_each_once(plan: Plan, typed: str) -> None:
    for find in (server_of, lambda plan, domain: Check(FOLDER, plan, domain)):
        with pytest.raises(BadInput, match=re.escape("(domains: montague.lit, capulet.lit)")):
            find(plan, typed)
