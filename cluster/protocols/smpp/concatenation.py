"""Long messages: the header that numbers their parts, and putting them together (3GPP TS 23.040 section 9.2.3.24.1)."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import msgspec

from cluster.protocols.smpp import text

_CONCATENATED_8_BIT = 0x00
_CONCATENATED_16_BIT = 0x08

PATIENCE_S = 300.0
"""A part that has not arrived by then is given up; phones wait for minutes to days."""
MISSING = "[…]"
MAX_PART_OCTETS = 254
"""The size of short_message. No phone writes longer parts (140 octets), and 255 of them have 64,770 octets."""
PART_BYTES = 300
"""About the size of a part besides its octets."""
MAX_BYTES = 8 << 20
"""Of all waiting parts; beyond it the oldest messages are given up early."""
MAX_COMPLETE = 1_000
"""Messages whose parts are recognised when they are repeated."""


class Part(msgspec.Struct, frozen=True):
    """The content of one short message after its header; a message without header is part 1 of 1."""

    reference: int
    total: int
    number: int
    """From 1."""
    octets: bytes


def header(reference: int, total: int, number: int) -> bytes:
    """The user data header of a part, with an 8-bit reference."""
    return bytes([5, _CONCATENATED_8_BIT, 3, reference & 0xFF, total, number])


def part_of(octets: bytes) -> Part:
    """The part in user data that begins with a header; a header without part numbers, or with invalid ones, is
    skipped."""
    end = 1 + octets[0] if octets else 0
    behind = octets[end:]
    at = 1
    while at + 2 <= min(end, len(octets)):
        element, length = octets[at], octets[at + 1]
        value = octets[at + 2 : min(at + 2 + length, end)]
        at += 2 + length
        if (element, len(value)) in ((_CONCATENATED_8_BIT, 3), (_CONCATENATED_16_BIT, 4)):
            total, number = value[-2], value[-1]
            if 1 <= number <= total:
                return Part(int.from_bytes(value[:-2], "big"), total, number, behind)
    return Part(0, 1, 1, behind)


class MessageKey(msgspec.Struct, frozen=True):
    """Identifies the message of a part."""

    source: str
    destination: str
    reference: int
    total: int


class _Collected:
    """The received parts of one message."""

    def __init__(self, data_coding: int, deadline_s: float) -> None:
        self.data_coding = data_coding
        self.deadline_s = deadline_s
        self.parts: dict[int, bytes] = {}


def _mark(octets: bytes) -> bytes:
    """The key by which a joined part is recognised."""
    return blake2b(octets, digest_size=8).digest()


class Joiner:
    """Joins parts, in any order and with repetitions, to texts. The same reference may be used for a later message."""

    def __init__(self) -> None:
        self._incomplete: dict[MessageKey, _Collected] = {}
        self._size_bytes = 0
        self._complete: dict[MessageKey, _Collected] = {}
        """Messages that were joined recently, so that a repeated part is recognised."""

    def add(self, source: str, destination: str, data_coding: int, part: Part, now_s: float) -> str | None:
        """The text that this part completes; None while parts are missing, and for a part of a text that is `done`."""
        if part.total == 1:
            return text.decode(data_coding, part.octets)
        key = MessageKey(source, destination, part.reference, part.total)
        earlier = self._complete.get(key)
        if earlier is not None and earlier.parts[part.number] == _mark(part.octets):
            return None
        message = self._incomplete.setdefault(key, _Collected(data_coding, now_s + PATIENCE_S))
        if part.number not in message.parts:
            message.parts[part.number] = part.octets
            self._size_bytes += len(part.octets) + PART_BYTES
        if len(message.parts) < part.total:
            return None
        return text.decode(message.data_coding, b"".join(octets for _, octets in sorted(message.parts.items())))

    def done(self, key: MessageKey) -> None:
        """The text is stored; until this call, each repeated part completes it again."""
        if key in self._incomplete:
            self._complete[key] = message = self._take(key)
            message.parts = {number: _mark(octets) for number, octets in message.parts.items()}
            if len(self._complete) > MAX_COMPLETE:
                del self._complete[next(iter(self._complete))]

    @property
    def is_full(self) -> bool:
        """Whether more waits than allowed; `expired` gives up the oldest."""
        return self._size_bytes > MAX_BYTES

    def _take(self, key: MessageKey) -> _Collected:
        message = self._incomplete.pop(key)
        self._size_bytes -= sum(len(octets) + PART_BYTES for octets in message.parts.values())
        return message

    def expired(self, now_s: float) -> Iterator[tuple[MessageKey, str]]:
        """Give up messages whose time is over, or for which there is no room, the oldest first.

        Yields their texts, with a mark for each missing part.
        """
        while self._complete and next(iter(self._complete.values())).deadline_s <= now_s:
            del self._complete[next(iter(self._complete))]
        while self._incomplete:
            key = next(iter(self._incomplete))
            if self._incomplete[key].deadline_s > now_s and not self.is_full:
                return
            message = self._take(key)
            parts = (message.parts.get(number) for number in range(1, key.total + 1))
            yield key, "".join(MISSING if part is None else text.decode(message.data_coding, part) for part in parts)
