"""The page of a lab, served in the process of a test."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cluster.lab.api import Lab
from cluster.web.guard import Guard
from cluster.web.site import Page
from tests.harness import ReactorThread


@contextmanager
def served(lab: Lab, reactor_thread: ReactorThread, token: str) -> Iterator[tuple[int, Page]]:
    """Its port, and the page."""
    reactor = reactor_thread.reactor
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        port = listening.getsockname()[1]

        async def start() -> tuple[Any, Page]:
            page = Page(lab, reactor)
            site = page.site(Guard("127.0.0.1", port, token))
            return reactor.adoptStreamPort(listening.fileno(), socket.AF_INET, site), page

        opened, page = reactor_thread.run(start)

    async def stop() -> None:
        await opened.stopListening()

    try:
        yield port, page
    finally:
        reactor_thread.run(stop)
