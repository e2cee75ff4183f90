"""A load whose workers are on other hosts, in network namespaces: they have only what `xmpplab export load` wrote."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.cli.loadrun import free_port
from tests.live.load_report import load_report
from tests.live.running_lab import XMPPLAB, RunningLab

PATIENCE_S = 120.0


def ip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)


def why_not() -> str:
    """Why there can be no network namespaces; empty: there can."""
    if os.geteuid() or not shutil.which("ip"):
        return "needs root and `ip`, for network namespaces"
    name = f"xmpplab-try-{os.getpid()}"
    made = ip("netns", "add", name)
    ip("netns", "del", name)
    return f"no network namespaces here: {made.stderr.strip()}" if made.returncode else ""


WHY_NOT = why_not()
pytestmark = [pytest.mark.live, pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)]


class Host:
    """A network namespace, on a cable of its own to this host, which is at the other end."""

    def __init__(self, number: int) -> None:
        self.name = f"xl{os.getpid()}-{number}"
        here, there = f"xl{os.getpid()}h{number}"[:15], f"xl{os.getpid()}t{number}"[:15]
        net = f"10.{os.getpid() % 200 + 50}.{number}"
        self.gateway, self.address = f"{net}.1", f"{net}.2"
        self._run("netns", "add", self.name)
        self._run("link", "add", here, "type", "veth", "peer", "name", there, "netns", self.name)
        self._run("address", "add", f"{self.gateway}/24", "dev", here)
        self._run("link", "set", here, "up")
        for device in (there, "lo"):
            self._run("-n", self.name, "link", "set", device, "up")
        self._run("-n", self.name, "address", "add", f"{self.address}/24", "dev", there)
        self._run("-n", self.name, "route", "add", "default", "via", self.gateway)

    def _run(self, *arguments: str) -> None:
        done = ip(*arguments)
        assert done.returncode == 0, done.stderr

    def start(self, folder: Path, command: str) -> subprocess.Popen[str]:
        """A command line of the README, with this Python; of ours, only what is in the folder can be imported."""
        argv = shlex.split(command.replace(".venv/bin/python", sys.executable))
        return subprocess.Popen(
            ["ip", "netns", "exec", self.name, *argv], cwd=folder,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def remove(self) -> None:
        ip("netns", "del", self.name)


@pytest.fixture
def hosts() -> Iterator[list[Host]]:
    made: list[Host] = []
    try:
        for number in (1, 2):
            made.append(Host(number))
        yield made
    finally:
        for host in made:
            host.remove()


class Forwarding:
    """A port at an address of this host, forwarded to a server of the lab."""

    def __init__(self, host: str, to: str) -> None:
        address, _, port = to.rpartition(":")
        self._to = address, int(port)
        self._listening = socket.create_server((host, 0))
        self.address = "{}:{}".format(*self._listening.getsockname())
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return  # it is closed
            server = socket.create_connection(self._to)
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=(one, other), daemon=True).start()

    def _copy(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError), other:
            while data := one.recv(65_536):
                other.sendall(data)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest.fixture
def forwarded(verona: RunningLab, hosts: list[Host]) -> Iterator[dict[str, str]]:
    """Addresses of two domains of the lab that other hosts can reach."""
    domains = ("montague.lit", "capulet.lit")
    made = {
        domain: Forwarding(host.gateway, verona.node(domain)["c2s"])
        for domain, host in zip(domains, hosts, strict=True)
    }
    yield {domain: forwarding.address for domain, forwarding in made.items()}
    for forwarding in made.values():
        forwarding.close()


def test_the_users_are_on_two_other_hosts(
    verona: RunningLab, hosts: list[Host], forwarded: dict[str, str], tmp_path: Path
) -> None:
    one, other = hosts
    targets = [f"--target={domain}" for domain in forwarded]
    at = [f"--at={domain}={address}" for domain, address in forwarded.items()]
    folder = tmp_path / "elsewhere"
    verona.command(
        "export", "load", "chat", "--master", f"{one.gateway}:{free_port()}", *targets, *at, "--into", str(folder)
    )
    assert "secret" not in (folder / ".xmpplab" / "verona" / "plan.json").read_text()  # of the accounts
    master_line, worker_line = re.findall(r"^       (\S.*)$", (folder / "README.md").read_text(), re.M)
    options = "-u 8 -r 8 -t 10s --format json"
    line = f"{master_line.replace('xmpplab', XMPPLAB).replace('expect-workers N', 'expect-workers 2')} {options}"
    with (
        subprocess.Popen(
            ["env", *shlex.split(line)], cwd=verona.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as master,
        one.start(folder, worker_line) as first,
        other.start(folder, worker_line) as second,
    ):  # fmt: skip
        figures, warned = master.communicate(timeout=PATIENCE_S)
        told = [worker.communicate(timeout=PATIENCE_S)[0] for worker in (first, second)]
    assert master.returncode == 0, (warned, told)
    found = load_report(figures)
    assert found.count("login") == 8
    assert found.count("deliver") == found.count("send") > 0
    assert found.failures == []


def test_a_server_on_loopback_is_not_reached_from_elsewhere(verona: RunningLab, tmp_path: Path) -> None:
    into = ("--into", str(tmp_path / "elsewhere"))
    told = verona.command("export", "load", "chat", "--master", "192.0.2.1", *into, exit_code=2)
    assert "which no other host can reach; forward a port of this machine there" in told
    assert "`--at montague.lit=192.0.2.1:5222`" in told
    told = verona.command("export", "load", "--master", "192.0.2.1", "--at", "a.example=192.0.2.1", *into, exit_code=2)
    assert "--at a.example: no domain of lab verona" in told
    assert not (tmp_path / "elsewhere").exists()
