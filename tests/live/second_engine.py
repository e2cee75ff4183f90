"""A second machine for the engine of the tests: an engine in a network of its own, joined to the first by a cable."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import docker
from docker.errors import DockerException

from cluster.lab.containers.compose import IMAGE
from cluster.lab.wait import wait_until
from tests.live.engine import lacking, open_sockets_forgiven
from tests.live.figure import PATIENCE_S

FIRST, SECOND = "10.77.0.1", "10.77.0.2"
"""The addresses at both ends of the cable."""

_POOL = "base=10.202.0.0/16,size=24"
"""Of its own networks; the first engine has others (`.ci/engine`)."""


class SecondEngine:
    """The machine, which may be killed."""

    def __init__(self, process: subprocess.Popen[bytes], client: docker.DockerClient) -> None:
        self._process = process
        self.client = client

    def kill(self) -> None:
        """End it with all that runs on it, as a power cut would."""
        self._process.kill()
        self._process.wait()


@contextmanager
def second_engine(first: docker.DockerClient) -> Iterator[SecondEngine]:
    """It has the image of the first one."""
    if not os.environ.get("XMPPLAB_NEEDS_DOCKER"):
        lacking("an engine in a network of its own: bash .ci/engine make test-containers")
    with TemporaryDirectory(prefix="xmpplab-") as folder, _started(Path(folder)) as process:  # short: it has sockets
        try:
            _plug(process)
            client = _answering(process, _url(Path(folder)))
            client.images.load(first.images.get(IMAGE).save(named=True))
            yield SecondEngine(process, client)
            client.close()
        finally:
            process.kill()


def _url(folder: Path) -> str:
    return f"unix://{folder}/docker.sock"


def _started(folder: Path) -> subprocess.Popen[bytes]:
    """When it is killed, all that it has started is, too."""
    daemon = ["dockerd", "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")]
    daemon += ["--pidfile", str(folder / "pid"), "--host", _url(folder), "--default-address-pool", _POOL]
    apart = ["unshare", "--net", "--uts", "--pid", "--mount-proc", "--fork", "--kill-child"]
    disk = f"mkdir {folder}/data; mount -t tmpfs second {folder}/data"  # gone with it
    begin = f"{disk}; ip link set lo up; hostname second; exec {' '.join(daemon)}"
    with (folder / "log").open("wb") as log:
        return subprocess.Popen([*apart, "sh", "-c", begin], stdout=log, stderr=log)


def _plug(process: subprocess.Popen[bytes]) -> None:
    """The cable; it is gone with the second network."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    assert wait_until(lambda: children.read_text().split(), PATIENCE_S)
    [other] = children.read_text().split()
    inside = ["nsenter", "--target", other, "--net"]
    _run(["ip", "link", "add", "cable1", "type", "veth", "peer", "name", "cable2", "netns", other])
    _run(["ip", "address", "add", f"{FIRST}/24", "dev", "cable1"])
    _run(["ip", "link", "set", "cable1", "up"])
    _run([*inside, "ip", "address", "add", f"{SECOND}/24", "dev", "cable2"])
    _run([*inside, "ip", "link", "set", "cable2", "up"])
    _run([*inside, "ip", "route", "add", "default", "via", FIRST])  # the Redis of the tests is there


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def _answering(process: subprocess.Popen[bytes], url: str) -> docker.DockerClient:
    clients: list[docker.DockerClient] = []

    def answers() -> bool:
        assert process.poll() is None, "the second engine ended at its start"
        with suppress(DockerException), open_sockets_forgiven():
            clients.append(docker.DockerClient(base_url=url))  # it asks for the version
        return bool(clients)

    assert wait_until(answers, PATIENCE_S)
    return clients[0]
