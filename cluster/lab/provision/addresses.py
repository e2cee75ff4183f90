"""The addresses of this machine that are free for a lab."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

from cluster.lab.errors import LabError
from cluster.topology.plan import Plan

_TRIAL_HOST = "127.16.0.1"


def has_own_hosts() -> bool:
    """Whether every 127.x.y.z is an address of this machine (Linux), or only 127.0.0.1 (macOS)."""
    return _refusal(_TRIAL_HOST, 0) != errno.EADDRNOTAVAIL


def may_listen(port: int) -> bool:
    """Whether this user may listen on the port, even if a program does so now."""
    return _refusal(_TRIAL_HOST, port) not in (errno.EACCES, errno.EPERM, errno.EADDRNOTAVAIL)


def first_free(plans: Sequence[Plan]) -> Plan:
    """The first plan whose nodes can listen at all of its addresses. Raises LabError."""
    taken = ""
    for plan in plans:
        refusals = [(f"{host}:{port}", _refusal(host, port)) for host, port in plan.listeners]
        refused = [(address, number) for address, number in refusals if number]
        if not refused:
            return plan
        taken, number = refused[0]
        if number in (errno.EACCES, errno.EPERM):
            raise LabError(f"no permission to listen on {taken}; write a `c2s_port` above 1023 into the topology")
    port = taken.rpartition(":")[2]
    raise LabError(
        f"{taken} is in use, and so is port {port} at the other addresses that were tried: another program listens on "
        f"all addresses; find it with `ss -ltnp` (Linux) or `lsof -iTCP -sTCP:LISTEN`, or write another `c2s_port`"
    )


def check_free(addresses: Sequence[tuple[str, int]]) -> None:
    """Raises LabError if another program listens on one of them."""
    for host, port in addresses:
        if _refusal(host, port):
            raise LabError(f"{host}:{port} is in use by another program; find it with `ss -ltnp`, and end it")


def _refusal(host: str, port: int) -> int:
    """Why a server could not listen there (an errno); 0 if it could."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do: old connections do not count
        try:
            trial.bind((host, port))
        except OSError as error:
            return error.errno or errno.EINVAL
    return 0
