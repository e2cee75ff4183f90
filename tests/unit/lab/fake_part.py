"""A part of a lab as its supervisor sees one: `python fake_part.py SOCKET [crash|crash-once|stubborn]`.

It logs, answers `here` on its unix socket, and ends on SIGTERM or when its standard input does.
"""

import os
import signal
import socket
import sys
import threading
from pathlib import Path

path = Path(sys.argv[1])
behaviour = sys.argv[2:]
print('{"at_utc": "2026-01-01T00:00:00.000000+00:00", "level": "warning", "text": "its own words"}', flush=True)
print("no JSON", flush=True)
print("the last line has no end", end="", flush=True)
marker = path.with_suffix(".crashed")
if "crash" in behaviour or ("crash-once" in behaviour and not marker.exists()):
    marker.touch()
    raise RuntimeError("meant to crash")
signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in behaviour else signal.SIG_DFL)


def end_with_input() -> None:
    os.read(0, 1)
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
path.unlink(missing_ok=True)
listener = socket.socket(socket.AF_UNIX)
listener.bind(str(path))
listener.listen()
while True:
    connection, _ = listener.accept()
    if connection.recv(100) == b"there?":
        connection.sendall(b"here")
    connection.close()
