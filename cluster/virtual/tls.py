"""A model of TLS: the round trip and the bytes of its handshake, and channel bindings. Nothing is encrypted."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

RECORD_BYTES = 22
"""Overhead of a record (RFC 8446 section 5.2: header, type, tag of AES-GCM)."""


class Flight(NamedTuple):
    """Messages of the handshake that one side sends at once (RFC 8446 section 2)."""

    name: str
    size_bytes: int


HELLO = Flight("client hello", 517)
SERVER = Flight("server hello to finished", 2_400)
"""Its size is for two certificates with RSA keys."""
FINISHED = Flight("finished", 80)


class Handle:
    """The part of pyOpenSSL's Connection that channel bindings need; certificates are the contexts of both ends."""

    __slots__ = ("of_peer", "secret")

    def __init__(self, secret: str, of_peer: object) -> None:
        """`secret`: the same at both ends. `of_peer`: the context with which the other end has started TLS."""
        self.secret = secret
        self.of_peer = of_peer

    def get_protocol_version_name(self) -> str:
        """The version that is modelled."""
        return "TLSv1.3"

    def export_keying_material(self, label: bytes, size: int, context: bytes = b"") -> bytes:
        """Keying material (RFC 8446 section 7.5): the same at both ends, different for each connection."""
        return hashlib.shake_128(b"\0".join((self.secret.encode(), label, context))).digest(size)
