"""Another project's program, run in its own folder until a block ends. Without a reactor: load tests use it too."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cluster.xmpp.quoting import quoteattr

PATIENCE_S = 60.0
"""Time limit for a program to start, or to end."""
LOOK_EVERY_S = 0.02
ANSWER_TIMEOUT_S = 5.0

Address = tuple[str, int]


class DidNotStart(Exception):
    """The message is the program's output."""


@contextmanager
def child(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs in `folder`, with its output in `out.log`; ends with the block."""
    with (folder / "out.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(process: subprocess.Popen[bytes], folder: Path, domain: str, c2s: Address) -> None:
    """Return when the server offers a client its features (RFC 6120 section 4.3.2). Raises DidNotStart."""
    until_s = time.monotonic() + PATIENCE_S
    while not _answers(domain, c2s):
        try:
            process.wait(LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            if time.monotonic() < until_s:
                continue
        said = (folder / "out.log").read_text(errors="replace")[-2000:]
        raise DidNotStart(f"{domain} does not answer at {c2s[0]}:{c2s[1]}: {said}")


def _answers(domain: str, c2s: Address) -> bool:
    try:
        with socket.create_connection(c2s, ANSWER_TIMEOUT_S) as connection:
            connection.sendall(
                f"<stream:stream to={quoteattr(domain)} version='1.0' xmlns='jabber:client' "
                f"xmlns:stream='http://etherx.jabber.org/streams'>".encode()
            )
            received = b""
            while data := connection.recv(4096):
                received += data
                if b"</stream:features>" in received:
                    return True
    except OSError:
        pass
    return False
