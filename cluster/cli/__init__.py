"""The command `xmpplab`: one file per sub-command."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Exit code 0: done; 1: it could not be done; 2: what was asked for makes no sense; 130: interrupted."""
    interrupt = signal.getsignal(signal.SIGINT)
    if interrupt is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # while nothing is under way, it ends this process without a word
    _write_everything()
    from cluster.cli.app import run

    signal.signal(signal.SIGINT, interrupt)
    try:
        code = run()
    finally:
        if interrupt is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(code)


def _write_everything() -> None:
    """Let a terminal that has no character for something show its number, and one that is closed take nothing."""
    if sys.stdin is None:  # closed before we began, and a file that is to be inherited would get its number
        os.open(os.devnull, os.O_RDONLY)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:  # closed before we began, and the next file that is opened would get its number
            while os.open(os.devnull, os.O_WRONLY) < number:
                pass
            stream = open(number, "w", closefd=False)  # noqa: SIM115  # for as long as we run
            setattr(sys, name, stream)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


__all__ = ["main"]
