"""Stream management (XEP-0198): what each side of a stream has handled, and what must be sent again after a break.

Counts and queues of one stream, which outlive its connection; no I/O, no clock.
"""

from __future__ import annotations

from collections import deque
from xml.sax.saxutils import quoteattr

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StreamCondition, StreamError
from cluster.xmpp.namespaces import SM, STANZA_ERRORS
from cluster.xmpp.stanza import Stanza

COUNTS = 2**32
"""Section 4: `h` is an unsignedInt, and behind its greatest value comes 0."""
REQUEST = f"<r xmlns='{SM}'/>".encode()


class Unacknowledged(msgspec.Struct, frozen=True):
    """A stanza that the peer has not acknowledged."""

    stanza: Stanza
    sent_utc_s: float
    """When it was first sent, or would have been if the peer had been there."""
    sent_to: tuple[object, ...] = ()
    """Who else it was sent to; whoever runs this knows what they are."""


class _Unsettled:
    """Stanzas of the peer, one behind the other, that wait for the same thing."""

    __slots__ = ("count", "done", "waits_for")

    def __init__(self, waits_for: object) -> None:
        self.waits_for = waits_for
        self.count = 1
        self.done = False


class StreamManagement:
    """Both counts of one stream. They begin when it is enabled and are carried over where it is resumed."""

    def __init__(self, id: str = "", timeout_s: float = 0.0) -> None:
        """`id`: the SM-ID by which it can be resumed within `timeout_s` of a break; empty where it cannot."""
        self.id = id
        self.timeout_s = timeout_s
        self.handled = 0
        """Stanzas of the peer that are safe, before the first one that is not: our `h`."""
        self.size_bytes = 0
        """Of all that is not acknowledged."""
        self._unsettled: deque[_Unsettled] = deque()
        self._owes_ack = False
        self._unacknowledged: deque[Unacknowledged] = deque()
        self._acknowledged = 0
        self._asked_behind = 0  # how many were sent when we last asked
        self._is_asked = False

    # --- what the peer sends

    def received(self, waits_for: object | None) -> bool:
        """One more stanza. It is handled when what it waits for is over; None: it is already.

        True where `settled` is to be called for that.
        """
        last = self._unsettled[-1] if self._unsettled else None
        if last is None and waits_for is None:
            self.handled = (self.handled + 1) % COUNTS
        elif last is None or not (waits_for is None or waits_for is last.waits_for):
            self._unsettled.append(_Unsettled(waits_for))
            return True
        else:
            last.count += 1  # it cannot be acknowledged before the last one
        return False

    def settled(self, waited_for: object) -> bytes:
        """This is over: the `<a/>` that is still owed to the peer, or nothing."""
        unsettled = self._unsettled
        for group in unsettled:
            group.done = group.done or group.waits_for is waited_for
        while unsettled and unsettled[0].done:
            self.handled = (self.handled + unsettled.popleft().count) % COUNTS
        return self.ack() if self._owes_ack and not unsettled else b""

    @property
    def waits_for(self) -> list[object]:
        """What must be over before all is handled that came."""
        return list({id(group.waits_for): group.waits_for for group in self._unsettled}.values())

    def ack(self) -> bytes:
        """The `<a/>` that answers an `<r/>`; a further one follows when what is not safe yet has settled."""
        self._owes_ack = bool(self._unsettled)
        return f"<a xmlns='{SM}' h='{self.handled}'/>".encode()

    # --- what is sent to the peer

    @property
    def unacknowledged(self) -> int:
        """How many stanzas the peer has not acknowledged."""
        return len(self._unacknowledged)

    def sent(self, stanzas: list[Unacknowledged]) -> bytes:
        """These are written now: what to write behind them, so that the peer acknowledges them soon."""
        self._unacknowledged.extend(stanzas)
        self.size_bytes += sum([len(each.stanza.raw) for each in stanzas])
        return b"" if self._is_asked else self._ask()

    def acknowledged(self, h: int) -> bytes:
        """The peer has handled so many: what to write now. Raises StreamError for more than it was sent (section 6)."""
        count = (h - self._acknowledged) % COUNTS
        if count > len(self._unacknowledged):
            raise _handled_too_many(h, (self._acknowledged + len(self._unacknowledged)) % COUNTS)
        self._acknowledged += count
        for _ in range(count):
            self.size_bytes -= len(self._unacknowledged.popleft().stanza.raw)
        self._is_asked = False
        # never more than one request is under way; less than asked for means that the peer is busy
        return self._ask() if self._unacknowledged and self._acknowledged >= self._asked_behind else b""

    def _ask(self) -> bytes:
        self._is_asked = True
        self._asked_behind = self._acknowledged + len(self._unacknowledged)
        return REQUEST

    def resend(self) -> bytes:
        """The stream was resumed: all that is not acknowledged, again (section 5)."""
        raw = b"".join([unacknowledged.stanza.raw for unacknowledged in self._unacknowledged])
        self._is_asked = False
        return raw + self._ask() if raw else b""

    def take_unacknowledged(self) -> list[Unacknowledged]:
        """The stream is over for good: what must go elsewhere, oldest first (section 4)."""
        taken = [*self._unacknowledged]
        self._unacknowledged.clear()
        self.size_bytes = 0
        return taken


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
    return f"<resumed xmlns='{SM}' previd={quoteattr(management.id)} h='{management.handled}'/>".encode()


def failed(condition: Condition) -> bytes:
    """Section 6; the peer may go on without."""
    element = Element(f"{{{SM}}}failed")
    SubElement(element, f"{{{STANZA_ERRORS}}}{condition}")
    return xml.serialize(element)


def _handled_too_many(h: int, sent: int) -> StreamError:
    detail = Element(f"{{{SM}}}handled-count-too-high", {"h": str(h), "send-count": str(sent)})
    return StreamError(StreamCondition.UNDEFINED_CONDITION, f"{h} stanzas acknowledged, but {sent} were sent", detail)
