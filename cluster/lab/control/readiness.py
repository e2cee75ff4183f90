"""Readiness probes: the question to a node, in its own protocol; and asking once, without a reactor."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from hiredis import pack_command

from cluster.base.request import Status
from cluster.lab.control.requests import encoded
from cluster.lab.redis_client import home_of
from cluster.redisio.keys import Keys
from cluster.topology.plan import Plan, ServerNode
from cluster.xmpp.namespaces import CLIENT, STREAMS
from cluster.xmpp.quoting import quoteattr

READINESS = "readiness"
"""Id of the supervisor's requests; a node never has more than one at a time."""


@dataclass(frozen=True)
class ReadinessProbe:
    """The question to a node, its address, and the expected answer."""

    address: Path | tuple[str, int]
    """A unix socket, or host and port."""
    request: bytes
    awaited: bytes
    """Bytes in the answer of a ready node."""
    farewell: bytes = b""
    refusal: bytes = b""
    """Bytes in the answer of a node that is not ready; it is asked again. Empty: such a node does not answer."""
    ca_file: str | None = None
    """The other end begins with TLS, and is checked by these authorities (empty: the system's); None: no TLS."""


def redis_question(address: Path | tuple[str, int], url: str) -> ReadinessProbe:
    """Redis answers commands, after it has read its append-only file."""
    parts = urlsplit(url)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return ReadinessProbe(address, f"AUTH {user} {password}\r\nPING\r\n".encode(), b"+PONG", refusal=b"-LOADING")


def server_question(server: ServerNode) -> ReadinessProbe:
    """A server opens a stream and offers its features (RFC 6120 section 4.3.2)."""
    header = (
        f"<?xml version='1.0'?><stream:stream to={quoteattr(server.domain)} version='1.0' "
        f"xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>"
    )
    return ReadinessProbe((server.host, server.c2s_port), header.encode(), b"</stream:features>", b"</stream:stream>")


def status_question(url: str, plan: Plan, speaks_for: str) -> ReadinessProbe:
    """A gateway or network answers the status request of commands, and says that it is ready. `url`: of the lab's
    Redis, for a user who may ask."""
    keys = Keys.of_lab(plan.name)
    home = home_of(url, keys.control(speaks_for))
    login: Any = ("AUTH", home.user or "default", home.password) if home.password else ("PING",)
    ask: Any = ("RPUSH", keys.control(speaks_for), encoded(READINESS, Status()))
    ring: Any = ("PUBLISH", keys.control(speaks_for), "")
    wait: Any = ("BLPOP", keys.control_reply(speaks_for, READINESS), "0")
    address = (home.host, home.port) if home.host else Path(home.path)
    request = b"".join(map(pack_command, (login, ask, ring, wait)))
    ca_file = home.ca_file if home.scheme == "rediss" else None
    return ReadinessProbe(address, request, b'"ready":true', refusal=b'"ready":false', ca_file=ca_file)


def answers(question: ReadinessProbe, timeout_s: float) -> bool:
    """Ask once, over TCP; False if the expected answer does not come."""
    received = b""
    try:
        with _connected(question, timeout_s) as connection:
            connection.sendall(question.request)
            while question.awaited not in received:
                part = connection.recv(4096)
                if not part:
                    return False
                received += part
            connection.sendall(question.farewell)
    except OSError:
        return False
    return True


def _connected(question: ReadinessProbe, timeout_s: float) -> socket.socket:
    """Raises OSError."""
    assert not isinstance(question.address, Path)
    connection = socket.create_connection(question.address, timeout_s)
    if question.ca_file is None:
        return connection
    context = ssl.create_default_context(cafile=question.ca_file or None)
    return context.wrap_socket(connection, server_hostname=question.address[0])
