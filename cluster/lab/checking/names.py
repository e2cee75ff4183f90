"""Queries to the lab's DNS, as any client makes them."""

from __future__ import annotations

import secrets
import socket
from typing import Any

from twisted.names import dns as untyped

dns: Any = untyped
PATIENCE_S = 2.0


def addresses(name_server: tuple[str, int], name: str) -> list[str]:
    """A records. Raises OSError if there is no answer."""
    return [each.payload.dottedQuad() for each in _asked(name_server, name, dns.A)]


def services(name_server: tuple[str, int], service: str, domain: str) -> list[tuple[str, int]]:
    """SRV records: target and port."""
    found = _asked(name_server, f"{service}._tcp.{domain}", dns.SRV)
    return [(each.payload.target.name.decode(), each.payload.port) for each in found]


def _asked(name_server: tuple[str, int], name: str, kind: int) -> list[Any]:
    question = dns.Message(id=secrets.randbelow(1 << 16), recDes=True)
    question.queries = [dns.Query(name.encode(), kind)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(PATIENCE_S)
        asking.connect(name_server)
        asking.send(question.toStr())
        answer = dns.Message()
        answer.fromStr(asking.recv(65_536))
    return [each for each in answer.answers if each.type == kind]
