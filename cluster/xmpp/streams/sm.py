"""Stream management (XEP-0198): what each side of a stream has handled, and what must be sent again after a break.

Counts and queues of one stream, which outlive its connection; no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StreamCondition, StreamError
from cluster.xmpp.namespaces import SM, STANZA_ERRORS
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.stanza import Stanza

COUNTS = 2**32
"""Section 4: `h` is an unsignedInt, and after its greatest value comes 0."""
PATIENCE = 4
"""Of a server (`StreamManagement`): an answer costs both sides more than a presence, and what waits takes memory."""
REQUEST = f"<r xmlns='{SM}'/>".encode()


class Unacknowledged(msgspec.Struct, frozen=True):
    """A stanza that the peer has not acknowledged."""

    stanza: Stanza
    sent_utc_s: float
    """When it was first sent, or would have been if the peer had been there."""
    sent_to: tuple[object, ...] = ()
    """Who else it was sent to; whoever runs this knows what they are."""


class _Unsettled:
    """Stanzas of the peer, one after the other, that wait for the same thing."""

    __slots__ = ("count", "done", "waits_for")

    def __init__(self, waits_for: object) -> None:
        self.waits_for = waits_for
        self.count = 1
        self.done = False


class StreamManagement:
    """Both counts of one stream. They begin when it is enabled and are carried over where it is resumed."""

    __slots__ = (
        "_asked_behind", "_is_asked", "_must_answer", "_owes_ack", "_patience", "_unacknowledged", "_unsettled",
        "_unwritten", "acknowledged_count", "came", "handled", "id", "size_bytes", "timeout_s", "told",
    )  # fmt: skip

    def __init__(
        self, id: str = "", timeout_s: float = 0.0, handled: int = 0, acknowledged: int = 0, patience: int = 0
    ) -> None:
        """`id`: the SM-ID by which it can be resumed within `timeout_s` of a break; empty where it cannot.

        `handled` and `acknowledged`: how far a stream was that an earlier process left. `patience`: this many stanzas
        may be written before it asks for their acknowledgement, if all are presence.
        """
        self.id = id
        self.timeout_s = timeout_s
        self.handled = handled
        """Stanzas of the peer that are safe, before the first one that is not."""
        self.came = handled
        """Stanzas of the peer, also those that are not safe yet: the number of the last one."""
        self.told = handled
        """How many of them the peer may know of: our `h`."""
        self.acknowledged_count = acknowledged
        """Stanzas that the peer has acknowledged, of all that it was sent."""
        self.size_bytes = 0
        """Of all that is not acknowledged."""
        self._unsettled: list[_Unsettled] = []  # an empty deque takes ten times as much
        self._must_answer = False
        self._owes_ack = False
        self._unacknowledged: list[Unacknowledged] = []
        self._unwritten = 0  # how many of them, the newest, have not been written yet
        self._asked_behind = 0  # how many were written when we last asked
        self._is_asked = False
        self._patience = patience

    @property
    def is_resumable(self) -> bool:
        """It has an SM-ID."""
        return bool(self.id)

    # --- what the peer sends

    def received(self, waits_for: object | None) -> bool:
        """One more stanza. It is handled when what it waits for is over; None: it is already.

        True where `settled` is to be called for that.
        """
        self.came = (self.came + 1) % COUNTS
        last = self._unsettled[-1] if self._unsettled else None
        if last is None and waits_for is None:
            self.handled = (self.handled + 1) % COUNTS
        elif last is None or not (waits_for is None or waits_for is last.waits_for):
            self._unsettled.append(_Unsettled(waits_for))
            return True
        else:
            last.count += 1  # it cannot be acknowledged before the last one
        return False

    def settled(self, waited_for: object) -> None:
        """This is over."""
        for group in self._unsettled:
            group.done = group.done or group.waits_for is waited_for
        self.settle(_never)

    def settle(self, is_over: Callable[[object], bool]) -> None:
        """Count what waits for nothing any more, up to the first that does: to `is_over` too."""
        unsettled = self._unsettled
        while unsettled and (unsettled[0].done or is_over(unsettled[0].waits_for)):
            self.handled = (self.handled + unsettled.pop(0).count) % COUNTS

    @property
    def unsettled_count(self) -> int:
        """Stanzas of the peer that came and are not handled."""
        return (self.came - self.handled) % COUNTS

    @property
    def waits_for(self) -> list[object]:
        """What must be over before all is handled that came."""
        return list({id(group.waits_for): group.waits_for for group in self._unsettled}.values())

    def asked(self) -> None:
        """The peer sent an `<r/>`: `tell` will answer it, and once more when all has settled that came before it."""
        self._must_answer = True

    def ack(self) -> bytes:
        """Answer an `<r/>` at once; a further `<a/>` follows, from `tell`, when what is not safe yet has settled."""
        self.asked()
        return self.tell(self.handled)

    def tell(self, handled: int) -> bytes:
        """The peer may know that so many are safe: the `<a/>` that it is owed, or nothing."""
        self.told = handled
        is_behind = bool(self._unsettled) or self.handled != handled
        if not self._must_answer and (is_behind or not self._owes_ack):
            return b""
        self._must_answer, self._owes_ack = False, is_behind
        return f"<a xmlns='{SM}' h='{handled}'/>".encode()

    # --- what is sent to the peer

    @property
    def unacknowledged(self) -> int:
        """How many stanzas the peer has not acknowledged."""
        return len(self._unacknowledged)

    @property
    def left(self) -> list[Unacknowledged]:
        """Those, oldest first."""
        return [*self._unacknowledged]

    @property
    def sent_count(self) -> int:
        """All that it was ever sent, also what is not written yet."""
        return self.acknowledged_count + len(self._unacknowledged)

    def sent(self, stanzas: list[Unacknowledged]) -> bytes:
        """These are written now: what to write after them, so that the peer acknowledges them soon."""
        self.number(stanzas)
        return self.written(len(stanzas))

    def number(self, stanzas: list[Unacknowledged]) -> None:
        """These are the next for the peer; they have their numbers, and are written later: see `written`."""
        self._unacknowledged.extend(stanzas)
        self._unwritten += len(stanzas)
        self.size_bytes += sum([len(each.stanza.raw) for each in stanzas])

    def written(self, count: int) -> bytes:
        """So many more of them are written now: what to write after them."""
        self._unwritten -= count
        return b"" if self._is_asked or self._can_wait() else self._ask()

    def _can_wait(self) -> bool:
        """All that was written since it last asked is a little presence, which is sent to nobody else if it is lost."""
        end = len(self._unacknowledged) - self._unwritten
        begin = max(0, self._asked_behind - self.acknowledged_count)
        if end - begin > self._patience:
            return False
        return all(each.stanza.kind == "presence" for each in self._unacknowledged[begin:end])

    def write_all(self) -> bytes:
        """All that was not written yet, which is written now."""
        raw = [each.stanza.raw for each in self._unacknowledged]
        unwritten, self._unwritten = self._unwritten, 0
        return b"".join(raw[len(raw) - unwritten :])

    def newly(self, h: int) -> int:
        """How many more than before the peer has handled. Raises StreamError for more than it was sent (section 6)."""
        count = (h - self.acknowledged_count) % COUNTS
        written = len(self._unacknowledged) - self._unwritten
        if count > written:
            raise _handled_too_many(h, (self.acknowledged_count + written) % COUNTS)
        return count

    def acknowledged(self, h: int) -> bytes:
        """The peer has handled so many: what to write now. Raises StreamError as `newly` does."""
        count, written = self.newly(h), len(self._unacknowledged) - self._unwritten
        self.acknowledged_count += count
        if count:
            self.size_bytes -= sum([len(each.stanza.raw) for each in self._unacknowledged[:count]])
            del self._unacknowledged[:count]
        self._is_asked = False
        # never more than one request is under way; less than asked for means that the peer is busy
        is_answered = self.acknowledged_count >= self._asked_behind
        return self._ask() if written > count and is_answered and not self._can_wait() else b""

    def _ask(self) -> bytes:
        self._is_asked = True
        self._asked_behind = self.sent_count - self._unwritten
        return REQUEST

    def resend(self) -> bytes:
        """The stream was resumed: all that was written and is not acknowledged, again (section 5)."""
        written = len(self._unacknowledged) - self._unwritten
        raw = b"".join([unacknowledged.stanza.raw for unacknowledged in self._unacknowledged[:written]])
        self._is_asked = self._must_answer = self._owes_ack = False
        return raw + self._ask() if raw else b""

    def take_unacknowledged(self) -> list[Unacknowledged]:
        """The stream is over for good: what must go elsewhere, oldest first (section 4)."""
        taken, self._unacknowledged = self._unacknowledged, []
        self._unwritten = self.size_bytes = 0
        return taken

    def give_up(self) -> None:
        """What the peer has not acknowledged is taken care of elsewhere: there is nothing to resume any more."""
        self.take_unacknowledged()
        self.id = ""


def _never(awaited: object) -> bool:
    return False


def read_count(text: str | None) -> int:
    """The value of an `h`. Raises ValueError for what is no unsignedInt."""
    if text is None or not (text.isascii() and text.isdigit()) or int(text) >= COUNTS:
        raise ValueError(f"h={text!r} is not a number from 0 to {COUNTS - 1}")
    return int(text)


def enabled(management: StreamManagement) -> bytes:
    """Section 3."""
    if not management.id:
        return f"<enabled xmlns='{SM}'/>".encode()
    id, max_s = quoteattr(management.id), int(management.timeout_s)
    return f"<enabled xmlns='{SM}' id={id} resume='true' max='{max_s}'/>".encode()


def resumed(management: StreamManagement) -> bytes:
    """Section 5."""
    return f"<resumed xmlns='{SM}' previd={quoteattr(management.id)} h='{management.told}'/>".encode()


def failed(condition: Condition, h: int | None = None) -> bytes:
    """Section 6; the peer may go on without. `h`: what was handled on the stream that is over, where it is known."""
    element = Element(f"{{{SM}}}failed", {} if h is None else {"h": str(h)})
    SubElement(element, f"{{{STANZA_ERRORS}}}{condition}")
    return xml.serialize(element)


def _handled_too_many(h: int, sent: int) -> StreamError:
    detail = Element(f"{{{SM}}}handled-count-too-high", {"h": str(h), "send-count": str(sent)})
    return StreamError(StreamCondition.UNDEFINED_CONDITION, f"{h} stanzas acknowledged, but {sent} were sent", detail)
