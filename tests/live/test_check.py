"""`xmpplab check`: a domain as another server and a client meet it; here one that a test plays (`kind: external`)."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loadtests.bench.certificate import write_certificate
from tests.live.running_lab import RunningLab

pytestmark = pytest.mark.live

TOPOLOGY = """\
name: ext
servers:
  s1: {domain: montague.lit}
  s2: {domain: capulet.lit, kind: external}
"""
HEADER = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
    "from='capulet.lit' id='1' version='1.0'>"
)
STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
EXTERNAL = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms>"
REFUSED = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/><text>whoever you are</text></failure>"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    folder = tmp_path_factory.mktemp("ext")
    (folder / "ext.yaml").write_text(TOPOLOGY)
    yield from RunningLab(folder, folder / "ext.yaml").while_up()


def state(lab: RunningLab) -> Path:
    return lab.folder / ".xmpplab" / "ext"


@contextmanager
def played(lab: RunningLab, play: Callable[[socket.socket], None]) -> Iterator[None]:
    """Somebody takes one connection where s2 is to listen."""
    plan = json.loads((state(lab) / "plan.json").read_text())
    host = next(server["host"] for server in plan["servers"] if server["name"] == "s2")

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            play(connection)

    with socket.create_server((host, 5269)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join(20)
        assert not thread.is_alive()


def features(*offered: str) -> bytes:
    return f"{HEADER}<stream:features>{''.join(offered)}</stream:features>".encode()


def with_certificate(certificate: Path, key: Path, then: Callable[[ssl.SSLSocket], None]) -> Callable[..., None]:
    def play(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(features(STARTTLS))
        connection.recv(4096)
        connection.sendall(PROCEED.encode())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        try:
            with context.wrap_socket(connection, server_side=True) as secured:
                then(secured)
        except (ssl.SSLError, ConnectionError):
            pass  # it was refused

    return play


def failed(lab: RunningLab) -> tuple[str, str, str]:
    said = lab.command("check", "capulet.lit", "--format", "json", exit_code=1)
    steps = json.loads(said.partition("xmpplab: ")[0])  # the error follows it
    assert [step["ok"] for step in steps[:-1]] == [True] * (len(steps) - 1)
    assert steps[-1]["remedy"]
    return steps[-1]["side"], steps[-1]["name"], steps[-1]["found"]


def test_a_server_of_ours_among_ours(lab: RunningLab) -> None:
    said = lab.command("check", "montague.lit")
    assert "FAIL" not in said
    assert "SASL         SCRAM-SHA-256-PLUS" in said
    assert "EXTERNAL     capulet.lit logs in with its certificate" in said


def test_nobody_listens(lab: RunningLab) -> None:
    assert failed(lab)[:2] == ("servers", "port")


def test_no_starttls(lab: RunningLab) -> None:
    def play(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(features(EXTERNAL))
        connection.recv(4096)

    with played(lab, play):
        assert failed(lab) == ("servers", "STARTTLS", "STARTTLS is not on offer")


def test_a_certificate_of_somebody_else(lab: RunningLab) -> None:
    play = with_certificate(state(lab) / "s1.pem", state(lab) / "s1.key", lambda secured: None)
    with played(lab, play):
        assert failed(lab) == ("servers", "certificate", "the certificate is for montague.lit")


def test_a_certificate_that_nobody_signed(lab: RunningLab, tmp_path: Path) -> None:
    write_certificate(tmp_path, ["capulet.lit"])
    with played(lab, with_certificate(tmp_path / "cert.pem", tmp_path / "key.pem", lambda secured: None)):
        side, name, found = failed(lab)
        assert (side, name) == ("servers", "TLS")
        assert found.startswith("the certificate is refused: self")


def test_the_login_is_refused_in_its_own_words(lab: RunningLab) -> None:
    def play(secured: ssl.SSLSocket) -> None:
        secured.recv(4096)
        secured.sendall(features(EXTERNAL))
        secured.recv(4096)
        secured.sendall(REFUSED.encode())
        secured.recv(4096)

    with played(lab, with_certificate(state(lab) / "s2.pem", state(lab) / "s2.key", play)):
        expected = "it answered failure: not-authorized whoever you are"
        assert failed(lab) == ("servers", "EXTERNAL", expected)


def test_a_domain_of_nobody(lab: RunningLab) -> None:
    assert "no server of this lab serves 'example.com'" in lab.command("check", "example.com", exit_code=2)
