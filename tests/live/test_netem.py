"""Delay and loss by the kernel, in a lab in containers; and a clear line where the kernel has none."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.live.engine import renamed
from tests.live.running_lab import ROOT, RunningLab

pytestmark = [pytest.mark.live, pytest.mark.docker]


@pytest.fixture(scope="module")
def lab(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    topology = renamed(ROOT / "topologies" / "two-domains.yaml", tmp_path_factory.mktemp("topology"))
    lab = RunningLab(tmp_path_factory.mktemp("netem"), topology, "docker")
    try:
        lab.up()
        yield lab
    finally:
        lab.down()


def lacks_netem() -> bool:
    """Whether this kernel was made without; one that may have it as a module is tried."""
    config = Path("/proc/config.gz")
    return config.exists() and b"# CONFIG_NET_SCH_NETEM is not set" in gzip.decompress(config.read_bytes())


@pytest.mark.skipif(not lacks_netem(), reason="this kernel may have netem")
def test_a_kernel_without(lab: RunningLab) -> None:
    shown = lab.command("netem", "s1", "delay", "40ms", "5ms", "loss", "1%", exit_code=1)
    assert "the kernel below this engine has no netem" in shown
    assert "modprobe sch_netem" in shown
    assert "`xmpplab fault`" in shown
    lab.command("trace", "romeo@montague.lit", "juliet@capulet.lit")


@pytest.mark.skipif(lacks_netem(), reason="this kernel was made without netem")
def test_what_a_server_sends_to_other_domains_is_late(lab: RunningLab) -> None:
    """A lower bound: nothing is earlier than the kernel lets it be."""
    assert "delay 300ms" in lab.command("netem", "s1", "delay", "300ms")
    assert crossing_ms(lab) >= 300
    assert "netem" not in lab.command("netem", "s1", "off")


def crossing_ms(lab: RunningLab) -> float:
    hops = json.loads(lab.command("trace", "romeo@montague.lit", "juliet@capulet.lit", "--format", "json"))
    at = {hop["event"]: hop["at_utc_ns"] for hop in hops}
    return float(at["dequeued"] - at["routed"]) / 1e6


def test_it_changes_the_networks_that_are_meant(lab: RunningLab) -> None:
    """A server has one to the router, and its clients are in another; nobody else has clients of his own."""
    assert len(re.findall("^qdisc", lab.command("netem", "s1"), re.MULTILINE)) == 1
    assert len(re.findall("^qdisc", lab.command("netem", "redis"), re.MULTILINE)) == 3
    lab.command("netem", "s1", "off")  # there was none


def test_what_tc_does_not_understand(lab: RunningLab) -> None:
    assert 'What is "dealy"?' in lab.command("netem", "s1", "dealy", "40ms", exit_code=2)
    assert "man tc-netem" in lab.command("netem", "s1", "delay", "soon", exit_code=2)


def test_a_node_that_is_not_there_or_cut_off(lab: RunningLab, engine: docker.DockerClient) -> None:
    assert "(nodes: redis, s1, s2)" in lab.command("netem", "s9", exit_code=2)
    link = engine.networks.get(lab.on_engine("s2.router"))
    link.disconnect(lab.on_engine("s2"))
    try:
        assert "s2 is cut off" in lab.command("netem", "s2", "loss", "1%", exit_code=1)
    finally:
        link.connect(lab.on_engine("s2"))


def test_a_lab_of_processes(tmp_path: Path) -> None:
    lab = RunningLab(tmp_path, ROOT / "topologies" / "two-domains.yaml")
    lab.up()
    try:
        assert "`xmpplab fault` works in every lab" in lab.command("netem", "s1", "loss", "1%", exit_code=2)
    finally:
        lab.down()
