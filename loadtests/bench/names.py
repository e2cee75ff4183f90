"""Name service for the peers, which look up their partners in the DNS: dnsmasq on its own port, without root."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cluster.kinds.base.child import child

HOST = "127.94.0.1"


@contextmanager
def names(folder: Path, port: int, s2s_ports: Mapping[str, int]) -> Iterator[None]:
    """Answers where each domain accepts other servers (RFC 6120 section 3.2.1): on which port of localhost. It listens
    at HOST and `port`.

    Always localhost: ejabberd asks the C library for the address, which knows no other name without root.
    """
    folder.mkdir()
    command = [
        "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--pid-file=",
        "--user=", "--group=", f"--port={port}", f"--listen-address={HOST}", "--bind-interfaces", "--local=/lit/",
        *(f"--srv-host=_xmpp-server._tcp.{domain},localhost,{s2s_port}" for domain, s2s_port in s2s_ports.items()),
    ]  # fmt: skip
    with child(command, folder):
        yield
