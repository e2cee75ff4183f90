"""A client of the benchmark tells once that it has read something, and says of itself what a server asks."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from cluster.xmpp import element as xml
from cluster.xmpp.extensions import caps
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza
from loadtests.bench.hearer import CAPABLE, TUNE, Hearer
from loadtests.bench.line import Line

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="Line waits by epoll")


class Heard:
    """A client, its server's end of the connection, and what it told."""

    def __init__(self, server: socket.socket, line: Line) -> None:
        self.server, self._line = server, line
        self.hearer = Hearer(line, Jid.parse("ariel@montague.lit/bench"))
        self.count = 0
        self.hearer.on_heard = self._note

    def _note(self) -> None:
        self.count += 1

    def read(self, *pieces: bytes) -> int:
        """The client reads these bytes, one after the other; how often it told."""
        for piece in pieces:
            self.server.sendall(piece)
            self._line.serve(select.EPOLLIN)
        return self.count


@pytest.fixture
def heard() -> Iterator[Heard]:
    client, server = socket.socketpair()
    with client, server, select.epoll() as epoll:
        yield Heard(server, Line(client, epoll))


def test_a_mark_counts_once_wherever_the_bytes_are_cut(heard: Heard) -> None:
    heard.hearer.mark = b"42#"
    assert heard.read(b"<message><body>4", b"1#</body></message><message><body>4") == 0
    assert heard.read(b"2#</body></message>") == 1
    assert heard.read(b"<message><body>42#</body></message>") == 1


def test_its_answer_has_the_hash_of_its_presence(heard: Heard) -> None:
    raw = f"<presence from='ariel@montague.lit/bench'>{CAPABLE}</presence>".encode()
    said = caps.read(Stanza("presence", None, None, None, None, (f"{caps.CAPS} c",), raw))
    assert said is not None
    question = (
        f"<iq type=\"get\" from='prospero@montague.lit' id='q1'><query node='{said.node}' xmlns='{caps.INFO}'/></iq>"
    )
    heard.read(question.encode())
    answer = xml.parse(heard.server.recv(65_536))
    assert (answer.get("type"), answer.get("to"), answer.get("id")) == ("result", "prospero@montague.lit", "q1")
    assert answer[0].get("node") == said.node
    assert caps.is_proved(said, answer[0])
    assert caps.interests(answer[0]) == {TUNE}


def test_it_answers_nothing_else(heard: Heard) -> None:
    heard.read(f"<iq type='result' from='x' id='q1'><query xmlns='{caps.INFO}'/></iq>".encode())
    heard.server.setblocking(False)
    with pytest.raises(BlockingIOError):
        heard.server.recv(1)
