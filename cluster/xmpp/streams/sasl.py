"""SASL mechanisms (RFC 6120 section 6): SCRAM (RFC 5802, 7677) and PLAIN (RFC 4616), server and client side."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

import scramp
from scramp.core import CbName

from cluster.xmpp import element as xml
from cluster.xmpp import passwords
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.jid import Jid, JidError, prepare_localpart
from cluster.xmpp.namespaces import SASL
from cluster.xmpp.quoting import quoteattr

HASHES = ("SCRAM-SHA-256", "SCRAM-SHA-1")
"""Strongest first; an account has keys for each."""
END_POINT = "tls-server-end-point"
"""Channel binding by the server's certificate (RFC 5929 section 4)."""
EXPORTER = "tls-exporter"
"""Channel binding by the TLS session (RFC 9266), which clients try first over TLS 1.3."""

# scramp refuses the exporter's name because Python's ssl module cannot export; Twisted's TLS can, and provides the data
CbName.SUPPORTED_TYPES = frozenset({END_POINT, EXPORTER})
CbName.UNSUPPORTED_TYPES = frozenset()


class SaslCondition(StrEnum):
    """RFC 6120 section 6.5, all of them."""

    ABORTED = "aborted"
    ACCOUNT_DISABLED = "account-disabled"
    CREDENTIALS_EXPIRED = "credentials-expired"
    ENCRYPTION_REQUIRED = "encryption-required"
    INCORRECT_ENCODING = "incorrect-encoding"
    INVALID_AUTHZID = "invalid-authzid"
    INVALID_MECHANISM = "invalid-mechanism"
    MALFORMED_REQUEST = "malformed-request"
    MECHANISM_TOO_WEAK = "mechanism-too-weak"
    NOT_AUTHORIZED = "not-authorized"
    TEMPORARY_AUTH_FAILURE = "temporary-auth-failure"


class SaslError(Exception):
    """An exchange failed; the peer gets `<failure>` with the condition and may try again."""

    def __init__(self, condition: SaslCondition, text: str = "") -> None:
        super().__init__(f"{condition}: {text}" if text else condition)
        self.condition = condition
        self.text = text


def failure(error: SaslError, profile: str = SASL) -> bytes:
    """The `<failure>` for the peer (RFC 6120 section 6.4.5, XEP-0388 section 2.6.2)."""
    element = Element(f"{{{profile}}}failure")
    SubElement(element, f"{{{SASL}}}{error.condition}")
    if error.text:
        SubElement(element, f"{{{profile}}}text").text = error.text
    return xml.serialize(element)


def framed(name: str, data: str | bytes, profile: str = SASL) -> bytes:
    """An element with the data of a mechanism; `profile`: its namespace."""
    return f"<{name} xmlns={quoteattr(profile)}>{encode(data) if data else ''}</{name}>".encode()


class Keys(NamedTuple):
    """The stored keys of a password for one hash (RFC 5802 section 3)."""

    salt: bytes
    stored_key: bytes
    server_key: bytes
    iterations: int


def make_keys(hash_name: str, password: str, salt: bytes, iterations: int) -> Keys:
    """Derive the keys. Takes milliseconds of CPU by design: not for the reactor's thread.

    Raises ValueError for a password that is empty or too long, or that SASLprep refuses (RFC 4013).
    """
    try:
        passwords.check_size(password)
        return Keys(*scramp.ScramMechanism(hash_name).make_auth_info(password, iterations, salt))
    except scramp.ScramException:
        passwords.check(password)
        raise


def decode(text: str | None) -> str:
    """The base64 text of an `<auth>` or `<response>`; `=` means no data (RFC 6120 section 6.4.2)."""
    try:
        return decode_bytes(text).decode()
    except UnicodeDecodeError:
        raise SaslError(SaslCondition.INCORRECT_ENCODING, "expected base64 of UTF-8") from None


def decode_bytes(text: str | None) -> bytes:
    """The same for a mechanism whose data is not text."""
    if not text or text == "=":
        return b""
    try:
        return base64.b64decode(text.strip(), validate=True)
    except ValueError:
        raise SaslError(SaslCondition.INCORRECT_ENCODING, "expected base64 of UTF-8") from None


def encode(data: str | bytes) -> str:
    """The base64 form of the data for the wire."""
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode() or "="


class PlainLogin(NamedTuple):
    """The credentials of a PLAIN login."""

    localpart: str
    password: str


def read_plain(message: str, domain: str) -> PlainLogin:
    """The login in `authzid NUL authcid NUL password`. Raises SaslError."""
    try:
        authzid, authcid, password = message.split("\0")
    except ValueError:
        raise SaslError(SaslCondition.MALFORMED_REQUEST, "PLAIN is authzid NUL authcid NUL password") from None
    localpart = localpart_of(authcid)
    if authzid and not _is_account(authzid, Jid(localpart, domain)):
        raise SaslError(SaslCondition.INVALID_AUTHZID, "acting for another account is not allowed")
    return PlainLogin(localpart, password)


class ScramLogin:
    """The server side of one SCRAM exchange: `username`, then `challenge`, then `finish`."""

    def __init__(self, mechanism: str, bindings: Mapping[str, bytes], nonce: str) -> None:
        """`bindings`: channel binding data by type, empty without TLS; `nonce`: fresh, unpredictable."""
        self.hash_name = mechanism.removesuffix("-PLUS")
        self._mechanism = scramp.ScramMechanism(mechanism)
        self._bindings = bindings
        self._nonce = nonce
        self._client_first = ""

    def username(self, client_first: str) -> str:
        """The prepared localpart that logs in (client-first-message)."""
        self._client_first = client_first
        fields = client_first.split(",", 2)
        if len(fields) < 3 or not fields[2].startswith("n="):
            raise SaslError(SaslCondition.MALFORMED_REQUEST, "not a SCRAM client-first-message")
        if fields[1]:
            raise SaslError(SaslCondition.INVALID_AUTHZID, "acting for another account is not allowed")
        if fields[0].startswith("p=") and fields[0][2:] not in self._bindings:
            raise SaslError(SaslCondition.MALFORMED_REQUEST, f"bindings here: {', '.join(self._bindings) or 'none'}")
        escaped = fields[2][2:].partition(",")[0]
        return localpart_of(escaped.replace("=2C", ",").replace("=3D", "="))

    def challenge(self, keys: Keys) -> str:
        """The server-first-message. For an unknown account pass keys that match no password."""
        wanted = self._client_first.partition(",")[0].removeprefix("p=")
        # a client that chose none is still checked, so that a stripped offer is noticed (RFC 5802 section 6)
        binding = next(((n, d) for n, d in self._bindings.items() if wanted in (n, "y", "n")), None)
        try:
            self._server = self._mechanism.make_server(lambda _: tuple(keys), binding, self._nonce)
            self._server.set_client_first(self._client_first)
            return str(self._server.get_server_first())
        except scramp.ScramException as error:
            raise SaslError(SaslCondition.MALFORMED_REQUEST, str(error)) from None

    def finish(self, client_final: str) -> str:
        """The server-final-message for a client with a valid proof. Raises SaslError for any other."""
        try:
            self._server.set_client_final(client_final)
            return str(self._server.get_server_final())
        except scramp.ScramException:
            raise SaslError(SaslCondition.NOT_AUTHORIZED) from None


class ScramClient:
    """The client side of one SCRAM exchange, with the strongest mechanism that both sides have."""

    def __init__(self, offered: list[str], username: str, password: str, bindings: Mapping[str, bytes], nonce: str):
        usable = [m for m in offered if m in HASHES or (bindings and m.removesuffix("-PLUS") in HASHES)]
        if not usable:
            raise SaslError(SaslCondition.INVALID_MECHANISM, f"none of {', '.join(offered)} is SCRAM")
        # also said if no -PLUS is offered, so that the server notices a stripped offer (RFC 5802 section 6)
        binding = next(iter(bindings.items()), None)
        try:
            self._client = scramp.ScramClient(usable, username, password, channel_binding=binding, c_nonce=nonce)
        except scramp.ScramException as error:
            raise SaslError(SaslCondition.MALFORMED_REQUEST, f"name or password cannot be used: {error}") from None
        self.mechanism: str = self._client.mechanism_name

    def first(self) -> str:
        """The client-first-message."""
        return str(self._client.get_client_first())

    def answer(self, server_first: str) -> str:
        """The client-final-message."""
        try:
            self._client.set_server_first(server_first)
            return str(self._client.get_client_final())
        except scramp.ScramException as error:
            raise SaslError(SaslCondition.MALFORMED_REQUEST, str(error)) from None

    def verify(self, server_final: str) -> None:
        """Raises SaslError if the server does not know the password either."""
        try:
            self._client.set_server_final(server_final)
        except scramp.ScramException as error:
            raise SaslError(SaslCondition.NOT_AUTHORIZED, str(error)) from None


def _is_account(authzid: str, account: Jid) -> bool:
    try:
        return Jid.parse(authzid) == account
    except JidError:
        return False


def localpart_of(text: str) -> str:
    """The prepared localpart of the name that a mechanism carries. Raises SaslError."""
    try:
        return prepare_localpart(text)
    except JidError:
        raise SaslError(SaslCondition.NOT_AUTHORIZED) from None
