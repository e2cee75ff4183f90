"""The events of a stream for its caller. Stanzas come as `Stanza`; each of these expects an answer."""

from __future__ import annotations

import msgspec

from cluster.xmpp.errors import StanzaError
from cluster.xmpp.stanza import Stanza


class TlsWanted(msgspec.Struct, frozen=True):
    """`<proceed/>` is in the output: write it, begin TLS, then call `tls_started`."""


class KeysWanted(msgspec.Struct, frozen=True):
    """A SCRAM login: look the account up, then call `keys_found`."""

    localpart: str
    hash_name: str


class PasswordGiven(msgspec.Struct, frozen=True):
    """A PLAIN login: check it, then call `password_checked`."""

    localpart: str
    password: str


class RequestBeforeLogin(msgspec.Struct, frozen=True):
    """An iq of a peer that is not authenticated (XEP-0077); answer with `request_answered`."""

    stanza: Stanza


class BindRequested(msgspec.Struct, frozen=True):
    """The peer wants this resource (None: any). Answer with `bound` or `bind_refused`."""

    resource: str | None


class ResumeRequested(msgspec.Struct, frozen=True):
    """The peer wants its former stream back (XEP-0198 section 5). Answer with `resumed` or `resume_refused`."""

    previd: str
    h: int


class Nonza(msgspec.Struct, frozen=True):
    """An element that is not a stanza, of a feature that the stream offers; its namespace defines its meaning."""

    name: str
    """`namespace name`."""
    attributes: dict[str, str]


class TokenGiven(msgspec.Struct, frozen=True):
    """A login by token (XEP-0484): check it, then call `token_checked`."""

    localpart: str
    agent: str
    """Id of the client's installation, which the token must be for."""
    mechanism: str
    hashed: bytes
    """The proof that the client has the token."""
    binding: bytes
    """The channel binding data that goes into it."""
    count: int | None
    """Of this use of the token; None if the client does not count."""
    invalidates: bool
    """The client gives its tokens up."""


class InlineBind(msgspec.Struct, frozen=True):
    """A client wants a resource together with its login (XEP-0386)."""

    tag: str
    """Name of its software, for the resourcepart; empty if it does not say."""
    agent: str
    """Id of the client's installation; empty if it does not say."""
    features: tuple[Nonza, ...]
    """What it wants to be enabled at once, each once."""


class TokenWanted(msgspec.Struct, frozen=True):
    """A client wants a token for its next login (XEP-0484)."""

    agent: str
    mechanism: str


class SessionWanted(msgspec.Struct, frozen=True):
    """A login is accepted, and what came with it is to be done before the client knows (XEP-0388): first the token,
    then the resumption, then, if that is not possible, the binding. Answer with `opened` or `opening_refused`."""

    localpart: str
    token: TokenWanted | None
    resume: ResumeRequested | None
    bind: InlineBind | None


class Misaddressed(msgspec.Struct, frozen=True):
    """A stanza whose `to` is not a JID. Answer it with the error."""

    stanza: Stanza
    error: StanzaError


class Closed(msgspec.Struct, frozen=True):
    """Our side is closed and its end tag in the output: write that, and disconnect when the stream has ended on both
    sides."""

    reason: str
    """The stream error's condition and text; empty after a regular end."""


Event = (
    Stanza | TlsWanted | KeysWanted | PasswordGiven | RequestBeforeLogin | BindRequested
    | ResumeRequested | TokenGiven | SessionWanted | Nonza | Misaddressed | Closed
)  # fmt: skip
