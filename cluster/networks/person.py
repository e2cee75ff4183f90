"""One of the people of a foreign network of the lab, such as a phone or a mailbox: what it reads and writes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from cluster.base.request import Answer_co, Request


class Ask(Protocol):
    """Asks the network. Raises Refused (cluster/base/request.py)."""

    def __call__(self, request: Request[Answer_co], /) -> Answer_co: ...


class Received(Protocol):
    """What somebody has received; `trace_id` is empty where it is not followed."""

    @property
    def text(self) -> str: ...
    @property
    def trace_id(self) -> str: ...


class Person(ABC):
    """Its methods raise Refused."""

    def __init__(self, ask: Ask, address: str) -> None:
        self.address = address
        self._ask = ask

    @abstractmethod
    def inbox(self, after: int = 0) -> Sequence[Received]:
        """What it has received, oldest first, without the first `after`."""

    @abstractmethod
    def write(self, to: str, domain: str, text: str, trace_id: str) -> None:
        """Write to an address of XMPP, by the gateway that has this domain."""

    def answer(self, to: str, domain: str, text: str, *, answering: str, trace_id: str) -> None:
        """Answer what came with the trace id `answering`, to this very address."""
        self.write(to, domain, text, trace_id)
