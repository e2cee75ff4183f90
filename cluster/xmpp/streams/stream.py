"""The base of all streams that a server accepts (RFC 6120 section 4): bytes in, events and bytes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from enum import StrEnum
from typing import ClassVar, Generic, TypeVar

from cluster.xmpp.errors import StreamError
from cluster.xmpp.limits import FROM_CLIENT, Limits
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader, StreamParser
from cluster.xmpp.streams.events import Closed
from cluster.xmpp.streams.stream_error import written

E = TypeVar("E")


class Stream(ABC, Generic[E]):
    """Feed it with `receive_data`, drain `events`, write `data_to_send`; then again.

    While an event waits for its answer, later input is kept and `events` is empty.
    """

    state: StrEnum
    CLOSED: ClassVar[StrEnum]
    """The last of its states."""

    def __init__(self, limits: Limits = FROM_CLIENT) -> None:
        """`limits`: of each stanza of the peer."""
        self._limits = limits
        self._output: list[bytes] = []
        self._header_sent = False
        self._waiting = False
        self._failure: StreamError | None = None
        self.is_over = False
        """Nothing more can come: the peer ended its side too, or its input is unreadable."""
        self._parser = StreamParser(limits)
        self._inbox: list[StreamHeader | Slice | StreamEnd] = []  # the next one last

    def _restart(self) -> None:
        """Forget the input; a new stream header is next."""
        self._parser.end()
        self._parser = StreamParser(self._limits)
        self._inbox.clear()

    def end_input(self) -> None:
        """The connection is gone: no more input comes."""
        self._parser.end()

    def receive_data(self, data: bytes) -> None:
        """Handle input. Errors of the peer become events, after those of earlier input.

        After the end of our own side, input is read only for the peer's closing tag.
        """
        if self._failure:
            return
        found: list[StreamHeader | Slice | StreamEnd] = []
        try:
            self._parser.feed(data, found)
        except StreamError as error:
            self._failure, self.is_over = error, True
        if found and type(found[-1]) is StreamEnd:
            self.is_over = True
        if self.state is not self.CLOSED:
            found.reverse()
            self._inbox[:0] = found

    @property
    def has_unread(self) -> bool:
        """There is unhandled input: it came while an event waits for its answer."""
        return bool(self._inbox)

    def rest(self) -> None:
        """No input came for a while: free memory until some does."""
        self._parser.rest()

    def events(self) -> Iterator[E | Closed]:
        """The events of the input so far, until it is used up or an event waits for its answer."""
        handle, closed = self._handle, self.CLOSED
        while self._inbox and not self._waiting and self.state is not closed:
            try:
                if (event := handle(self._inbox.pop())) is not None:
                    yield event
            except StreamError as error:
                yield self.fail(error)
        if self._failure and not self._waiting and self.state is not closed:
            yield self.fail(self._failure)

    def data_to_send(self) -> bytes:
        """The bytes to write to the peer now."""
        data = b"".join(self._output)
        self._output.clear()
        return data

    def fail(self, error: StreamError) -> Closed:
        """End the stream with an error (RFC 6120 section 4.9)."""
        if self.state is not self.CLOSED:
            self._open_if_needed()
            self._output.append(written(error))
        return self.close(str(error))

    def close(self, reason: str = "") -> Closed:
        """End the stream (RFC 6120 section 4.4), once."""
        if self.state is not self.CLOSED:
            self._open_if_needed()
            self._output.append(b"</stream:stream>")
            self.state = self.CLOSED
        return Closed(reason)

    def _open_if_needed(self) -> None:
        """Write our own stream header, once for each of the peer's; also before an error (RFC 6120 section 4.9.1.2)."""
        if not self._header_sent:
            self._header_sent = True
            self._output.append(self._own_header())

    @abstractmethod
    def _own_header(self) -> bytes: ...

    @abstractmethod
    def _handle(self, child: StreamHeader | Slice | StreamEnd) -> E | Closed | None:
        """The event of this input, or None. Raises StreamError for what the peer must not send."""
