"""Whom one can log in as, as `up` and `ps` show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cluster.cli.how_to_connect import print_how_to_connect
from cluster.lab.api import Lab
from cluster.lab.clients import accounts
from cluster.lab.control.requests import UserLs
from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder
from cluster.topology.scale import with_nodes
from tests.unit.lab.plan import make_plan


def shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], there: dict[str, list[str]]
) -> str:
    """Of a lab whose servers have these accounts; a server that is not among them does not answer."""

    def ask(folder: LabFolder, plan: Any, server: Any, request: object, *more: Any) -> list[str]:
        assert request == UserLs()
        if server.domain not in there:
            raise LabError("no answer")
        return there[server.domain]

    monkeypatch.setattr(accounts, "ask", ask)
    lab = LabFolder(folder / "lab")
    lab.create()
    lab.save_plan(with_nodes(make_plan(lab.path), "s1", 2))
    print_how_to_connect(Lab(lab))
    return capsys.readouterr().out


def test_accounts_are_those_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shown(tmp_path, monkeypatch, capsys, {"montague.lit": [], "capulet.lit": ["juliet", "rosaline"]})
    assert "romeo" not in out
    assert out.count("juliet@capulet.lit") == 1
    assert "juliet@capulet.lit    secret  127.0.0.1:5223\n" in out
    assert "rosaline@capulet.lit  (not in the topology)" in out


def test_a_server_that_does_not_answer_has_those_of_the_topology(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(tmp_path, monkeypatch, capsys, {"capulet.lit": []}).count("romeo@montague.lit") == 1
