"""Two labs that find each other by DNS only (`resolver: system`), as servers on the public network do."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
from twisted.names import dns

from cluster.lab.folder import LabFolder
from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.running_lab import TIMEOUT_S, XMPPLAB, RunningLab

pytestmark = pytest.mark.live
NAME_SERVER = "127.53.53.53"
LABS = {
    "verona": "servers: {s1: {domain: montague.lit, s2s_direct_tls_port: 5270}}\naccounts: {romeo@montague.lit: }",
    "elsinore": "servers: {s1: {domain: denmark.lit, s2s_port: 6269}}\naccounts: {hamlet@denmark.lit: }",
}


class Relay:
    """The name server of this machine, on port 53: asks those of the labs, one after the other."""

    def __init__(self) -> None:
        self.labs: list[tuple[str, int]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((NAME_SERVER, 53))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with suppress(OSError):  # closed
            while True:
                question, client = self._socket.recvfrom(512)
                self._socket.sendto(self._answer(question), client)

    def _answer(self, question: bytes) -> bytes:
        answer = question
        for lab in self.labs:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                asking.settimeout(PATIENCE_S)
                asking.sendto(question, lab)
                answer = asking.recv(512)
            if answer[3] & 15 != dns.ENAME:
                break
        return answer

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, RunningLab]]:
    """Started where the machine's name server is the relay: in a mount namespace."""
    folder = tmp_path_factory.mktemp("labs")
    resolv = folder / "resolv.conf"
    resolv.write_text(f"nameserver {NAME_SERVER}\n")
    inside = ["unshare", "-m", "sh", "-c", f'mount --bind {resolv} /etc/resolv.conf && exec "$@"', "sh"]
    try:
        subprocess.run([*inside, "true"], check=True, capture_output=True, timeout=PATIENCE_S)
        relay = Relay()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs root, for a mount namespace and port 53: {error}")
    started: dict[str, RunningLab] = {}
    try:
        for name, text in LABS.items():
            (folder / name).mkdir()
            topology = folder / name / f"{name}.yaml"
            topology.write_text(f"name: {name}\nresolver: system\n{text}\n")
            lab = started[name] = RunningLab(folder / name, topology)
            up = [*inside, XMPPLAB, "up", str(topology), "-d"]
            done = subprocess.run(up, cwd=lab.folder, capture_output=True, check=False, timeout=TIMEOUT_S)
            assert done.returncode == 0, done.stderr
            name_server = LabFolder(lab.folder / ".xmpplab" / name).plan().name_server
            assert name_server is not None
            relay.labs.append(name_server)
        yield started
    finally:
        for lab in started.values():
            lab.down()
        relay.close()


def test_their_people_write_to_each_other(labs: dict[str, RunningLab]) -> None:
    verona, elsinore = labs["verona"], labs["elsinore"]
    with verona.client("romeo@montague.lit") as romeo, elsinore.client("hamlet@denmark.lit") as hamlet:
        for client in (romeo, hamlet):
            client.see("session")
            client.do("presence")
        romeo.do("message", to="hamlet@denmark.lit", body="What, ho!")
        hamlet.see("message", body="What, ho!")
        hamlet.do("message", to="romeo@montague.lit", body="The rest is silence")
        romeo.see("message", body="The rest is silence")
    told = "stream to montague.lit: dialback, direct TLS"  # neither trusts the other's CA
    assert wait_until(lambda: told in elsinore.command("logs", "s1"), PATIENCE_S)
    assert "stream to denmark.lit: dialback, TLS" in verona.command("logs", "s1")


def test_a_domain_that_no_dns_knows_does_not_exist(labs: dict[str, RunningLab]) -> None:
    said = labs["verona"].command("send", "romeo@montague.lit", "yorick@nowhere.lit", "x", exit_code=1)
    assert "remote-server-not-found" in said
