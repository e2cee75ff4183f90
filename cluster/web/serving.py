"""The page's server: a reactor in a thread, beside a command that waits for Ctrl-C."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cluster.lab.api import BadInput, Lab, of_system

HOST = "127.0.0.1"
LOGOUT_S = 1.0
STOP_S = 5.0
"""As long as the end of the server may take."""


@contextmanager
def serve(lab: Lab, port: int = 0, chat: tuple[str, str] | None = None) -> Iterator[str]:
    """Serve the page of a lab until the block ends; yields the address to open, which has the token.

    `port`: 0 chooses a free one. Raises BadInput if it is taken. Once in a process: a reactor does not start again.
    `chat`: an account, phone or mailbox and its password (empty: that of the topology), to chat as when the page opens.
    Raises LabError if it cannot log in.
    """
    from twisted.internet import reactor as default  # noqa: TID251  # an entry point

    from cluster.web.guard import Guard
    from cluster.web.site import Page

    reactor: Any = default
    _log_to_stderr()
    token = secrets.token_urlsafe(18)
    page = Page(lab, reactor)
    try:
        listening = socket.create_server((HOST, port))
    except OSError as error:
        raise BadInput(f"--port {port}: {of_system(error)}; choose another, or leave it out") from None
    with listening:
        listening.setblocking(False)
        at = listening.getsockname()[1]
        reactor.adoptStreamPort(listening.fileno(), socket.AF_INET, page.site(Guard(HOST, at, token)))
    running = threading.Thread(target=reactor.run, args=(False,), daemon=True, name="page")
    running.start()
    try:
        if chat is not None:
            page.chats.open(*chat)
        yield f"http://{HOST}:{at}/#{token}{'/chat' if chat else ''}"
    finally:
        page.chats.close_all(LOGOUT_S)
        reactor.callFromThread(reactor.stop)
        running.join(STOP_S)


def _log_to_stderr() -> None:
    """Write what went wrong in the server; nothing else, for the terminal is the user's."""
    import sys

    from twisted.logger import FilteringLogObserver, LogLevel, LogLevelFilterPredicate, globalLogBeginner
    from twisted.logger import textFileLogObserver as to_file

    wanted: Any = LogLevelFilterPredicate(defaultLogLevel=LogLevel.error)  # zope.interface has no types
    written: Any = to_file(sys.stderr)
    observer: Any = FilteringLogObserver(written, [wanted])
    globalLogBeginner.beginLoggingTo([observer], discardBuffer=True, redirectStandardIO=False)
