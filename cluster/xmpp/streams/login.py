"""The logins that a client tries on one stream (RFC 6120 section 6), and the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import SASL
from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.events import KeysWanted, PasswordGiven

MAX_LOGIN_TRIES = 5
"""Refused and aborted logins before the stream is closed (RFC 6120 section 6.4.5 recommends 2 to 5)."""


class StreamFailed(Exception):
    """The server refused a login, a resource, or the whole stream; `condition` is its condition."""

    def __init__(self, step: str, condition: str, text: str = "") -> None:
        super().__init__(f"{step}: {condition}" + (f" ({text})" if text else ""))
        self.condition = condition


class Resumption(msgspec.Struct, frozen=True):
    """The managed stream that a client wants to resume (XEP-0198 section 5)."""

    jid: Jid
    previd: str
    """The SM-ID that the server gave it."""
    h: int
    """The number of the server's stanzas that the client has handled."""


class Bound(msgspec.Struct, frozen=True):
    """The login is done; stanzas flow."""

    jid: Jid
    is_resumed: bool = False
    """The earlier stream was resumed; otherwise a resource was bound."""
    h: int | None = None
    """The number of the client's stanzas that the server had handled on that stream; None if it does not say."""


@dataclass(frozen=True, slots=True)
class Login:
    """The account of a login, and its credentials."""

    jid: Jid
    """With the resourcepart to request; without one the server chooses."""
    password: str
    register: bool = False
    """Create the account first (XEP-0077); an existing one is fine."""
    in_clear: bool = False
    """Use no TLS if the server allows that: to measure the cost of TLS."""


class Told(NamedTuple):
    """The data of the mechanism for the peer."""

    data: str
    accepted: bool
    """The login is accepted; otherwise it is a challenge."""


class LoginExchange:
    """One login after the other, until one succeeds."""

    __slots__ = ("_asked", "_domain", "_new_id", "_scram", "is_anonymous", "localpart", "profile", "refused")

    def __init__(self, domain: str, new_id: Callable[[], str]) -> None:
        """`domain`: that of the accounts; `new_id` gives unpredictable SCRAM nonces."""
        self.localpart = ""
        """The prepared localpart of the login; authenticated once a login is accepted."""
        self.is_anonymous = False
        """There is no account, and `localpart` is for this stream only."""
        self.refused = 0
        """Logins that failed."""
        self.profile = SASL
        """Namespace of the SASL profile of this try: that of RFC 6120, or the extensible one (XEP-0388)."""
        self._domain = domain
        self._new_id = new_id
        self._scram: sasl.ScramLogin | None = None
        self._asked: tuple[str, Mapping[str, bytes]] | None = None

    def try_again(self, profile: str) -> None:
        """The peer begins a login. Raises StreamError after too many tries."""
        self.profile = profile
        self._scram = self._asked = None
        if self.refused >= MAX_LOGIN_TRIES:
            raise StreamError(StreamCondition.POLICY_VIOLATION, f"{MAX_LOGIN_TRIES} logins were refused")

    def begin(
        self, mechanism: str, offered: list[str], text: str | None, bindings: Mapping[str, bytes]
    ) -> KeysWanted | PasswordGiven | Told:
        """The event or the answer for the mechanism and the initial response. Raises SaslError."""
        if mechanism not in offered:
            if mechanism == "PLAIN":
                raise sasl.SaslError(sasl.SaslCondition.ENCRYPTION_REQUIRED, "passwords are accepted over TLS only")
            raise sasl.SaslError(sasl.SaslCondition.INVALID_MECHANISM, f"on offer: {', '.join(offered)}")
        if mechanism == "ANONYMOUS":  # RFC 4505; the trace that a client may send is not used
            sasl.decode(text)
            self.localpart, self.is_anonymous = self._new_id(), True
            return Told("", accepted=True)
        if not text:  # no initial response: it comes as the answer to an empty challenge (RFC 4422 section 5)
            self._asked = mechanism, bindings
            return Told("", accepted=False)
        return self._first(mechanism, sasl.decode(text), bindings)

    def _first(self, mechanism: str, message: str, bindings: Mapping[str, bytes]) -> KeysWanted | PasswordGiven:
        """The client's first message."""
        if mechanism == "PLAIN":
            login = sasl.read_plain(message, self._domain)
            self.localpart = login.localpart
            return PasswordGiven(login.localpart, login.password)
        self._scram = sasl.ScramLogin(mechanism, bindings, self._new_id())
        self.localpart = self._scram.username(message)
        return KeysWanted(self.localpart, self._scram.hash_name)

    def challenge(self, keys: sasl.Keys) -> str:
        """The challenge from the account's keys. Raises SaslError."""
        assert self._scram is not None  # only SCRAM needs keys
        return self._scram.challenge(keys)

    def respond(self, text: str | None) -> KeysWanted | PasswordGiven | Told:
        """The event or the answer for `<response>`. Raises SaslError."""
        message = sasl.decode(text)
        if self._asked is not None:
            (mechanism, bindings), self._asked = self._asked, None
            return self._first(mechanism, message, bindings)
        scram, self._scram = self._scram, None  # a stream that is logged in keeps no keys
        assert scram is not None  # PLAIN is accepted or refused before the next element is read
        return Told(scram.finish(message), accepted=True)

    def refuse(self, error: sasl.SaslError) -> bytes:
        """The `<failure>` (RFC 6120 section 6.4.5); the peer may try again."""
        self.refused += 1
        self._scram = self._asked = None
        return sasl.failure(error, self.profile)


def condition_of(failure: Element) -> tuple[str, str]:
    """The condition and the text of an error or failure element."""
    names = [xml.split(child.tag)[1] for child in failure]
    text = next((child.text or "" for child in failure if child.tag.endswith("}text")), "")
    return next((name for name in names if name != "text"), "unknown"), text
