"""The receiving end of one link: entries of a Redis stream become stanzas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.storage import log_failed
from cluster.redisio.protocol import Reply
from cluster.router.entry_id import EntryId
from cluster.router.fence import Marks, passed, read_marks
from cluster.router.reader import OpenSink

if TYPE_CHECKING:
    from cluster.router.inbound import Inbound

READ_COUNT = 64
"""Entries of one read."""
FIRST_READ_COUNT = 8
READ_BYTES = 1 << 20
"""About the size of one read, estimated from earlier entries."""
REFUSED_S = 1.0
"""Pause until a Redis that refuses is tried again."""
REMEMBERED = 1_024
"""Settled entries that are still recognised: a sender writes its last ones again if Redis has lost them."""
CONSUMER = "reader"
"""Each link has one reader at a time, and the next reader continues where the last one stopped."""


class InboundLink:
    """One link into the domain.

    Each entry is announced when it is written, mostly with its bytes: it is then taken at once if all earlier entries
    have been. Otherwise the link is read, never twice at once. An entry is acknowledged when it has settled.

    Announcements come over another connection than replies, so either may come first. An announcement is trusted only
    for what follows an entry, and that there is a new one. Missing entries are read from the stream, and repeated ones
    are recognised by their ids. An entry is `_taken` until Redis has confirmed its removal, so that nothing is
    delivered twice when the entries of this consumer are read again after a lost connection.
    """

    _log = Logger()

    def __init__(self, from_: str, open_sink: OpenSink, inbound: Inbound) -> None:
        self.from_ = from_
        self._sink = open_sink(from_, self.read_on)
        self._inbound = inbound
        self._client = inbound.client
        self._group = inbound.to
        self._key = inbound.keys.link(inbound.to, from_)
        self._cursor = b"0"  # what to read: ">" for new entries, an id for the pending ones after it
        self._position = b""  # id of the last taken entry; empty while it is not known
        self._is_let_go = False
        self._is_reading = False
        self._is_refused = False
        self._is_fenced = False
        self._may_have_more = False
        self._announced = b""  # the last entry that was announced while the link was read
        self._read_count = FIRST_READ_COUNT
        self._taken: set[bytes] = set()
        self._settled: list[bytes] = []
        self._known: dict[bytes, None] = {}  # settled entries, oldest first
        self._unsettled = self._unsettled_bytes = 0

    def listen(self) -> None:
        """Receive the announcements of the sender from now on."""
        listening = self._client.subscribe(self._key, self._on_announced, self.ring)
        listening.addErrback(self._on_failed, "Listening to")

    def listen_no_more(self) -> None:
        """Let the sender use the doorbell again."""
        self._client.unsubscribe(self._key)

    def _on_announced(self, message: bytes) -> None:
        """The sender wrote an entry. False announcements of a sender only affect its own link.

        If this process hung, waiting entries may belong to another reader by now: Redis knows.
        """
        previous_id, _, rest = message.partition(b" ")
        id, _, entry = rest.partition(b" ")
        is_next = previous_id == self._position and not self._is_reading and self._cursor == b">"
        if entry and is_next and self._is_sure() and self._may_read():
            self._position = id
            self._take(id, entry)
        elif self._is_reading:
            self._announced = id
        elif not self._is_behind(id):
            self.ring()

    def _is_behind(self, id: bytes) -> bool:
        """Whether it was read before it could be announced."""
        try:
            return bool(self._position) and EntryId.parse(id) <= EntryId.parse(self._position)
        except ValueError:
            return False

    def _is_sure(self) -> bool:
        """Nobody else reads the link, and the results of an entry can be written."""
        return self._inbound.holds_lease() and self._client.is_connected(self._key)

    def _may_read(self) -> bool:
        if self._is_fenced or self._is_over():
            return False
        return self._sink.may_read(self._unsettled, self._unsettled_bytes)

    def _is_over(self) -> bool:
        return self._is_let_go or self._inbound.is_stopped

    def ring(self) -> None:
        """There is a new entry."""
        self._may_have_more = True
        self.read_on()

    def resume(self) -> None:
        """Read again the entries that were given to a reader and are not acknowledged, then new ones."""
        if self._settled:
            self._inbound.acknowledge_later(self)
        created = self._client.execute("XGROUP", "CREATE", self._key, self._group, "0", "MKSTREAM")
        created.addErrback(self._on_failed, "Opening")  # when reading it, this is noticed too
        self._cursor, self._position = b"0", b""
        self._may_have_more = True
        self.read_on()

    def let_go(self) -> None:
        """Read no more; another node does when all that was read has settled."""
        self._is_let_go = True
        self._sink.let_go()
        self._forget_if_settled()

    def _forget_if_settled(self) -> None:
        if self._is_let_go and not self._is_reading and not self._unsettled:
            self._inbound.forget(self)

    def take_settled(self) -> list[bytes]:
        """The settled entries, which are to be acknowledged."""
        ids, self._settled = self._settled, []
        return ids

    def acknowledge(self, ids: list[bytes]) -> None:
        """Acknowledge these settled entries."""
        if ids:
            self._client.post(
                "XDEL", self._key, *ids
            )  # first, because entries that are only acknowledged would stay forever
            done = self._client.execute("XACK", self._key, self._group, *ids)
            done.addCallbacks(self._on_gone, self._on_not_gone, callbackArgs=(ids,), errbackArgs=(ids,))

    def read_on(self) -> None:
        """Read on, if more may be unsettled."""
        if not self._may_have_more or self._is_reading or not self._may_read():
            return
        self._is_reading = True
        self._may_have_more = False
        self._announced = b""
        who, count = ("GROUP", self._group, CONSUMER), self._read_count
        read = self._client.execute("XREADGROUP", *who, "COUNT", count, "STREAMS", self._key, self._cursor)
        read.addCallbacks(self._on_entries, self._on_not_read, callbackArgs=(self._cursor, count))

    def _on_entries(self, reply: Reply, cursor: bytes, count: int) -> None:
        self._is_reading = False
        if self._inbound.is_stopped:
            return  # the entries stay pending
        entries = next(iter(reply.values())) if reply else []
        size_bytes = 0
        for id, fields in entries:
            size_bytes += len(fields[1]) if fields else 0
            if id not in self._taken and not self._is_fenced:
                self._take(id, fields[1] if fields else None)  # none: deleted and not yet acknowledged
        if entries:
            self._read_count = max(1, min(READ_COUNT, 2 * count, READ_BYTES * len(entries) // max(size_bytes, 1)))
        if self._is_fenced:
            self._cursor, self._position = b"0", b""  # entries after the marks were given, and not taken
        elif cursor == self._cursor:  # otherwise it was told to read again meanwhile
            self._go_on_behind([id for id, _ in entries], count)
        self.read_on()
        self._forget_if_settled()

    def _go_on_behind(self, ids: list[bytes], count: int) -> None:
        """Read on after these, which are all, or as many as may be read at once."""
        if self._cursor != b">":
            self._cursor = ids[-1] if ids else b">"
            self._may_have_more = True
        else:
            self._position = ids[-1] if ids else self._position
            may_be_later = bool(self._announced) and not self._is_behind(self._announced)
            self._may_have_more = self._may_have_more or may_be_later or len(ids) == count

    def _take(self, id: bytes, entry: bytes | None) -> None:
        self._taken.add(id)
        if id in self._known:
            self._settle(id)
            return
        try:
            items = [] if entry is None else self._inbound.decode(entry)
        except msgspec.DecodeError as error:
            if (marks := read_marks(entry or b"")) is not None:
                self._wait_at(id, marks)
                return
            self._log.error("Dropped an entry from {from_}: {error}", from_=self.from_, error=str(error))
            items = []
        settled = self._sink.take(id.decode(), items)
        if settled is None:
            self._settle(id)
        else:
            which = id, len(entry or b"")
            self._unsettled += 1
            self._unsettled_bytes += which[1]
            settled.addCallbacks(self._on_settled, self._on_not_settled, callbackArgs=which, errbackArgs=which)

    def _wait_at(self, id: bytes, marks: Marks) -> None:
        """Take nothing after these marks until they are passed."""
        self._is_fenced, self._cursor, self._position = True, b"0", b""
        waiting = Deferred.fromCoroutine(passed(marks, self.from_, self._inbound, self._is_over))
        waiting.addCallback(self._on_passed, id).addErrback(self._on_failed, "Waiting with")

    def _on_passed(self, is_passed: bool, id: bytes) -> None:
        if is_passed:
            self._is_fenced = False
            self._settle(id)
            self.ring()

    def _settle(self, id: bytes) -> None:
        if not self._settled:
            self._inbound.acknowledge_later(self)
        self._settled.append(id)
        self._known[id] = None
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]

    def _on_settled(self, result: object, id: bytes, size_bytes: int) -> None:
        self._unsettled -= 1
        self._unsettled_bytes -= size_bytes
        self._settle(id)
        self.read_on()
        self._forget_if_settled()

    def _on_not_settled(self, failure: Failure, id: bytes, size_bytes: int) -> None:
        self._unsettled -= 1
        self._unsettled_bytes -= size_bytes
        self._taken.discard(id)  # the storage is away: the entry is read again with the next connection
        self._on_refused(failure, "Delivering what came over")
        self._forget_if_settled()

    def _on_gone(self, reply: object, ids: list[bytes]) -> None:
        self._taken.difference_update(ids)

    def _on_not_gone(self, failure: Failure, ids: list[bytes]) -> None:
        self._settled = ids + self._settled  # for the next connection
        self._on_refused(failure, "Acknowledging entries of")

    def _on_not_read(self, failure: Failure) -> None:
        self._is_reading = False
        self._forget_if_settled()
        self._on_refused(failure, "Reading")

    def _on_refused(self, failure: Failure, doing: str) -> None:
        """If Redis is up and refuses, as on a full disk, no new connection comes after which to continue."""
        self._on_failed(failure, doing)
        if not isinstance(failure.value, ConnectionLost) and not self._is_refused:
            self._is_refused = True
            self._inbound.later(REFUSED_S, self._try_again)

    def _try_again(self) -> None:
        self._is_refused = False
        if not self._is_over():
            self.resume()

    def _on_failed(self, failure: Failure, doing: str) -> None:
        if "BUSYGROUP" not in str(failure.value):
            log_failed(self._log, f"{doing} the link from {self.from_}", failure)
