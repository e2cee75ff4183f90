"""A whole lab, by its command: brought up, looked at, disturbed, and taken down."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest

from cluster.lab.api import Lab
from cluster.lab.folder import LABS, LabFolder
from cluster.lab.plans import read_plans
from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S, Valkey
from tests.live.running_lab import ROOT, XMPPLAB, RunningLab

pytestmark = pytest.mark.live
TOPOLOGY = ROOT / "topologies" / "two-domains.yaml"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[RunningLab]:
    """Two domains; not up yet."""
    lab = RunningLab(tmp_path, TOPOLOGY)
    yield lab
    if (tmp_path / LABS).exists():
        lab.down()


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """Up; a test leaves it as it found it, but for how often its nodes were started anew."""
    yield from RunningLab(tmp_path_factory.mktemp("standing"), TOPOLOGY).while_up()


def state_of(lab: RunningLab) -> LabFolder:
    return LabFolder(lab.folder / LABS / "two-domains")


def pids(lab: RunningLab) -> list[int]:
    """Of all processes of the lab, its supervisor too."""
    supervisor = state_of(lab).holder()
    assert supervisor is not None
    return [supervisor, *(node["pid"] for node in lab.ps()["nodes"])]


def is_running(pid: int) -> bool:
    """A process that has ended may stay in the table (Z) until whoever inherited it looks."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def is_listening(c2s: str) -> bool:
    host, _, port = c2s.rpartition(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def until_node(lab: RunningLab, domain: str, **wanted: Any) -> dict[str, Any]:
    def node() -> dict[str, Any]:
        return lab.node(domain)

    assert wait_until(lambda: wanted.items() <= node().items(), PATIENCE_S), node()
    return node()


def test_up_ps_and_down(lab: RunningLab) -> None:
    lab.up()
    shown = lab.ps()
    assert [(node["name"], node["kind"], node["domain"], node["state"]) for node in shown["nodes"]] == [
        ("redis", "redis", None, "running"),
        ("s1", "server", "montague.lit", "running"),
        ("s2", "server", "capulet.lit", "running"),
    ]
    assert Path(shown["ca_file"]).read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")
    servers = shown["nodes"][1:]
    assert all(is_listening(node["c2s"]) and node["sessions"] == 0 for node in servers)
    running = pids(lab)
    assert all(map(is_running, running))
    lab.down()
    assert not any(map(is_running, running))
    assert not any(is_listening(node["c2s"]) for node in servers)
    assert list(lab.folder.iterdir()) == []


def test_up_twice_changes_nothing(standing: RunningLab) -> None:
    before = pids(standing)
    assert "is up already" in standing.command("up", str(TOPOLOGY), "-d")
    assert "is up already" in standing.command("up", str(TOPOLOGY))
    assert pids(standing) == before


def test_another_topology_of_that_name_is_refused(standing: RunningLab, tmp_path: Path) -> None:
    before = pids(standing)
    other = tmp_path / "other.yaml"
    other.write_text(TOPOLOGY.read_text().replace("capulet.lit", "denmark.lit"))
    assert "xmpplab down" in standing.command("up", str(other), "-d", exit_code=1)
    assert pids(standing) == before


def test_addresses_that_are_taken_are_left_alone(lab: RunningLab) -> None:
    first = read_plans(TOPOLOGY, lab.folder)[0].servers[1]
    with socket.create_server((first.host, first.c2s_port)):
        lab.up()
        assert lab.node("capulet.lit")["c2s"] != first.c2s


def test_a_killed_server_comes_back_and_the_crash_is_shown(standing: RunningLab) -> None:
    before = standing.node("montague.lit")
    os.kill(before["pid"], signal.SIGKILL)
    node = until_node(standing, "montague.lit", restarts=before["restarts"] + 1, state="running")
    assert node["last_exit"] == "signal SIGKILL"
    assert "s1 died (signal SIGKILL)" in standing.command("logs", "s1")
    assert is_listening(node["c2s"])


def test_a_killed_redis_comes_back_and_the_servers_with_it(standing: RunningLab) -> None:
    standing.command("user", "add", "rosaline@capulet.lit", "--password", "secret")
    os.kill(standing.ps()["nodes"][0]["pid"], signal.SIGKILL)
    assert wait_until(lambda: standing.ps()["nodes"][0]["restarts"] == 1, PATIENCE_S)
    assert wait_until(lambda: standing.node("capulet.lit")["sessions"] == 0, PATIENCE_S)
    assert "rosaline@capulet.lit" in standing.command("user", "ls")
    standing.command("user", "del", "rosaline@capulet.lit")


def test_disturbing_a_node(standing: RunningLab) -> None:
    before = standing.node("montague.lit")
    standing.command("kill", "s1")
    node = standing.node("montague.lit")
    assert node["restarts"] == before["restarts"] + 1
    assert (node["last_exit"], node["state"]) == ("signal SIGKILL", "running")
    standing.command("kill", "s1", "--for", "300ms")
    assert standing.node("montague.lit")["state"] == "running"
    assert "write a time such as" in standing.command("kill", "s1", "--for", "3", exit_code=2)
    standing.command("pause", "s2")
    assert standing.node("capulet.lit")["state"] == "paused"
    assert "s2: it is paused" in standing.command("restart", "s2", exit_code=1)
    standing.command("resume", "s2")
    standing.command("restart", "s2")
    assert standing.node("capulet.lit")["state"] == "running"
    assert "(nodes: redis, s1, s2)" in standing.command("kill", "s9", exit_code=2)


def test_nothing_outlives_a_killed_supervisor(lab: RunningLab) -> None:
    lab.up()
    supervisor, *others = pids(lab)
    os.kill(supervisor, signal.SIGKILL)
    assert wait_until(lambda: not any(map(is_running, others)), PATIENCE_S)
    assert {node["state"] for node in lab.ps()["nodes"]} == {"stopped"}
    lab.up()
    assert {node["state"] for node in lab.ps()["nodes"]} == {"running"}


def test_a_hanging_orphan_is_ended_by_down(lab: RunningLab) -> None:
    lab.up()
    supervisor, *_, server = pids(lab)
    os.kill(server, signal.SIGSTOP)
    os.kill(supervisor, signal.SIGKILL)
    lab.down()
    assert not is_running(server)


def test_accounts(standing: RunningLab) -> None:
    assert standing.command("user", "ls").split() == ["romeo@montague.lit", "juliet@capulet.lit"]
    standing.command("user", "add", "rosaline@capulet.lit", "--password", "secret")
    assert "exists already" in standing.command("user", "add", "rosaline@capulet.lit", "--password", "x", exit_code=1)
    assert standing.command("user", "ls", "capulet.lit").split() == ["juliet@capulet.lit", "rosaline@capulet.lit"]
    standing.command("user", "passwd", "rosaline@capulet.lit", "--password", "other")
    with standing.client("rosaline@capulet.lit/ball", password="other") as rosaline:
        rosaline.see("session")
        assert standing.node("capulet.lit")["sessions"] == 1
    standing.command("user", "del", "rosaline@capulet.lit")
    assert "no account rosaline" in standing.command("user", "del", "rosaline@capulet.lit", exit_code=1)
    assert "montague.lit, capulet.lit" in standing.command("user", "add", "a@b.lit", "--password", "x", exit_code=2)


def test_kept_data_are_there_again(lab: RunningLab) -> None:
    lab.up()
    lab.command("user", "add", "rosaline@capulet.lit", "--password", "secret")
    authority = state_of(lab).ca_file.read_bytes()
    lab.command("trace", "romeo", "juliet")
    lab.command("down", "--keep")
    assert {node["state"] for node in lab.ps()["nodes"]} <= {"stopped"}
    assert "it was delivered at juliet@capulet.lit" in lab.command("why", "--from", "romeo", "--to", "juliet")
    assert "is down; bring it up" in lab.command("why", "--follow", "romeo", exit_code=1)
    lab.up()
    assert not state_of(lab).journal.exists()
    assert "it was delivered at juliet@capulet.lit" in lab.command("why", "--from", "romeo", "--to", "juliet")
    assert "rosaline@capulet.lit" in lab.command("user", "ls")
    assert state_of(lab).ca_file.read_bytes() == authority


def test_a_part_that_cannot_start_is_shown_and_nothing_is_left_running(lab: RunningLab) -> None:
    lab.up()
    lab.command("down", "--keep")
    manifest = next(state_of(lab).redis_data.glob("*/*.manifest"))
    manifest.write_text("this is no manifest\n")
    shown = lab.command("up", str(TOPOLOGY), "-d", exit_code=1)
    assert "redis does not start (exit code 1); its last log lines:" in shown
    assert "manifest" in shown
    assert not state_of(lab).is_locked()
    assert manifest.exists()


def test_ctrl_c_leaves_nothing(lab: RunningLab) -> None:
    argv = [XMPPLAB, "up", str(TOPOLOGY)]
    with subprocess.Popen(argv, cwd=lab.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as command:
        assert command.stdout is not None
        for line in command.stdout:
            if "Ctrl-C" in line:
                break
        running = pids(lab)
        command.send_signal(signal.SIGINT)
        assert command.wait(PATIENCE_S) == 0
        assert "its state is removed" in command.stdout.read()
    assert not any(map(is_running, running))
    assert list(lab.folder.iterdir()) == []


def test_an_interrupt_while_the_supervisor_is_started(lab: RunningLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """At that moment it has the lab, and nothing says so yet: whoever took the lab down would end itself."""
    spawn: Any = os.posix_spawn

    def interrupted_spawn(*arguments: Any, **others: Any) -> NoReturn:
        spawn(*arguments, **others)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "posix_spawn", interrupted_spawn)
    plans = read_plans(TOPOLOGY, lab.folder)
    with pytest.raises(KeyboardInterrupt):
        Lab.of_plan(plans[0]).up(plans)
    assert list(lab.folder.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_start_leaves_nothing(lab: RunningLab, number: signal.Signals) -> None:
    with subprocess.Popen([XMPPLAB, "up", str(TOPOLOGY), "-d"], cwd=lab.folder, stderr=subprocess.PIPE) as command:
        assert wait_until(state_of(lab).state_file.exists, PATIENCE_S)
        command.send_signal(number)
        assert command.wait(PATIENCE_S) == 130
    assert list(lab.folder.iterdir()) == []


def test_a_lab_in_an_existing_redis(lab: RunningLab, own_valkey: Valkey) -> None:
    lab.command("up", str(TOPOLOGY), "-d", "--redis", own_valkey.url)
    assert [node["name"] for node in lab.ps()["nodes"]] == ["s1", "s2"]
    assert lab.command("user", "ls").split() == ["romeo@montague.lit", "juliet@capulet.lit"]
    lab.down()
    assert list(own_valkey.admin.scan_iter()) == []
    assert own_valkey.admin.acl_users() == ["default"]


def test_down_says_what_it_leaves_in_a_redis_that_is_away(lab: RunningLab, own_valkey: Valkey) -> None:
    lab.command("up", str(TOPOLOGY), "-d", "--redis", own_valkey.url)
    pids = [node["pid"] for node in lab.ps()["nodes"]]
    own_valkey.kill()
    said = lab.command("down", exit_code=1)
    assert "is down, but its users and keys (xmpplab:" in said
    assert not any(map(psutil.pid_exists, pids))
    assert not (lab.folder / LABS).exists()
    own_valkey.start()


def test_a_redis_that_is_not_there(lab: RunningLab) -> None:
    shown = lab.command("up", str(TOPOLOGY), "-d", "--redis", f"unix://{lab.folder}/nobody.sock", exit_code=1)
    assert "check that it is running" in shown
    assert list(lab.folder.iterdir()) == []


def test_a_bad_topology_starts_nothing(lab: RunningLab) -> None:
    bad = lab.folder / "bad.yaml"
    bad.write_text("name: Bad\nservers:\n  s1: {domian: montague.lit}\n")
    shown = lab.command("up", str(bad), "-d", exit_code=2)
    assert f"{bad}:1:" in shown
    assert f"{bad}:3:" in shown
    assert list(lab.folder.iterdir()) == [bad]
