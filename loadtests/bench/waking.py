"""How long the system takes to wake a process: what two processes that answer each other wait for beyond their work."""

from __future__ import annotations

import select
import socket
import struct
import time
from multiprocessing import get_context

from cluster.simulation.costs import WAKE_SHARES

ROUNDS = 1_000
PAUSE_S = 0.0005
_CPU_NS = struct.Struct("q")


def wakes_us() -> list[float]:
    """At each of WAKE_SHARES: the time from an event until the process runs, in µs."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as here:
        there, _ = server.accept()
        process = get_context("fork").Process(target=_answer, args=(there, here))
        process.start()
        there.close()
        here.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        here.send(b"?")
        before_ns = _cpu_ns(here)
        found = []
        for _ in range(ROUNDS):
            select.select([], [], [], PAUSE_S)
            began_ns, used_ns = time.monotonic_ns(), time.process_time_ns()
            here.send(b"?")
            after_ns = _cpu_ns(here)
            work_ns = after_ns - before_ns + time.process_time_ns() - used_ns
            found.append(max(0.0, (time.monotonic_ns() - began_ns - work_ns) / 2_000))  # there, and back
            before_ns = after_ns
        here.shutdown(socket.SHUT_WR)
        process.join()
    found.sort()
    return [round(found[int(share * (ROUNDS - 1))], 1) for share in WAKE_SHARES]


def _answer(there: socket.socket, here: socket.socket) -> None:
    here.close()
    there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while there.recv(1):
        there.send(_CPU_NS.pack(time.process_time_ns()))


def _cpu_ns(here: socket.socket) -> int:
    [cpu_ns] = _CPU_NS.unpack(here.recv(_CPU_NS.size, socket.MSG_WAITALL))
    return int(cpu_ns)
