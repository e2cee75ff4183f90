"""The SASL mechanisms HT-SHA-256-* of tokens (draft-schmaus-kitten-sasl-ht), for XEP-0484: one message, one answer."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cluster.xmpp.streams.sasl import END_POINT, EXPORTER, SaslCondition, SaslError, localpart_of

_PREFIX = "HT-SHA-256-"
NONE = f"{_PREFIX}NONE"
"""Without channel binding: for clients in browsers, which know nothing of their TLS connection."""
BINDINGS = {f"{_PREFIX}EXPR": EXPORTER, f"{_PREFIX}ENDP": END_POINT}
"""The channel bindings of the others, best first. tls-unique is of TLS 1.2, which has none here."""


class Proof(NamedTuple):
    """The message of the initiator."""

    localpart: str
    hashed: bytes


def mechanisms(bindings: Iterable[str]) -> list[str]:
    """Those that are possible with these channel bindings, best first."""
    there = {*bindings}
    return [*(name for name, binding in BINDINGS.items() if binding in there), NONE]


def binding_of(mechanism: str, bindings: Mapping[str, bytes]) -> bytes:
    """The channel binding data of one of them."""
    return bindings[BINDINGS[mechanism]] if mechanism in BINDINGS else b""


def read(message: bytes) -> Proof:
    """The name and the hashed token in `authcid NUL hashed-token`. Raises SaslError."""
    name, nul, hashed = message.partition(b"\0")
    try:
        authcid = name.decode()
    except UnicodeDecodeError:
        raise SaslError(SaslCondition.MALFORMED_REQUEST, "the name is not UTF-8") from None
    if not nul or not name:
        raise SaslError(SaslCondition.MALFORMED_REQUEST, "a token is sent as name NUL hash")
    return Proof(localpart_of(authcid), hashed)


def initiator(token: str, binding: bytes) -> bytes:
    """The hash by which a client shows that it has the token."""
    return hmac.digest(token.encode(), b"Initiator" + binding, hashlib.sha256)


def responder(token: str, binding: bytes) -> bytes:
    """The hash by which the server shows that it has it too."""
    return hmac.digest(token.encode(), b"Responder" + binding, hashlib.sha256)
