"""The initiating side of a client's stream (RFC 6120 sections 4 to 7): the login, and then stanzas."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from functools import lru_cache

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.limits import FROM_SERVER
from cluster.xmpp.namespaces import STREAMS
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader, StreamParser
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.streams.events import TlsWanted
from cluster.xmpp.streams.feature import NO_BINDINGS, Fact, Facts, Steps, StreamKind
from cluster.xmpp.streams.features.clients import CLIENTS
from cluster.xmpp.streams.login import Bound, Login, Resumption, StreamFailed, condition_of

_ERROR = f"{STREAMS} error"
_features = lru_cache(maxsize=16)(xml.parse)
"""A server offers the same to all, and who reads it changes nothing."""


class InitiatingStream:
    """A client's stream. Feed it with `receive_data`, drain `events`, write `data_to_send`; then again."""

    def __init__(
        self, login: Login, new_id: Callable[[], str], resumption: Resumption | None = None, kind: StreamKind = CLIENTS
    ) -> None:
        """`new_id` gives unpredictable ids for SCRAM nonces. If a `resumption` is refused, a new resource is bound."""
        self.content_namespace = kind.content_namespace
        self.login = login
        self.resumption = resumption
        self.handled_before: int | None = None
        self.new_id = new_id
        self.bindings: Mapping[str, bytes] = NO_BINDINGS
        self.bound: Bound | None = None
        """The result of the login; None before."""
        self.domain = login.jid.domainpart
        self._features = kind.features
        self._facts: Facts = 0
        self._output: list[bytes] = []
        self._inbox: list[StreamHeader | Slice | StreamEnd] = []  # the next one last
        self._parser = StreamParser(FROM_SERVER)
        self._negotiation: Steps | None = self._negotiate()
        next(self._negotiation)

    @property
    def jid(self) -> Jid | None:
        """The full JID; None before the login is done."""
        return self.bound.jid if self.bound is not None else None

    def receive_data(self, data: bytes) -> None:
        """Handle input. Raises StreamError for what a server must not send."""
        found: list[StreamHeader | Slice | StreamEnd] = []
        try:
            self._parser.feed(data, found)
        finally:
            found.reverse()
            self._inbox[:0] = found

    def events(self) -> Iterator[TlsWanted | Bound | Slice | StreamEnd]:
        """The events of the input; once bound, every child of the stream unchanged. Raises StreamFailed."""
        while self._inbox:
            child = self._inbox.pop()
            if isinstance(child, Slice) and child.name == _ERROR:
                raise StreamFailed("stream", *condition_of(xml.parse(child.raw)))
            if self.bound is not None:
                if not isinstance(child, StreamHeader):
                    yield child
                continue
            if isinstance(child, StreamEnd):
                raise StreamFailed("stream", "closed", "the server ended the stream before the login was done")
            assert self._negotiation is not None
            try:
                event = self._negotiation.send(child)
            except StopIteration:
                self._negotiation = None
                assert self.bound is not None
                yield self.bound
            else:
                if event is not None:
                    yield event

    def data_to_send(self) -> bytes:
        """The bytes to write to the server now."""
        data = b"".join(self._output)
        self._output.clear()
        return data

    def tls_started(self, bindings: Mapping[str, bytes]) -> None:
        """TLS is up; `bindings` is its channel binding data by type."""
        self.bindings = bindings
        self._facts |= Fact.SECURE
        self._open()

    def rest(self) -> None:
        """No input came for a while: free memory until some does."""
        self._parser.rest()

    def end_input(self) -> None:
        """The connection is gone: no more input comes."""
        self._parser.end()

    def close(self) -> None:
        """End our side of the stream."""
        self._output.append(b"</stream:stream>")

    # --- the negotiation: each feature of the list in its turn, until stanzas flow

    def _negotiate(self) -> Steps:
        self._open()
        features = yield from self._read_features()
        for feature in self._features:
            steps = feature.initiate(self, features) if feature.is_open(self._facts) and self.bound is None else None
            if steps is not None:
                features = yield from steps
        return features

    def _open(self) -> None:
        self._parser.end()
        self._parser = StreamParser(FROM_SERVER)
        self._inbox.clear()  # input from before TLS must not count as sent under TLS (RFC 6120 section 5.4.3.3)
        self._output.append(
            f"<?xml version='1.0'?><stream:stream to={quoteattr(self.domain)} version='1.0' "
            f"xmlns='{self.content_namespace}' xmlns:stream='{STREAMS}'>".encode()
        )

    def _read_features(self, event: TlsWanted | None = None) -> Steps:
        child = yield event
        if isinstance(child, StreamHeader):
            child = yield None
        if not isinstance(child, Slice) or child.name != f"{STREAMS} features":
            raise StreamFailed("stream", "no features")
        return _features(child.raw)

    # --- for the features

    @property
    def facts(self) -> Facts:
        """What has been negotiated."""
        return self._facts

    def authenticated(self) -> None:
        """The server has authenticated this side."""
        self._facts |= Fact.AUTHENTICATED

    def write(self, data: bytes) -> None:
        """Queue bytes for the server."""
        self._output.append(data)

    def finish(self, bound: Bound) -> None:
        """The negotiation is over: stanzas flow."""
        self.bound, self.bindings = bound, NO_BINDINGS

    def restarted(self, event: TlsWanted | None = None) -> Steps:
        """The features after the stream has restarted; with TlsWanted, once TLS is up (RFC 6120 section 4.3.3)."""
        if event is None:
            self._open()
        return (yield from self._read_features(event))

    def further_features(self) -> Steps:
        """The features that are on offer now, without a restart (XEP-0388 section 2.6.1)."""
        return (yield from self._read_features())

    def expect(self, step: str, *names: str) -> Generator[None, object, Element]:
        """The next element. Raises StreamFailed, named after the step, if it has none of these names."""
        child = yield None
        if not isinstance(child, Slice):
            raise StreamFailed(step, "no answer")
        tree = xml.parse(child.raw)
        if child.name not in names:
            raise StreamFailed(step, *condition_of(tree))
        return tree
