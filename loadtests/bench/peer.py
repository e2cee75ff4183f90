"""Pairs of other servers, from Debian's packages: no root, no /etc/hosts, everything in one folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

from loadtests.bench.certificate import write_certificate
from loadtests.bench.child import child, wait_for
from loadtests.bench.cost import Processes
from loadtests.bench.names import names
from loadtests.bench.pair import Contender, Pair, Server, timed

DOMAINS = ("montague.lit", "capulet.lit")
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
"""Where Debian has ejabberd and dnsmasq, and not every account looks."""
_LOCALHOST = "127.0.0.1"


@dataclass(frozen=True)
class Peer:
    """One server, as its configuration needs it."""

    domain: str
    folder: Path
    c2s_port: int
    s2s_port: int
    dns_port: int
    """Of the name service, which is at `names.HOST`."""

    @property
    def certificates(self) -> Path:
        """Where cert.pem, key.pem and full.pem are."""
        return self.folder.parent

    @property
    def server(self) -> Server:
        return Server(self.domain, _LOCALHOST, self.c2s_port)

    def write(self, name: str, template: str, **more: object) -> Path:
        """A configuration file, in which `$name` stands for a field of this."""
        file = self.folder / name
        fields = {
            each: getattr(self, each)
            for each in ("domain", "folder", "c2s_port", "s2s_port", "dns_port", "certificates")
        }
        file.write_text(Template(template).substitute(fields, **more))
        return file


Run = Callable[[Peer], tuple[Sequence[str], Mapping[str, str]]]
"""Writes the server's configuration; the command that runs it in its folder, and what its environment needs."""


def contender(name: str, programs: Sequence[str], packages: str, run: Run) -> Contender:
    """A pair of the server that `run` runs."""
    lacking = [program for program in (*programs, "dnsmasq") if shutil.which(program, path=_PATH) is None]
    missing = f"{', '.join(lacking)} not found: apt-get install {packages} dnsmasq-base" if lacking else ""
    return Contender(name, missing, lambda folder: _pair(folder, run))


@contextmanager
def _pair(folder: Path, run: Run) -> Iterator[Pair]:
    write_certificate(folder, DOMAINS)
    dns_port, *ports = _free_ports(1 + 2 * len(DOMAINS))
    peers = [
        Peer(domain, folder / domain, c2s_port, s2s_port, dns_port)
        for domain, c2s_port, s2s_port in zip(DOMAINS, ports[::2], ports[1::2], strict=True)
    ]
    with ExitStack() as running:
        running.enter_context(names(folder / "names", dns_port, {peer.domain: peer.s2s_port for peer in peers}))
        with timed() as since_s:
            processes = [running.enter_context(_running(peer, run)) for peer in peers]
            for peer, process in zip(peers, processes, strict=True):
                wait_for(process, peer.folder, peer.server)
            took_s = since_s()
        servers = tuple(peer.server for peer in peers)
        yield Pair(servers, str(folder / "cert.pem"), Processes([each.pid for each in processes]), took_s)


@contextmanager
def _running(peer: Peer, run: Run) -> Iterator[subprocess.Popen[bytes]]:
    (peer.folder / "data").mkdir(parents=True)
    command, environment = run(peer)
    with child(command, peer.folder, {"PATH": _PATH, "HOME": str(peer.folder), **environment}) as process:
        yield process


def _free_ports(count: int) -> list[int]:
    with ExitStack() as holding:
        sockets = [holding.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((_LOCALHOST, 0))
        return [int(each.getsockname()[1]) for each in sockets]
