"""A user of a foreign network of the lab, such as the owner of a phone or a mailbox."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from cluster.base.request import Answer_co, Request


class Ask(Protocol):
    """Sends a request to the network. Raises Refused (cluster/base/request.py)."""

    def __call__(self, request: Request[Answer_co], /) -> Answer_co: ...


class Received(Protocol):
    """A received text, and when it arrived; `trace_id` is empty if it is not followed."""

    @property
    def at_utc_s(self) -> float: ...
    @property
    def text(self) -> str: ...
    @property
    def trace_id(self) -> str: ...


class Person(ABC):
    """The base of all users; its methods raise Refused."""

    def __init__(self, ask: Ask, address: str) -> None:
        self.address = address
        self._ask = ask

    @abstractmethod
    def inbox(self, after: int = 0) -> Sequence[Received]:
        """The received texts, oldest first, without the first `after`."""

    @abstractmethod
    def write(self, to: str, domain: str, text: str, trace_id: str) -> None:
        """Write to an XMPP address, through the gateway of this domain."""

    def answer(self, to: str, domain: str, text: str, *, answering: str, trace_id: str) -> None:
        """Answer the text with the trace id `answering`, to exactly this address."""
        self.write(to, domain, text, trace_id)
