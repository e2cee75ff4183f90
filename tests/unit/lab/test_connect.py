"""Servers that a client program cannot connect to are refused before it starts."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from cluster.lab.clients.connect import connect
from cluster.lab.errors import BadInput
from cluster.lab.folder import LabFolder
from cluster.topology.plan import Plan
from cluster.xmpp.jid import Jid
from tests.unit.lab.plan import make_plan


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabFolder:
    for program in ("dino-im", "kaidan"):
        (tmp_path / program).touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DISPLAY", ":0")
    folder = LabFolder(tmp_path / "lab")
    folder.create()
    return folder


def refusal(folder: LabFolder, plan: Plan, client: str, account: str) -> str:
    with pytest.raises(BadInput) as error:
        connect(folder, plan, client, Jid.parse(account), None)
    return str(error.value)


@pytest.mark.parametrize("client", ["dino", "kaidan"])
def test_a_program_that_needs_tls(folder: LabFolder, client: str) -> None:
    plan = make_plan(folder.path)
    servers = tuple(msgspec.structs.replace(server, tls="off") for server in plan.servers)
    said = refusal(folder, msgspec.structs.replace(plan, servers=servers), client, "romeo@montague.lit")
    assert said == f"{client} connects with TLS only, and montague.lit has `tls: off`; choose another client"


def test_a_program_that_goes_by_names(folder: LabFolder) -> None:
    """Its profile has no place for a port, and only a name server at port 53 can tell it one."""
    plan = make_plan(folder.path)
    said = refusal(folder, plan, "dino", "juliet@capulet.lit")
    assert said == "dino connects to port 5222 only, not to 127.0.0.1:5223; choose another client"
