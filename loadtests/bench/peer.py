"""Pairs of other servers, from Debian's packages: no root, no /etc/hosts, everything in one folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cluster.kinds.base import foreign
from cluster.kinds.base.foreign import LOCALHOST, ForeignServer, Host, Settings
from loadtests.bench import names
from loadtests.bench.certificate import write_certificate
from loadtests.bench.cost import Processes
from loadtests.bench.pair import Contender, Pair, Server, timed
from loadtests.bench.ports import free_ports

DOMAINS = ("montague.lit", "capulet.lit")


def contender(kind: ForeignServer, more: Mapping[str, Mapping[str, Any]] | None = None) -> Contender:
    """A pair of these servers; `more`: by domain, settings of its server in addition."""
    missing = kind.missing
    if not missing and shutil.which("dnsmasq", path=foreign.PATH) is None:
        missing = "dnsmasq not found: apt-get install dnsmasq-base"
    return Contender(kind.name, missing, lambda folder: _pair(folder, kind, more or {}))


@contextmanager
def _pair(folder: Path, kind: ForeignServer, more: Mapping[str, Mapping[str, Any]]) -> Iterator[Pair]:
    write_certificate(folder, DOMAINS)
    dns_port, *ports = free_ports(1 + 2 * len(DOMAINS))
    peers = [
        Settings(
            folder / domain,
            (Host(domain, c2s_port, "optional"),),
            folder,
            channel_binding=False,  # over TLS 1.3 ejabberd offers none that Python's ssl has
            s2s_port=s2s_port,
            name_server=(names.HOST, dns_port),
            **more.get(domain, {}),
        )
        for domain, c2s_port, s2s_port in zip(DOMAINS, ports[::2], ports[1::2], strict=True)
    ]
    with ExitStack() as running:
        s2s_ports = {domain: peer.s2s_port for peer in peers for domain in (peer.hosts[0].domain, *peer.rooms)}
        running.enter_context(names.names(folder / "names", dns_port, s2s_ports))
        with timed() as since_s:
            processes = [running.enter_context(kind.started(peer)) for peer in peers]
            for peer, process in zip(peers, processes, strict=True):
                foreign.ready(process, peer)
            took_s = since_s()
        servers = tuple(Server(host.domain, LOCALHOST, host.c2s_port) for peer in peers for host in peer.hosts)
        yield Pair(servers, str(folder / "cert.pem"), Processes([each.pid for each in processes]), took_s)
