"""Stream features as values (RFC 6120 section 4.3.2): one list for each kind of stream serves both of its sides."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cluster.xmpp.element import Element
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.namespaces import STREAMS
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.binding import ResourceBinding
from cluster.xmpp.streams.events import Event, TlsWanted
from cluster.xmpp.streams.login import Bound, Login, LoginExchange, Resumption
from cluster.xmpp.streams.sasl2 import Authenticate
from cluster.xmpp.streams.states import Input, State
from cluster.xmpp.streams.stream_options import StreamOptions


class Fact:
    """What may have been negotiated on a stream, as bits: an operation of `enum.Flag` takes a microsecond."""

    SECURE = 1
    """It runs under TLS."""
    AUTHENTICATED = 2
    """The receiving side has authenticated the initiating side."""
    BOUND = 4
    """Stanzas flow."""
    MANAGED = 8
    """They are counted since the login (XEP-0198 section 6.1)."""


Facts = int
"""Any of them together; 0: nothing."""
NO_BINDINGS: Mapping[str, bytes] = {}
"""Channel bindings of a connection without TLS, or whose negotiation is over."""


class Receiving(Protocol):
    """The receiving side of a stream, on the side of its features."""

    content_namespace: str
    options: StreamOptions
    state: State
    secure: bool
    login: LoginExchange
    binding: ResourceBinding
    inline: Authenticate | None
    """What came with the login under way; None in the SASL profile of RFC 6120."""
    refused_requests: int
    """Requests before the login that got an error."""
    bindings: Mapping[str, bytes]
    """Channel binding data of the TLS connection by type."""

    @property
    def facts(self) -> Facts: ...

    @property
    def has_more(self) -> bool:
        """The peer has sent further input."""

    def move(self, what: Input) -> None:
        """Raises StreamError if the state has no such transition (states.py)."""

    def write(self, data: bytes) -> None: ...

    def ask(self, event: Event) -> Event:
        """Handle nothing more until the event is answered."""

    def end(self, reason: str) -> Event: ...

    def expect_header(self) -> None:
        """The next header of the peer is answered with ours."""

    def accept_login(self, data: str | bytes = "") -> Event | None:
        """The login is accepted, with this data of the mechanism; the next question, if there is one."""


class Initiating(Protocol):
    """The initiating side of a stream, on the side of its features."""

    content_namespace: str
    login: Login
    resumption: Resumption | None
    bindings: Mapping[str, bytes]

    new_id: Callable[[], str]
    """Returns unpredictable ids, for SCRAM nonces."""
    handled_before: int | None
    """How many stanzas the server says it handled on a stream that it does not resume."""

    @property
    def facts(self) -> Facts: ...

    def authenticated(self) -> None:
        """The server has authenticated this side."""

    def write(self, data: bytes) -> None: ...

    def expect(self, step: str, *names: str) -> Generator[None, object, Element]:
        """The next element. Raises StreamFailed, named after the step, if it has none of these names."""

    def restarted(self, event: TlsWanted | None = None) -> Generator[TlsWanted | None, object, Element]:
        """The features after the stream has restarted; with TlsWanted, once TLS is up (RFC 6120 section 4.3.3)."""

    def further_features(self) -> Generator[TlsWanted | None, object, Element]:
        """The features that are on offer now, without a restart."""

    def finish(self, bound: Bound) -> None:
        """The negotiation is over: stanzas flow."""


Steps = Generator[TlsWanted | None, object, Element]
"""A negotiation by the initiating side; it ends with the features that are on offer now."""


@dataclass(frozen=True)
class Feature:
    """One feature: when it is offered, and what each side does with it."""

    name: str
    """Name for messages."""
    needs: Facts = 0
    """Without all of these it is not offered."""
    excludes: Facts = 0
    """With any of these it is no longer offered."""
    offer: Callable[[Receiving], Sequence[Element]] = lambda stream: ()
    """Receiving side: its elements in `<stream:features/>`."""
    is_required: Callable[[Receiving], bool] = lambda stream: False
    """Receiving side: the features after it in the list are not offered before it is negotiated."""
    takes: Mapping[str, Callable[[Receiving, Slice], Event | None]] = field(default_factory=dict)
    """Receiving side: the handlers of elements, by `namespace name` or by namespace."""
    initiate: Callable[[Initiating, Element], Steps | None] = lambda stream, features: None
    """Initiating side: negotiates it, given the offered features; None if it is not offered or not wanted."""

    def handler(self, name: str) -> Callable[[Receiving, Slice], Event | None] | None:
        """The handler of an element of this name on the receiving side."""
        return self.takes.get(name) or self.takes.get(name.partition(" ")[0])

    def is_open(self, facts: Facts) -> bool:
        """Whether it may be negotiated now."""
        return self.needs & facts == self.needs and not self.excludes & facts


@dataclass(frozen=True)
class StreamKind:
    """The part that streams of one kind share."""

    content_namespace: str
    """RFC 6120 section 4.8.2."""
    features: tuple[Feature, ...]
    """In the order in which they are offered and negotiated."""


def on_offer(features: Sequence[Feature], stream: Receiving) -> Iterator[Feature]:
    """The features that the receiving side offers now, in order."""
    facts = stream.facts
    for feature in features:
        if feature.is_open(facts):
            yield feature
            if feature.is_required(stream):
                return


def offered(features: Sequence[Feature], stream: Receiving) -> Element:
    """The `<stream:features/>` of the receiving side."""
    offer = Element(f"{{{STREAMS}}}features")
    for feature in on_offer(features, stream):
        offer.extend(feature.offer(stream))
    return offer


def taking(features: Sequence[Feature], stream: Receiving, name: str) -> Feature | None:
    """The feature that handles an element: one that may be negotiated now, if there is one. Raises StreamError if
    another one has to come first."""
    facts, first, required = stream.facts, None, None
    for feature in features:
        if feature.handler(name) is not None:
            if not feature.is_open(facts):
                first = first or feature
                continue
            if required is not None:
                raise StreamError(
                    StreamCondition.POLICY_VIOLATION, f"{required.name} comes first here (RFC 6120 section 5.3.1)"
                )
            return feature
        if required is None and feature.is_open(facts) and feature.is_required(stream):
            required = feature
    return first


def before_login(child: Slice) -> StreamError:
    """RFC 6120 section 4.9.3.12: no stanza before the login."""
    return StreamError(StreamCondition.NOT_AUTHORIZED, f"{child.name.rpartition(' ')[2]} before the login")


def request_of(stream: Receiving, child: Slice) -> Stanza:
    """An iq of a stream without addresses; old clients send some without an `id`."""
    get = child.attributes.get
    no_id = None if stream.options.strict else ""
    return Stanza("iq", None, None, get("id", no_id), get("type"), child.payloads, child.raw)
