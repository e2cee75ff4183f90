"""The messages that the message centre has accepted and not yet delivered, which survive a crash."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cluster.networks.smsc.jsonlines import JsonLines
from cluster.protocols.smpp.framing import PduDecoder
from cluster.protocols.smpp.pdu import MalformedPdu, Pdu

COMPACT_AFTER = 10_000
"""Lines after which the file is rewritten with the unfinished messages: a few megabytes."""


class Message(msgspec.Struct, frozen=True):
    """One short message in the message centre's care."""

    message_id: str
    sender: str
    """The system_id of the ESME that submitted it; empty for a message of a phone, and for a receipt."""
    octets: bytes
    """The submit_sm or, for a receipt, the deliver_sm."""
    submitted_utc_s: float
    deadline_utc_s: float
    """When it expires."""

    @property
    def pdu(self) -> Pdu:
        """The PDU of `octets`."""
        (pdu,) = PduDecoder().feed(self.octets)
        if isinstance(pdu, MalformedPdu):
            raise pdu
        return pdu


class _Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line: a message that was accepted, or the id of a finished one."""

    accepted: Message | None = None
    done: str = ""


class Spool:
    """JSON lines in a file; without a file, in memory."""

    def __init__(self, path: Path | None) -> None:
        self._lines = JsonLines(path, _Entry)
        self._written = 0
        self.messages: dict[str, Message] = {}
        """Unfinished messages, in the order in which they were accepted."""
        self.earlier: list[Message] = []
        """All messages of the file when it was read, also the finished ones."""
        for entry in self._lines.read():
            if entry.accepted is not None:
                self.messages[entry.accepted.message_id] = entry.accepted
                self.earlier.append(entry.accepted)
            else:
                self.messages.pop(entry.done, None)
        self.size_bytes = sum(len(message.octets) for message in self.messages.values())
        """Of all unfinished messages."""
        self._compact()

    def accept(self, message: Message) -> None:
        """Store the message."""
        self.messages[message.message_id] = message
        self.size_bytes += len(message.octets)
        self._write(_Entry(accepted=message))

    def done(self, message: Message) -> None:
        """Remove the message."""
        if self.messages.pop(message.message_id, None) is not None:
            self.size_bytes -= len(message.octets)
            self._write(_Entry(done=message.message_id))

    def _write(self, entry: _Entry) -> None:
        self._lines.append(entry)
        self._written += 1
        if self._written > COMPACT_AFTER + len(self.messages):
            self._compact()

    def _compact(self) -> None:
        self._lines.replace(_Entry(accepted=message) for message in self.messages.values())
        self._written = 0
