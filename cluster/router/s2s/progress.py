"""How far a stream of another server is (XEP-0198), over its successive connections."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.settled import Settled
from cluster.base.storage import log_failed
from cluster.base.turn import Stage
from cluster.router.s2s.ports import S2sPorts
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.streams.servers.dialback import Pair
from cluster.xmpp.streams.sm import StreamManagement

RETRY_S = 1.0
"""The pause after the storage refused to store a count."""


class Telling(Protocol):
    """The connection of a stream."""

    def tell(self, handled: int) -> None:
        """Tell the peer that `handled` stanzas are safe."""

    def fail(self, error: StreamError) -> None:
        """End the stream with an error; the peer may resume it."""


class Progress:
    """Counts the stanzas that are safe, stores the count, and only then tells the peer, which then forgets them."""

    _log = Logger()

    def __init__(self, management: StreamManagement, pair: Pair, ports: S2sPorts, connection: Telling) -> None:
        self.management = management
        self.pair = pair
        self.connection: Telling | None = connection
        """None while there is none."""
        self.left_s = 0.0
        """When the last connection was lost."""
        self._ports = ports
        self._is_noting = self._is_behind = self._is_broken = False

    @property
    def is_noting(self) -> bool:
        """A count is on its way to the storage: a process that ended now would get its stanzas again."""
        return self._is_noting

    def received(self, count: int, settled: Settled) -> None:
        """`count` more stanzas came, which are safe when `settled` has settled."""
        for _ in range(count):
            self.management.received(settled)
        if settled is None:
            self._note_soon()
        else:
            settled.addCallbacks(self._on_settled, self._on_failed, callbackArgs=(settled,))

    def asked(self) -> None:
        """Answer the peer's request: at once, or when the count that is being stored is stored."""
        if not self._is_noting and self.connection is not None:
            self.connection.tell(self.management.told)

    def resume(self, connection: Telling) -> int:
        """Go on over this connection. Returns how many of the stanzas that the peer sends again came before."""
        self.connection = connection
        management = self.management
        if self._is_broken:
            self._is_broken = False
            self.management = StreamManagement(management.id, management.timeout_s, management.told)
            return 0
        if management.handled != management.told:  # nobody was there to be told
            self._note_soon()
        return management.handled - management.told + management.unsettled_count

    def _on_settled(self, result: Any, settled: Deferred[Any]) -> Any:
        self.management.settled(settled)
        self._note_soon()
        return result

    def _on_failed(self, failure: Failure) -> None:
        """End the stream, since later stanzas would be counted in place of these. The peer sends them again."""
        log_failed(self._log, f"Delivering what came from {self.pair.from_}", failure)
        self._is_broken = True
        if self.connection is not None:
            self.connection.fail(StreamError(StreamCondition.RESOURCE_CONSTRAINT, "the storage is away"))

    def _note_soon(self) -> None:
        if self._is_noting:
            self._is_behind = True
        else:
            self._is_noting = True
            self._ports.turn.soon(self._note, Stage.ACKNOWLEDGE)

    def _note(self) -> None:
        """Store the count after all that this turn and earlier ones have to store (`Turn.kept`)."""
        kept = self._ports.turn.kept()
        if kept is None:
            self._note_kept()
        else:
            kept.addCallback(lambda _: self._ports.turn.add(self._note_kept, Stage.ACKNOWLEDGE))

    def _note_kept(self) -> None:
        management, self._is_behind = self.management, False
        handled = management.handled
        noted = self._ports.counts.note(management.id, self.pair, handled) if management.is_resumable else None
        if noted is None:
            self._on_noted(None, management, handled)
        else:
            noted.addCallbacks(self._on_noted, self._on_not_noted, callbackArgs=(management, handled))

    def _on_noted(self, result: object, management: StreamManagement, handled: int) -> None:
        self._is_noting = False
        if management is self.management and self.connection is not None:
            self.connection.tell(handled)
        if self._is_behind:
            self._note_soon()

    def _on_not_noted(self, failure: Failure) -> None:
        log_failed(self._log, f"Noting how far the stream from {self.pair.from_} is", failure)
        self._ports.clock.callLater(RETRY_S, self._note)
