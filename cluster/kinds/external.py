"""`external`: a server that the user starts, such as one in a debugger."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Any

from typing_extensions import override

from cluster.kinds.base.key import Key
from cluster.kinds.base.server import PORTS, TLS, ServerNode
from cluster.kinds.base.values import Text


def _address(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address; write one, or delete this key") from None
    if address.is_unspecified or address.is_multicast:
        raise ValueError(f"no server is at {text}; write the address that others connect to, or delete this key")
    return str(address)


class External(ServerNode, frozen=True, kw_only=True, tag_field="kind", tag="external"):
    """A place in the lab, with names and a certificate; the lab starts nothing."""

    about = (
        "A server that you start yourself, such as one in a debugger: the lab gives it an address, names and a "
        "certificate, and links that lead to it. `xmpplab ps` prints where it is to listen, and with which files."
    )
    settings = (TLS, *PORTS)
    keys = (
        Key(
            "host",
            Annotated[str, Text(_address)] | None,
            "IP address where it listens; without it, a loopback address of the lab.",
            None,
        ),
    )
    service_kinds = None
    is_started = False

    @override
    @classmethod
    def fields(cls, written: dict[str, Any]) -> dict[str, Any]:
        return written

    @override
    @property
    def ports(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys((*super().ports, *self.s2s_ports)))

    @override
    @property
    def listeners(self) -> list[tuple[str, int]]:
        return []


kind = External
