"""What a request of the page is."""

from __future__ import annotations

import shlex
from abc import ABCMeta, abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from cluster.lab.api import Lab

if TYPE_CHECKING:
    from cluster.web.chats import Chats
    from cluster.web.live import Live

Name = Annotated[str, Meta(max_length=3_100)]
"""Longer than any address (RFC 7622 section 3.1)."""


class Page(Protocol):
    """What requests are about."""

    lab: Lab
    chats: Chats
    live: Live


class _Meta(msgspec.StructMeta, ABCMeta):
    """A struct with abstract methods."""


class Ask(msgspec.Struct, metaclass=_Meta, frozen=True, tag_field="do", forbid_unknown_fields=True):
    """The base of all requests."""

    @abstractmethod
    def run(self, page: Page) -> Any:
        """The answer; called in a thread. Raises Refused, and ValueError with the remedy."""

    def words(self) -> tuple[str, ...]:
        """The command that does the same, without `xmpplab`; empty: none."""
        return ()

    @property
    def is_change(self) -> bool:
        """Whether it changes the lab, and so is told to everybody who looks at the page."""
        return False


class Change(Ask, frozen=True):
    """The base of requests that change the lab."""

    @property
    def is_change(self) -> bool:
        return True


def command_of(ask: Ask, lab: str) -> str:
    """The whole command, for people to copy; empty if there is none."""
    words = ask.words()
    return shlex.join(("xmpplab", *words, "--lab", lab)) if words else ""
