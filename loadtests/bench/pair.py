"""Two servers that federate, as the load sees them, whatever program they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtests.bench.cost import Processes


@dataclass(frozen=True)
class Server:
    """One domain and where its clients connect; TLS is on offer, and nobody has to take it."""

    domain: str
    host: str
    port: int


@dataclass(frozen=True)
class Pair:
    """Running, and linked to each other."""

    servers: tuple[Server, ...]
    """Two; more if a growing network is measured."""
    ca_file: str
    """The certificate that clients trust, PEM."""
    processes: Processes
    """All processes of the pair: servers, Redis, a supervisor."""
    start_s: float
    """From the command until both servers answer a client."""


@dataclass(frozen=True)
class Contender:
    """One kind of pair."""

    name: str
    missing: str
    """Why it cannot be started on this machine, with the remedy; empty if it can."""
    start: Callable[[Path], AbstractContextManager[Pair]]
    """Starts a pair that keeps everything in this folder, and takes it down again."""


@contextmanager
def timed() -> Iterator[Callable[[], float]]:
    """Seconds since the block began."""
    begun_s = time.monotonic()
    yield lambda: time.monotonic() - begun_s
