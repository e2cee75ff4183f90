"""The command `xmpplab`: one file per sub-command."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys

GARBAGE_AFTER = 50_000
"""New objects after which Python looks for garbage, in place of 700: what is imported is none."""


def main() -> None:
    """Exit codes: 0, done; 1, failed; 2, bad input; 127, no such program; 130, interrupted."""
    interrupt = signal.getsignal(signal.SIGINT)
    if interrupt is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # SIGINT ends an idle process without a message
    _write_everything()
    gc.set_threshold(GARBAGE_AFTER)
    atexit.register(gc.freeze)  # or Python would go through all that was imported, a third of most commands
    from cluster.cli.app import run

    signal.signal(signal.SIGINT, interrupt)
    try:
        code = run()
    finally:
        if interrupt is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(code)


def _write_everything() -> None:
    """Make a terminal show the number of a character that it lacks, and a closed standard stream be an empty one."""
    if sys.stdin is None:  # it was closed at start, and an inherited file would get its number
        sys.stdin = open(os.devnull)  # noqa: SIM115  # for as long as we run
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:  # it was closed at start, and the next file that is opened would get its number
            while os.open(os.devnull, os.O_WRONLY) < number:
                pass
            stream = open(number, "w", closefd=False)  # noqa: SIM115  # for as long as we run
            setattr(sys, name, stream)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


__all__ = ["main"]
