"""Servers that are not ours: what must be there, and what they see of the lab."""

from __future__ import annotations

import sys

import pytest

from cluster.kinds.ejabberd import Ejabberd
from cluster.kinds.external import External
from cluster.kinds.prosody import Prosody
from cluster.lab.containers import compose
from cluster.lab.errors import BadInput, LabError
from cluster.lab.processes import namespace, peer
from cluster.topology.plan import ComponentSeed, Plan, XmpplabServer

SMS = ComponentSeed("sms.montague.lit", "secret")
OURS = XmpplabServer("s1", "montague.lit", "127.16.0.1", 5222, "required", components=(SMS,), peers=("capulet.lit",))
PROSODY = Prosody("s2", "capulet.lit", "127.16.0.2", 5222, "required", peers=("montague.lit",))
EJABBERD = Ejabberd("s3", "escalus.lit", "127.16.0.3", 5222, "required", peers=())
PLAN = Plan("mixed", "mixed.yaml", "/lab", (OURS, PROSODY, EJABBERD), name_server=("127.16.0.255", 5353))


def test_one_line_tells_all_that_is_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.kinds.base.foreign.PATH", "/nowhere")
    with pytest.raises(LabError) as told:
        peer.check(PLAN)
    packages = "prosody lua-unbound lua-event lua-sec ejabberd"
    assert str(told.value) == f"this machine lacks servers of kind prosody, ejabberd: apt-get install {packages}"


def test_nothing_is_asked_of_a_machine_that_runs_only_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.kinds.base.foreign.PATH", "/nowhere")
    monkeypatch.setattr(sys, "platform", "darwin")
    peer.check(Plan("verona", "", "/lab", (OURS, External("s2", "b.lit", "127.16.0.4", 5222, "off"))))
    with pytest.raises(LabError, match="s2 is of kind prosody, which a lab runs on Linux only"):
        peer.check(PLAN)


def test_containers_have_ours_only() -> None:
    with pytest.raises(BadInput, match=r"s2 is of kind prosody, which runs as a process only; use .*--driver process"):
        compose.check_kinds(PLAN)


def test_a_program_sees_every_domain_and_its_components() -> None:
    seen = namespace.hosts(PLAN).decode().splitlines()
    assert "127.0.0.1 localhost" in seen
    assert seen[2:] == [
        "127.16.0.1 montague.lit sms.montague.lit", "127.16.0.2 capulet.lit", "127.16.0.3 escalus.lit"
    ]  # fmt: skip


def test_a_server_sees_those_that_a_link_joins_it_with() -> None:
    assert b"escalus.lit" not in namespace.hosts(PLAN, PROSODY)
    assert b"127.16.0.1 montague.lit" in namespace.hosts(PLAN, PROSODY)
    assert b"montague.lit" not in namespace.hosts(PLAN, EJABBERD)
