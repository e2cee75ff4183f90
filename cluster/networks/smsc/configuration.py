"""The configuration of a message centre."""

from __future__ import annotations

import msgspec


class Subscriber(msgspec.Struct, frozen=True):
    """A phone of the network."""

    number: str
    """International, with its plus."""
    name: str
    """Name of the lab node: `fc1`."""


class EsmeAccount(msgspec.Struct, frozen=True):
    """An ESME that may bind."""

    system_id: str
    password: str
    numbers: tuple[str, ...]
    """Short codes, and beginnings of number ranges such as `+39333`, whose messages it gets. Texts from phones to XMPP
    addresses go to the first."""
    name: str
    """Name of the lab node: `g1`."""


class SmscSettings(msgspec.Struct, frozen=True):
    """One message centre."""

    name: str
    """Name of the lab node: `fn1`."""
    subscribers: tuple[Subscriber, ...]
    esmes: tuple[EsmeAccount, ...]
    validity_s: float = 86_400.0
    """How long a message waits for a phone that is off, if it has no validity_period."""
