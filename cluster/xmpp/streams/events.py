"""What a stream tells the one that runs it. Stanzas come as `Stanza`; each of these asks for an answer."""

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
    """An element that is no stanza, of a feature that the stream offers; what it asks for is its namespace's to say."""

    name: str
    """`namespace name`."""
    attributes: dict[str, str]


class Misaddressed(msgspec.Struct, frozen=True):
    """A stanza whose `to` is no JID. Answer it with the error."""

    stanza: Stanza
    error: StanzaError


class Closed(msgspec.Struct, frozen=True):
    """Our side is over and its end tag in the output: write that, and hang up when the stream is over altogether."""

    reason: str
    """The stream error's condition and text; empty after a regular end."""


Event = (
    Stanza | TlsWanted | KeysWanted | PasswordGiven | RequestBeforeLogin | BindRequested
    | ResumeRequested | Nonza | Misaddressed | Closed
)  # fmt: skip
