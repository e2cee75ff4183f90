"""SCRAM on the client's side (RFC 5802), small enough to be read beside the tests that use it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid

from tests.conformance.wire import SASL, Element, Wire


def say(wire: Wire, name: str, text: str | None, attributes: str = "") -> Element:
    """One step of a SASL exchange, and the server's answer."""
    data = "" if text is None else base64.b64encode(text.encode()).decode() or "="
    wire.send(f"<{name} xmlns='{SASL[1:-1]}'{attributes}>{data}</{name}>")
    return wire.read()


def text_of(answer: Element) -> str:
    """What a challenge or success says."""
    return base64.b64decode(answer.text or "").decode()


class Scram:
    """One login."""

    def __init__(self, hash_name: str, localpart: str, password: str, binding: tuple[str, bytes] | None = None) -> None:
        """`hash_name` as hashlib has it; `binding`: type and data for a -PLUS mechanism."""
        self._hash = hash_name
        self._password = password.encode()
        self._header = f"p={binding[0]},," if binding else "n,,"
        self._binding = base64.b64encode(self._header.encode() + (binding[1] if binding else b"")).decode()
        self._bare = f"n={localpart},r={uuid.uuid4().hex}"
        self._signature = b""

    def first(self) -> str:
        """The client-first-message."""
        return self._header + self._bare

    def final(self, server_first: str) -> str:
        """The client-final-message."""
        fields = dict(field.split("=", 1) for field in server_first.split(","))
        salted = hashlib.pbkdf2_hmac(self._hash, self._password, base64.b64decode(fields["s"]), int(fields["i"]))
        without_proof = f"c={self._binding},r={fields['r']}"
        message = f"{self._bare},{server_first},{without_proof}".encode()
        client_key = hmac.digest(salted, b"Client Key", self._hash)
        stored = hashlib.new(self._hash, client_key).digest()
        proof = bytes(a ^ b for a, b in zip(client_key, hmac.digest(stored, message, self._hash), strict=True))
        self._signature = hmac.digest(hmac.digest(salted, b"Server Key", self._hash), message, self._hash)
        return f"{without_proof},p={base64.b64encode(proof).decode()}"

    def is_from_the_server(self, server_final: str) -> bool:
        """The server knows the password too."""
        return base64.b64decode(server_final.removeprefix("v=")) == self._signature

    def login(self, wire: Wire, mechanism: str, *, initial: bool = True) -> Element:
        """The whole exchange; its last element. Without `initial` the first message answers an empty challenge."""
        attributes = f" mechanism='{mechanism}'"
        answer = say(wire, "auth", self.first() if initial else None, attributes)
        if not initial and answer.tag == f"{SASL}challenge":
            assert not answer.text or answer.text == "="
            answer = say(wire, "response", self.first())
        if answer.tag != f"{SASL}challenge":
            return answer
        answer = say(wire, "response", self.final(text_of(answer)))
        if answer.tag == f"{SASL}challenge":  # the proof may come as a last challenge
            assert self.is_from_the_server(text_of(answer))
            return say(wire, "response", "")
        if answer.tag == f"{SASL}success" and answer.text:
            assert self.is_from_the_server(text_of(answer))
        return answer
