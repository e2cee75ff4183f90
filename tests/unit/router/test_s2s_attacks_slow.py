"""Strangers who are slow, silent or never read, over real sockets: they are given up, and hurt nobody else."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cluster.router.s2s.connection import ServerConnection
from cluster.router.s2s.ports import Address
from cluster.streams import connection
from cluster.xmpp.errors import Condition
from tests.harness import PATIENCE_S, ReactorThread
from tests.ports.worlds import CAPULET, MONTAGUE, chat
from tests.unit.router.s2s_sockets import ANSWER, AUTH, OF_MONTAGUE, STANZA, Listener, Server, Stranger
from tests.unit.xmpp.server_streams import HEADER

SHORT_S = 2.0
"""In place of NEGOTIATION_S."""
ENOUGH_BYTES = 64 << 20
"""More than sockets buffer, and than a server should keep for one peer that does not read."""


@pytest.fixture
def capulet(reactor_thread: ReactorThread, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(connection, "CLOSE_TIMEOUT_S", 1.0)
    server = Server(reactor_thread, "required")
    yield server
    server.stop()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where a peer has to run into the limit: one that does not may be slow with its login on a busy machine."""
    monkeypatch.setattr(ServerConnection, "first_timeout_s", SHORT_S)


def logged_in(capulet: Server, folder: Path) -> Stranger:
    """Montague's server."""
    stranger = capulet.stranger()
    stranger.secure(OF_MONTAGUE, folder)
    stranger.say(AUTH, "<success")
    stranger.say(HEADER, "</stream:features>")
    return stranger


def others_are_served(capulet: Server, folder: Path) -> None:
    before = len(capulet.node.delivered)
    logged_in(capulet, folder).say(STANZA)
    capulet.wait(lambda: len(capulet.node.delivered) > before)


def dribble(to: socket.socket, data: bytes) -> None:
    """A byte each fifth of a second; as SHORT_S is a fifteenth of the real limit, that is slow enough."""
    with suppress(OSError):
        for each in data:
            to.sendall(bytes([each]))
            threading.Event().wait(0.2)  # slow is what this is about


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("text", [HEADER, " " * 1_000], ids=["a header", "spaces"])
def test_who_says_a_byte_at_a_time_is_given_up(capulet: Server, tmp_path: Path, text: str) -> None:
    stranger = capulet.stranger()
    slow = threading.Thread(target=dribble, args=(stranger.socket, text.encode()))
    slow.start()
    others_are_served(capulet, tmp_path)
    assert "<connection-timeout" in stranger.read("</stream:stream>")
    slow.join(PATIENCE_S)


@pytest.mark.usefixtures("short")
def test_who_is_dialed_and_answers_a_byte_at_a_time_is_given_up(capulet: Server, tmp_path: Path) -> None:
    ends: list[bytes] = []

    def serve(end: socket.socket) -> None:
        slow = threading.Thread(target=dribble, args=(end, ANSWER.encode()))
        slow.start()
        with suppress(OSError):
            while data := end.recv(65_536):
                ends.append(data)
        ends.append(b"over")
        slow.join(PATIENCE_S)

    listener = Listener(serve)
    capulet.addresses[MONTAGUE] = (Address("127.0.0.1", listener.port),)
    capulet.send("hello")
    others_are_served(capulet, tmp_path)
    capulet.wait(lambda: b"over" in ends)
    listener.close()
    assert b"<connection-timeout" in b"".join(ends)


@pytest.mark.usefixtures("short")
def test_who_never_finishes_the_tls_handshake_is_given_up(capulet: Server, tmp_path: Path) -> None:
    """Its connection stayed for ever: the error could not be written, and Twisted waited for that."""
    stranger = capulet.stranger()
    stranger.say("\x16\x03\x01")
    others_are_served(capulet, tmp_path)
    stranger.socket.settimeout(PATIENCE_S)
    with suppress(ConnectionError):
        while stranger.socket.recv(65_536):
            pass


def written_unread(stranger: Stranger, request: Callable[[int], str]) -> int:
    """Write requests and read no answer, until the server reads no more. Returns how many bytes it has taken."""
    stranger.socket.settimeout(1)
    written = 0
    with suppress(TimeoutError, ssl.SSLError, ConnectionError):
        while written < ENOUGH_BYTES:
            data = "".join(map(request, range(200))).encode()
            stranger.socket.sendall(data)
            written += len(data)
    return written


@pytest.mark.parametrize("is_known", [False, True])
def test_who_asks_and_does_not_read_is_not_read(capulet: Server, tmp_path: Path, is_known: bool) -> None:
    """Each request gets an answer: they must not pile up."""
    if is_known:
        stranger = logged_in(capulet, tmp_path)
    else:
        stranger = capulet.stranger()
        stranger.secure(OF_MONTAGUE, tmp_path)
    verify = f"<db:verify from='{MONTAGUE}' to='{CAPULET}' id='{{}}'>key</db:verify>"
    assert written_unread(stranger, verify.format) < ENOUGH_BYTES
    others_are_served(capulet, tmp_path)


def test_who_is_written_to_over_its_own_stream_and_does_not_read_is_given_up(capulet: Server, tmp_path: Path) -> None:
    """XEP-0288: the server goes on reading while its stanzas wait, or two such servers would wait for each other. What
    it answers meanwhile is bounded."""
    stranger = capulet.stranger()
    stranger.secure(OF_MONTAGUE, tmp_path)
    stranger.say("<bidi xmlns='urn:xmpp:bidi'/>" + AUTH, "<success")
    stranger.say(HEADER, "</stream:features>")
    stranger.say("<enable xmlns='urn:xmpp:sm:3'/>", "<enabled")
    capulet.send("hello")
    stranger.read("</message>")
    assert written_unread(stranger, lambda number: "<r xmlns='urn:xmpp:sm:3'/>") < ENOUGH_BYTES
    capulet.wait(lambda: not capulet.router._incoming.both_ways)
    others_are_served(capulet, tmp_path)


def test_who_is_sent_stanzas_and_does_not_read_gets_a_bounded_number(capulet: Server, tmp_path: Path) -> None:
    """The others' stanzas go on; what waits for this one is bounded by `max_backlog` and MAX_WAITING_BYTES."""
    has_stopped = threading.Event()

    def serve(end: socket.socket) -> None:
        end.recv(65_536)
        dialback = "<dialback xmlns='urn:xmpp:features:dialback'/>"
        end.sendall(f"{ANSWER}<stream:features>{dialback}</stream:features>".encode())
        got = ""
        while "</db:result>" not in got:
            got += end.recv(65_536).decode()
        end.sendall(f"<db:result from='{MONTAGUE}' to='{CAPULET}' type='valid'/>".encode())
        has_stopped.wait(PATIENCE_S)

    listener = Listener(serve)
    capulet.addresses[MONTAGUE] = (Address("127.0.0.1", listener.port),)
    object.__setattr__(capulet.ports, "max_backlog", 500)
    object.__setattr__(capulet.router._options, "tls", "optional")
    body = "x" * 20_000

    async def flood() -> None:
        for number in range(3_000):
            capulet.node.send(chat(f"{number} {body}", "juliet@capulet.lit/balcony", "romeo@montague.lit"))
            if number % 50 == 0:
                await capulet.pause()

    capulet.thread.run(flood)
    capulet.wait(lambda: capulet.node.bounced)
    assert {error.condition for _, error in capulet.node.bounced} == {Condition.REMOTE_SERVER_TIMEOUT}
    assert sum(pair._queue._size_bytes for pair in capulet.router._pairs.values()) < 500 * 22_000
    others_are_served(capulet, tmp_path)
    has_stopped.set()
    listener.close()
    assert re.fullmatch("[0-9]+ x+", capulet.node.bounced[0][0].tree.findtext("{jabber:client}body") or "")
