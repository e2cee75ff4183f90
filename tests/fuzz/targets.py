"""What may come over a socket, as bytes, and what must be true whatever they are: one function for each layer.

A target raises where its promise is broken. `make fuzz` runs each with bytes that a fuzzer finds,
tests/unit/xmpp/test_fuzz.py with its seeds and with a few random ones.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from xml.etree.ElementTree import XMLPullParser

import msgspec

from cluster import modules
from cluster.xmpp import element as xml
from cluster.xmpp.errors import StreamError
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.limits import FROM_CLIENT
from cluster.xmpp.namespaces import CLIENT, STREAMS
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader, StreamParser
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.events import Closed, Event
from cluster.xmpp.streams.receiving import ReceivingStream
from cluster.xmpp.streams.states import State
from tests.fuzz.dribble import dribble
from tests.fuzz.rooms import rooms
from tests.helpers import HEADER, Host, ids
from tests.network import Network, watched_log
from tests.unit.xmpp.spoken import BINDING, BOUND, LOGGED_IN, OFF, OPEN, OPTIONAL, REQUIRED, UNDER_TLS

MAX_BYTES = 1_000
"""The size limit of a stanza here: soon reached."""
STEP = b"\xff"
"""Ends a step of a conversation: a byte that stands in no UTF-8."""
OPTIONS = (OFF, OPTIONAL, REQUIRED, OPEN)
BEGINNINGS: tuple[tuple[str, ...], ...] = ((), (HEADER,), LOGGED_IN, BINDING, BOUND, UNDER_TLS)
MODULES = modules.load(modules.defaults())
PDA = Jid("romeo", "montague.lit", "pda")


# --- the parser


def parser(data: bytes) -> None:
    """However a stream is cut, and whether its parser rests between the reads: the same is found, and stands alone."""
    found, is_clean = _parsed([data])
    for size in (1, 2, 5, 16):
        chunks = [data[at : at + size] for at in range(0, len(data), size)]
        assert _parsed(chunks) == (found, is_clean)
        assert _parsed(chunks, rests=True) == (found, is_clean)
    header = next((each for each in found if isinstance(each, StreamHeader)), None)
    for child in found:
        if isinstance(child, Slice):
            assert header is not None
            assert len(child.raw) <= MAX_BYTES or header.content_namespace != CLIENT
            context = f"<context xmlns={_quoted(header.content_namespace)} xmlns:stream='{STREAMS}'>".encode()
            tree = xml.parse(child.raw, context)
            assert _spaced(tree.tag) == child.name
            assert {_spaced(key): value for key, value in tree.items()} == child.attributes
            assert tuple(_spaced(payload.tag) for payload in tree) == child.payloads


def _parsed(chunks: Iterable[bytes], rests: bool = False) -> tuple[list[StreamHeader | Slice | StreamEnd], bool]:
    """What is found in them, and whether they end neither with a fault nor with what may still become one."""
    parser, found = StreamParser(msgspec.structs.replace(FROM_CLIENT, max_bytes=MAX_BYTES)), []
    for chunk in chunks:
        try:
            parser.feed(chunk, found)
        except StreamError:
            return found, False
        assert parser.pending_bytes <= MAX_BYTES
        if rests:
            parser.rest()
    return found, not parser.pending_bytes


def _quoted(value: str) -> str:
    return xml.quoteattr(value)


def _spaced(name: str) -> str:
    return " ".join(xml.split(name)).lstrip()


# --- a client's stream


def stream(data: bytes) -> None:
    """At each step of the negotiation: no exception, one end, output that is XML, and stanzas of nobody else.

    The first byte chooses what the server offers and how far the client is; an empty step answers an open question.
    """
    if not data:
        return
    options, before = OPTIONS[data[0] % len(OPTIONS)], BEGINNINGS[data[0] // len(OPTIONS) % len(BEGINNINGS)]
    host, subject, reader = Host(taken={"taken"}), ReceivingStream(options, ids()), Reader()
    questions: list[Event] = []
    closed = 0
    for step in [part for sent in before for part in (sent.encode(), b"")] + data[1:].split(STEP):
        if step or not questions:
            subject.receive_data(step)
        else:
            if (further := host.answer(subject, questions.pop())) is not None:
                closed += isinstance(further, Closed)
                questions += [] if isinstance(further, Closed) else [further]
        for event in subject.events():
            closed += isinstance(event, Closed)
            if isinstance(event, Stanza):
                check_stanza(event, subject.jid)
            elif not isinstance(event, Closed):
                questions.append(event)
        reader.read(subject.data_to_send())
    assert closed <= 1
    assert reader.ended == (subject.state is State.CLOSED)


def check_stanza(stanza: Stanza, sender: Jid | None) -> None:
    """Its bytes are one element, which says what its header says, and names its sender."""
    tree = xml.parse(b"<only>" + stanza.raw + b"</only>")
    assert len(tree) == 1
    assert not tree.text
    assert not tree[0].tail
    root = tree[0]
    assert root.tag == f"{{{CLIENT}}}{stanza.kind}"
    assert root.get("from") == str(sender) == str(stanza.from_)
    assert (root.get("id"), root.get("type")) == (stanza.id, stanza.type)
    assert tuple(_spaced(child.tag) for child in root) == stanza.payloads
    if stanza.to is not None:
        assert Jid.parse(root.get("to", "")) == stanza.to


class Reader:
    """Reads what a server writes, restarts and all. Raises ParseError where it is no XML."""

    def __init__(self) -> None:
        self.ended = False
        self._parser = XMLPullParser(("start", "end"))
        self._depth = 0

    def read(self, data: bytes) -> None:
        """`<?xml` can only begin a stream that is restarted."""
        first, *restarted = data.split(b"<?xml ")
        self._feed(first)
        for again in restarted:
            self._parser, self._depth = XMLPullParser(("start", "end")), 0
            self._feed(b"<?xml " + again)

    def _feed(self, data: bytes) -> None:
        assert not (data and self.ended)
        self._parser.feed(data)
        for event, _ in self._parser.read_events():
            self._depth += 1 if event == "start" else -1
            self.ended = self._depth == 0


# --- a whole server


def server(data: bytes) -> None:
    """What a client says between its login and its end, to its server with all its modules: no failure is logged.

    Each step is a write; after it all, another client of the same server and one of another domain still talk.
    """
    with watched_log() as failures:
        network = Network(loaded=MODULES)
        network.friends("romeo@montague.lit", "juliet@capulet.lit")
        romeo, benvolio = network.client(str(PDA)), network.online("benvolio@montague.lit/hall")
        juliet = network.online("juliet@capulet.lit/balcony")
        for step in data.split(STEP):
            network.say(romeo, step)
            if romeo.is_closed:
                break
        network.forget()
        network.say(benvolio, "<message to='juliet@capulet.lit' id='still there'><body>?</body></message>")
        assert any(stanza.get("id") == "still there" for stanza in juliet.stanzas)
    assert not failures, failures


# --- addresses


def address(data: bytes) -> None:
    """An address that is taken is canonical: written and read again it is the same (RFC 7622)."""
    with contextlib.suppress(JidError, UnicodeDecodeError):
        jid = Jid.parse(data.decode())
        assert Jid.parse(str(jid)) == jid
        assert Jid.parse(str(jid.bare)) == jid.bare


TARGETS: dict[str, Callable[[bytes], None]] = {
    "parser": parser, "dribble": dribble, "stream": stream, "server": server, "rooms": rooms,
    "address": address,
}  # fmt: skip
