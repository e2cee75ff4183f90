"""Both ends of a client's stream joined in memory, with accounts that have real keys."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cluster.trace.hop import Tracer
from cluster.trace.memory import MemoryJournal
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, STREAMS
from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.events import (
    BindRequested,
    Event,
    KeysWanted,
    Misaddressed,
    PasswordGiven,
    RequestBeforeLogin,
    SessionWanted,
    TlsWanted,
    TokenGiven,
)
from cluster.xmpp.streams.initiating import InitiatingStream
from cluster.xmpp.streams.receiving import ReceivingStream
from cluster.xmpp.streams.sasl2 import Opened
from cluster.xmpp.streams.stream_options import StreamOptions

DOMAIN = "montague.lit"
HEADER = f"<?xml version='1.0'?><stream:stream to='{DOMAIN}' version='1.0' xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>"
BINDINGS = {sasl.EXPORTER: b"exported by TLS 1.3", sasl.END_POINT: b"hash of the certificate"}


def ids(prefix: str = "id") -> Callable[[], str]:
    """Ids that a test can foretell."""
    numbers = itertools.count(1)
    return lambda: f"{prefix}{next(numbers)}"


@lru_cache
def memory_tracer(node: str, clock: Any) -> Tracer:
    """Of a node whose hops nobody reads."""
    return Tracer(node, MemoryJournal(), lambda: 0, lambda: "", 0, clock)


def keys_of(hash_name: str, password: str) -> sasl.Keys:
    """Real keys, derived once."""
    return sasl.make_keys(hash_name, password, b"salt of the tests", 4096)


@dataclass
class Host:
    """Answers what a server's stream asks."""

    passwords: Mapping[str, str] = field(default_factory=lambda: {"romeo": "secret"})
    bindings: Mapping[str, bytes] = field(default_factory=lambda: BINDINGS)
    taken: set[str] = field(default_factory=set)
    """Resources that nobody gets."""

    def answer(self, stream: ReceivingStream, event: Event) -> Event | None:
        """Answer it, if it is a question; the next one that comes of it."""
        match event:
            case TlsWanted():
                stream.tls_started(self.bindings)
            case KeysWanted():
                password = self.passwords.get(event.localpart, "nobody knows this one")
                stream.keys_found(keys_of(event.hash_name, password))
            case PasswordGiven():
                return stream.password_checked(self.passwords.get(event.localpart) == event.password)
            case RequestBeforeLogin():
                stream.request_answered(event.stanza.reply())
            case Misaddressed() if event.stanza.may_be_answered_with_error:
                stream.send(event.stanza.error(event.error))
            case BindRequested():
                resource = event.resource or "chosen"
                if resource in self.taken:
                    stream.bind_refused(StanzaError(Condition.CONFLICT))
                else:
                    stream.bound(Jid(stream.localpart, DOMAIN, resource))
            case TokenGiven():
                known = self.passwords.get(event.localpart) is not None
                return stream.token_checked(b"\xff" if known else sasl.SaslError(sasl.SaslCondition.NOT_AUTHORIZED))
            case SessionWanted():
                self._open(stream, event)
        return None

    def _open(self, stream: ReceivingStream, wanted: SessionWanted) -> None:
        jid = None if wanted.bind is None else Jid(wanted.localpart, DOMAIN, wanted.bind.tag or "chosen")
        if jid is not None and jid.resourcepart in self.taken:
            stream.opening_refused(StanzaError(Condition.RESOURCE_CONSTRAINT))
        else:
            stream.opened(Opened(jid))

    def questions(self, stream: ReceivingStream) -> Iterator[Event]:
        """The events of the stream, which are answered."""
        for event in stream.events():
            next_one: Event | None = event
            while next_one is not None:
                yield next_one
                next_one = self.answer(stream, next_one)


class Peer:
    """A client that says what it is told to say, to a server's stream."""

    def __init__(self, options: StreamOptions, host: Host | None = None) -> None:
        self.stream = ReceivingStream(options, ids())
        self.events: list[Event] = []
        self._host = host or Host()

    def say(self, *sent: str) -> str:
        """What the server answers to all of it."""
        answers = []
        for chunk in sent:
            self.stream.receive_data(chunk.encode())
            self.events += self._host.questions(self.stream)
            answers.append(self.stream.data_to_send())
        return b"".join(answers).decode()


def pump(
    client: InitiatingStream,
    server: ReceivingStream,
    host: Host,
    bindings: Mapping[str, bytes] | None = None,
    middle: Callable[[bytes], Iterable[bytes]] = lambda data: [data],
) -> list[object]:
    """Carry bytes both ways until neither has more to say; what the client's stream told.

    `bindings`: what the client knows of TLS, if not what the host knows; `middle`: what becomes of bytes on the way.
    """
    told: list[object] = []
    while True:
        sent, answered = client.data_to_send(), server.data_to_send()
        if not sent and not answered:
            return told
        for data in middle(sent):
            server.receive_data(data)
            for _ in host.questions(server):
                pass
        for data in middle(answered):
            client.receive_data(data)
            for event in client.events():
                told.append(event)
                if isinstance(event, TlsWanted):
                    client.tls_started(host.bindings if bindings is None else bindings)
