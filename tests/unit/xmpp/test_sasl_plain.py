"""SASL: PLAIN, and the base64 that all messages are written in."""

from __future__ import annotations

import pytest

from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.sasl import SaslCondition, SaslError

# --- PLAIN (RFC 4616)


@pytest.mark.parametrize(
    ("message", "login"),
    [
        ("\0romeo\0secret", ("romeo", "secret")),
        ("\0Romeo\0Secret ♥", ("romeo", "Secret ♥")),
        ("romeo@montague.lit\0romeo\0secret", ("romeo", "secret")),
        ("Romeo@MONTAGUE.lit\0romeo\0secret", ("romeo", "secret")),
        ("\0romeo\0", ("romeo", "")),
    ],
)
def test_plain(message: str, login: tuple[str, str]) -> None:
    assert sasl.read_plain(message, "montague.lit") == login


@pytest.mark.parametrize(
    ("message", "condition"),
    [
        ("", SaslCondition.MALFORMED_REQUEST),
        ("romeo\0secret", SaslCondition.MALFORMED_REQUEST),
        ("\0romeo\0secret\0", SaslCondition.MALFORMED_REQUEST),
        ("juliet@montague.lit\0romeo\0secret", SaslCondition.INVALID_AUTHZID),
        ("romeo@capulet.lit\0romeo\0secret", SaslCondition.INVALID_AUTHZID),
        ("romeo@montague.lit/pda\0romeo\0secret", SaslCondition.INVALID_AUTHZID),
        ("romeo\0romeo\0secret", SaslCondition.INVALID_AUTHZID),
        ("@\0romeo\0secret", SaslCondition.INVALID_AUTHZID),
        ("\0\0secret", SaslCondition.NOT_AUTHORIZED),
        ("\0ro meo\0secret", SaslCondition.NOT_AUTHORIZED),
        ("\0\uff20\0secret", SaslCondition.NOT_AUTHORIZED),
    ],
)
def test_plain_refused(message: str, condition: SaslCondition) -> None:
    with pytest.raises(SaslError) as caught:
        sasl.read_plain(message, "montague.lit")
    assert caught.value.condition == condition


# --- base64 (RFC 6120 section 6.4.2)


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, ""), ("", ""), ("=", ""), ("aGk=", "hi"), ("\n aGk=\n", "hi"), ("w6k=", "é"), ("AA==", "\0")],
)
def test_decode(text: str | None, message: str) -> None:
    assert sasl.decode(text) == message
    assert sasl.decode(sasl.encode(message)) == message


@pytest.mark.parametrize("text", ["a", "aGk", "a-_=", "aG k=", "aGk==", "====", "/w==", "é", "♥" * 4, "aGk=aGk="])
def test_decode_refused(text: str) -> None:
    # RFC 6120 section 6.5.5
    with pytest.raises(SaslError) as caught:
        sasl.decode(text)
    assert caught.value.condition == SaslCondition.INCORRECT_ENCODING
