from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from cluster.topology.plan import Plan, ServerNode
from loadtests import lab

S1 = ServerNode("s1", "montague.lit", "127.0.0.1", 5222, "required", True, ("ping",), ())


def bring_up(folder: Path, name: str, **changes: Any) -> Path:
    """A state folder as `xmpplab up` leaves it."""
    state = folder / ".xmpplab" / name
    state.mkdir(parents=True)
    plan = Plan(name, f"topologies/{name}.yaml", str(state), (S1,))
    plan.save(state / "plan.json")
    if changes:
        raw = json.loads((state / "plan.json").read_bytes())
        raw["servers"][0].update(changes)
        (state / "plan.json").write_text(json.dumps(raw))
    return state


def test_the_only_lab_is_found(tmp_path: Path) -> None:
    state = bring_up(tmp_path, "verona")
    found = lab.find({}, tmp_path)
    assert found.name == "verona"
    assert found.ca_file == state / "ca.pem"
    assert [(s.domain, s.host, s.c2s_port, s.tls) for s in found.servers] == [
        ("montague.lit", "127.0.0.1", 5222, "required")
    ]


def test_the_environment_names_one_of_several(tmp_path: Path) -> None:
    bring_up(tmp_path, "verona")
    state = bring_up(tmp_path, "bench")
    assert lab.find({"XMPPLAB_STATE": str(state)}, tmp_path).name == "bench"
    with pytest.raises(lab.LabUnusable, match=r"several labs in .*\(bench, verona\); set XMPPLAB_STATE"):
        lab.find({}, tmp_path)


def test_no_lab(tmp_path: Path) -> None:
    with pytest.raises(lab.LabUnusable, match="`xmpplab up FILE -d`"):
        lab.find({}, tmp_path)
    with pytest.raises(lab.LabUnusable, match=f"no lab in {tmp_path}; bring one up"):
        lab.find({"XMPPLAB_STATE": str(tmp_path)}, tmp_path)


def test_a_damaged_plan(tmp_path: Path) -> None:
    state = bring_up(tmp_path, "verona", c2s_port="5222")
    with pytest.raises(lab.LabUnusable, match="is damaged"):
        lab.find({"XMPPLAB_STATE": str(state)}, tmp_path)


def test_closed_registration_names_the_key(tmp_path: Path) -> None:
    bring_up(tmp_path, "verona", registration=False)
    with pytest.raises(lab.LabUnusable, match=r"s1 of lab verona .* `registration: open` .* topologies/verona\.yaml"):
        lab.find({}, tmp_path).check()


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        bring_up(tmp_path, "verona", c2s_port=port)
        lab.find({}, tmp_path).check()
    with pytest.raises(lab.LabUnusable, match=rf"s1 .* does not answer at 127\.0\.0\.1:{port} .* `xmpplab up"):
        lab.find({}, tmp_path).check()
