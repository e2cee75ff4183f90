"""From a stream of bytes to PDUs, and the sequence numbers that pair requests with responses."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.protocols.smpp.pdu import HEADER, MAX_SEQUENCE_NUMBER, MalformedPdu, Pdu, decode

MAX_PDU_BYTES = 66_560
"""A message_payload of 65,535 octets and 1 KiB for everything else; node-smpp and Kannel have bounds of this order."""


class FramingError(Exception):
    """command_length is invalid, so the start of the next PDU is unknown: the session must end."""


class PduDecoder:
    """Takes bytes as they arrive, and yields complete PDUs."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Pdu | MalformedPdu]:
        """The PDUs that `data` completes; an unreadable one is yielded as its error. Raises FramingError."""
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            length = int.from_bytes(self._buffer[:4], "big")
            if not HEADER.size <= length <= MAX_PDU_BYTES:
                raise FramingError(f"command_length is {length}, not between {HEADER.size} and {MAX_PDU_BYTES}")
            if len(self._buffer) < length:
                return
            frame = bytes(self._buffer[:length])
            del self._buffer[:length]
            try:
                pdu: Pdu | MalformedPdu = decode(frame)
            except MalformedPdu as error:
                pdu = error
            yield pdu


class SequenceNumbers:
    """1, 2, … 0x7FFFFFFF, 1, … (section 5.1.4)."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """The next number."""
        self._last = self._last % MAX_SEQUENCE_NUMBER + 1
        return self._last
