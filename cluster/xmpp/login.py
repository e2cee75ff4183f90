"""The logins that a client tries on one stream (RFC 6120 section 6): what it says, and what it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from xml.sax.saxutils import quoteattr

from cluster.xmpp import element as xml
from cluster.xmpp import sasl
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.events import KeysWanted, PasswordGiven
from cluster.xmpp.namespaces import SASL

MAX_LOGIN_TRIES = 5
"""Refused and aborted logins before the stream is closed (RFC 6120 section 6.4.5 recommends 2 to 5)."""


class LoginExchange:
    """One login after the other, until one succeeds; what is told to the peer is returned as its XML."""

    def __init__(self, domain: str, new_id: Callable[[], str]) -> None:
        """`domain`: where the accounts are; `new_id` gives unpredictable SCRAM nonces."""
        self.localpart = ""
        """Who tries, prepared; once a login is accepted, who it is."""
        self._domain = domain
        self._new_id = new_id
        self._scram: sasl.ScramLogin | None = None
        self._tries = 0

    def begin(
        self, mechanism: str, offered: list[str], text: str | None, bindings: Mapping[str, bytes]
    ) -> KeysWanted | PasswordGiven:
        """What must be known to answer `<auth>`. Raises SaslError; StreamError after too many tries."""
        if self._tries >= MAX_LOGIN_TRIES:
            raise StreamError(StreamCondition.POLICY_VIOLATION, f"{MAX_LOGIN_TRIES} logins were refused")
        if mechanism not in offered:
            raise sasl.SaslError(sasl.SaslCondition.INVALID_MECHANISM, f"on offer: {', '.join(offered)}")
        message = sasl.decode(text)
        if mechanism == "PLAIN":
            login = sasl.read_plain(message, self._domain)
            self.localpart = login.localpart
            return PasswordGiven(login.localpart, login.password)
        self._scram = sasl.ScramLogin(mechanism, bindings, self._new_id())
        self.localpart = self._scram.username(message)
        return KeysWanted(self.localpart, self._scram.hash_name)

    def challenge(self, keys: sasl.Keys) -> bytes:
        """The `<challenge>` by the account's keys. Raises SaslError."""
        assert self._scram is not None  # keys are wanted by SCRAM only
        return _sasl("challenge", self._scram.challenge(keys))

    def finish(self, text: str | None) -> bytes:
        """The `<success>` that answers a `<response>`. Raises SaslError."""
        assert self._scram is not None  # PLAIN is accepted or refused before the next element is read
        return _sasl("success", self._scram.finish(sasl.decode(text)))

    def accept_password(self) -> bytes:
        """The `<success>` of a PLAIN login."""
        return _sasl("success", "")

    def refuse(self, error: sasl.SaslError) -> bytes:
        """The `<failure>` (RFC 6120 section 6.4.5); the peer may try again."""
        self._tries += 1
        self._scram = None
        failure = Element(f"{{{SASL}}}failure")
        SubElement(failure, f"{{{SASL}}}{error.condition}")
        if error.text:
            SubElement(failure, f"{{{SASL}}}text").text = error.text
        return xml.serialize(failure)


def _sasl(name: str, text: str) -> bytes:
    content = sasl.encode(text) if text else ""
    return f"<{name} xmlns={quoteattr(SASL)}>{content}</{name}>".encode()
