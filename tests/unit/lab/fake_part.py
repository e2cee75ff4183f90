"""A part of a lab as its supervisor sees one: `python -m tests.unit.lab.fake_part SOCKET[,SOCKET…] BEHAVIOUR`.

BEHAVIOUR: empty, crash, crash-once or stubborn. It logs, answers `here` on the unix socket of each of its nodes, and
ends on SIGTERM or when its standard input does.
"""

import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path

WORDS = {"at_utc": "2026-01-01T00:00:00.000000+00:00", "level": "warning", "text": "its own words"}


def end_with_input() -> None:
    os.read(0, 1)
    os._exit(0)


def answer(path: Path) -> None:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    while True:
        connection, _ = listener.accept()
        if connection.recv(100) == b"there?":
            connection.sendall(b"here")
        connection.close()


def main() -> None:
    path, *others = map(Path, sys.argv[1].split(","))
    behaviour = sys.argv[2:]
    print(json.dumps(WORDS), flush=True)
    print("no JSON", flush=True)
    for other in others:
        print(json.dumps(WORDS | {"node": other.stem, "text": f"{other.stem} speaks"}), flush=True)
    print("the last line has no end", end="", flush=True)
    marker = path.with_suffix(".crashed")
    if "crash" in behaviour or ("crash-once" in behaviour and not marker.exists()):
        marker.touch()
        raise RuntimeError("meant to crash")
    signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in behaviour else lambda *_: os._exit(0))
    threading.Thread(target=end_with_input, daemon=True).start()
    for other in others:
        threading.Thread(target=answer, args=[other], daemon=True).start()
    answer(path)


if __name__ == "__main__":
    main()
