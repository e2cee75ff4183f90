"""docs/writing-a-kind.md is enough to add a kind: its two files, taken from the page, make one that a user can use."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from tests.live.running_lab import ROOT, XMPPLAB, RunningLab

pytestmark = pytest.mark.live
PAGE = (ROOT / "docs" / "writing-a-kind.md").read_text()
TOPOLOGY = """\
name: clocks
servers: {s1: {domain: montague.lit}}
networks:
  fn1: {kind: daytime, motto: It is}
"""
WITH_THE_NEW_FOLDERS = """\
import cluster.kinds, cluster.networks
cluster.kinds.__path__.append({kinds!r})
cluster.networks.__path__.append({networks!r})
"""


class Lab(RunningLab):
    """Its commands are programs of their own, which read the folders at their start."""

    @override
    def command(self, *arguments: str, exit_code: int = 0) -> str:
        done = subprocess.run([XMPPLAB, *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == exit_code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningLab]:
    """A folder in which every process also knows the kind of the page."""
    paths = {name: str(tmp_path / name) for name in ("kinds", "networks")}
    files = ("kinds/daytime.py", "networks/daytime.py", "kinds/busy.py")
    for name, code in zip(files, re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL), strict=True):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(code)
    (tmp_path / "sitecustomize.py").write_text(WITH_THE_NEW_FOLDERS.format(**paths))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    topology = tmp_path / "clocks.yaml"
    topology.write_text(TOPOLOGY)
    running = Lab(tmp_path, topology)
    yield running
    if (tmp_path / ".xmpplab").exists():
        running.down()


def test_a_kind_of_ones_own(lab: RunningLab) -> None:
    assert lab.command("validate", "clocks.yaml")
    [planned] = json.loads(lab.command("config", "clocks.yaml", "--format", "json"))["networks"]
    assert (planned["kind"], planned["motto"], planned["port"]) == ("daytime", "It is", 2013)
    lab.up()
    assert {node["name"]: (node["kind"], node["state"]) for node in lab.ps()["nodes"]}["fn1"] == ("daytime", "running")
    assert read((planned["host"], 2013)).startswith("It is ")
    assert lab.command("network", "ls") == "fn1 (daytime): told 1; no faults\n"
    lab.command("network", "set", "fn1", "--down")
    with pytest.raises(ConnectionRefusedError):
        read((planned["host"], 2013))
    lab.command("network", "clear", "fn1")
    lab.command("restart", "fn1")
    assert lab.command("network", "ls") == "fn1 (daytime): told 0; no faults\n"
    lab.down()
    assert not (lab.folder / ".xmpplab").exists()


def test_a_kind_of_servers_of_ones_own(lab: RunningLab) -> None:
    lab.topology.write_text("name: clocks\nservers: {s1: {domain: montague.lit}, s2: {domain: x.lit, kind: busy}}\n")
    lab.up()
    node = next(node for node in lab.ps()["nodes"] if node["name"] == "s2")
    assert (node["kind"], node["state"]) == ("busy", "running")
    host, port = node["c2s"].split(":")
    assert "<resource-constraint" in read((host, int(port)))
    assert "somebody comes" in lab.command("logs", "s2")
    lab.command("kill", "s2")
    told = lab.command("check", "x.lit", exit_code=1)
    assert re.search("FAIL +servers +port", told), "it has no streams for other servers"
    lab.down()
    assert not (lab.folder / ".xmpplab").exists()


def test_what_is_wrong_with_its_section_is_told_as_of_any_other(lab: RunningLab) -> None:
    lab.topology.write_text(TOPOLOGY.replace("motto: It is", "phones: {}"))
    told = lab.command("validate", "clocks.yaml", exit_code=2)
    assert "networks.fn1.phones: only a network of kind smsc has phones; delete this key" in told
    lab.topology.write_text(TOPOLOGY.replace("daytime", "daytim"))
    told = lab.command("validate", "clocks.yaml", exit_code=2)
    assert "networks.fn1.kind: 'daytim' is not known; allowed: daytime, mailhost, smsc" in told


def read(address: tuple[str, int]) -> str:
    with socket.create_connection(address, 10) as connection:
        return connection.makefile().read()
