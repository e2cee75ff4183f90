"""A Redis behind TLS, whose certificate is of an authority of its own."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cluster.lab.control.readiness import answers, status_question
from cluster.lab.processes.probe import always, answered
from cluster.lab.provision import ca
from cluster.lab.redis_client import connected
from cluster.redisio.client import RedisUnavailable
from cluster.redisio.keys import Keys
from cluster.redisio.url import with_authority
from tests.unit.lab.plan import make_plan
from tests.unit.redisio.test_client import Lab, own_lab

__all__ = ["own_lab"]


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Path]:
    """A file with the certificate of the authority; the key and certificate of the server are in `server.pem`."""
    ca_pem, issued = ca.issue(datetime.now(UTC), "redis", {"redis": (("redis.example",), "127.0.0.1")})
    (tmp_path / "ca.pem").write_bytes(ca_pem)
    (tmp_path / "server.pem").write_bytes(issued["redis"].certificate + issued["redis"].key)
    return tmp_path / "ca.pem"


class _Front(socketserver.ThreadingTCPServer):
    """TLS in front of the Valkey of the tests, which is built without."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, certificate: Path, behind: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.behind = str(behind)


class _Connection(socketserver.BaseRequestHandler):
    server: _Front

    def handle(self) -> None:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as inner:
            inner.connect(self.server.behind)
            with self.server.context.wrap_socket(self.request, server_side=True) as outer:
                answering = threading.Thread(target=_copy, args=(inner, outer), daemon=True)
                answering.start()
                _copy(outer, inner)
                inner.shutdown(socket.SHUT_RDWR)
                answering.join()


def _copy(from_: socket.socket, to: socket.socket) -> None:
    with suppress(OSError):
        while data := from_.recv(65_536):
            to.sendall(data)


@pytest.fixture
def url(own_lab: Lab, authority: Path) -> Iterator[str]:
    """Of the Valkey, by way of TLS; it says nothing of the authority."""
    with _Front(authority.parent / "server.pem", own_lab.valkey.folder / "redis.sock") as front:
        serving = threading.Thread(target=front.serve_forever, args=(0.01,))
        serving.start()
        yield f"rediss://127.0.0.1:{front.server_address[1]}/0"
        front.shutdown()
        serving.join()


def test_a_server_trusts_the_authority_that_the_url_names(own_lab: Lab, url: str, authority: Path) -> None:
    async def scenario() -> object:
        client = own_lab.client(with_authority(url, str(authority)))
        await client.connect()
        return await client.execute("SET", "k", "x")

    assert own_lab.run(scenario) == b"OK"


def test_a_server_trusts_no_other_authority(own_lab: Lab, url: str) -> None:
    async def scenario() -> None:
        with pytest.raises(RedisUnavailable, match="cannot use Redis at rediss"):
            await own_lab.client(url).connect()

    own_lab.run(scenario)


def test_a_file_without_certificates_is_told(own_lab: Lab, url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        with pytest.raises(RedisUnavailable, match=f"no certificates in {tmp_path}/none.pem"):
            await own_lab.client(with_authority(url, f"{tmp_path}/none.pem")).connect()

    own_lab.run(scenario)


def test_commands_trust_the_same_authority(url: str, authority: Path) -> None:
    with connected(with_authority(url, str(authority))) as admin:
        assert admin.ping()


def test_a_gateway_is_asked_whether_it_is_ready(own_lab: Lab, url: str, authority: Path, tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    keys = Keys.of_lab(plan.name)
    question = status_question(with_authority(url, str(authority)), plan, "sms.montague.lit")
    for _ in range(2):
        own_lab.valkey.admin.rpush(keys.control_reply("sms.montague.lit", "readiness"), '{"ready":true}')
    assert answers(question, 5.0)
    own_lab.run(lambda: answered(always(question), own_lab.reactor))
