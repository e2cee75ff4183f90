"""TLS as a model: its round trip and its bytes, and channel bindings that both ends share. Nothing is encrypted."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

RECORD_BYTES = 22
"""What a record adds to the data in it (RFC 8446 section 5.2: header, type, tag of AES-GCM)."""


class Flight(NamedTuple):
    """Messages of the handshake that one side sends at once (RFC 8446 section 2)."""

    name: str
    size_bytes: int


HELLO = Flight("client hello", 517)
SERVER = Flight("server hello to finished", 2_400)
"""With two certificates of RSA keys."""
FINISHED = Flight("finished", 80)


class Handle:
    """The session, as pyOpenSSL's Connection, as far as channel bindings need it."""

    def __init__(self, secret: bytes) -> None:
        """Both ends have the same secret."""
        self._secret = secret

    def get_protocol_version_name(self) -> str:
        """The version that is modelled."""
        return "TLSv1.3"

    def export_keying_material(self, label: bytes, size: int, context: bytes = b"") -> bytes:
        """RFC 8446 section 7.5: the same at both ends, and another one in each session."""
        return hashlib.shake_128(b"\0".join((self._secret, label, context))).digest(size)
