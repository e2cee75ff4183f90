"""A server that is not ours, as a program of this machine: what all of them are told, and how one is run.

In a lab it is a node (ForeignServerNode); load tests and conformance tests run it without one (ForeignServer.running).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from typing_extensions import override

from cluster.kinds.base.child import Address, child, wait_for
from cluster.kinds.base.server import AccountSeed, ServerNode

LOCALHOST = "127.0.0.1"
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
"""Where Debian has ejabberd and dnsmasq, and not every account looks."""


@dataclass(frozen=True)
class Host:
    """A domain that it serves, and where clients of this domain connect."""

    domain: str
    c2s_port: int
    tls: Literal["off", "optional", "required"] = "off"
    """With `off` PLAIN is on offer."""
    direct_tls_port: int = 0
    """For clients that begin with TLS (XEP-0368); 0: nobody listens there."""


@dataclass(frozen=True)
class Settings:
    """One server. It keeps all its files in `folder`, and listens on the loopback."""

    folder: Path
    hosts: tuple[Host, ...]
    certificates: Path | None = None
    """Folder with cert.pem, key.pem, and full.pem with both, for all hosts; None where no host has TLS."""
    channel_binding: bool = True
    """SCRAM with it is on offer where the server has it."""
    s2s_port: int = 0
    """Where other servers connect; 0: it does not federate."""
    ca_file: Path | None = None
    """Whom it believes the certificates of other servers. With it servers must encrypt, and a certificate proves their
    domain where it can (RFC 6120 section 13.7), else dialback; without, all is in the clear, by dialback."""
    name_server: Address | None = None
    """Whom it asks for the addresses of other servers."""
    hosts_file: Path | None = None
    """The same as a file, for servers that read one."""
    component_port: int = 0
    components: Mapping[str, str] = field(default_factory=dict)
    """Secrets of the components (XEP-0114) that it lets in, by their domains."""
    rooms: tuple[str, ...] = ()
    """Domains of its room services (XEP-0045)."""
    eventing: bool = False
    """Its accounts have nodes (XEP-0163), also where it is lean."""
    address: str = LOCALHOST
    """Where it listens."""
    registration: bool = True
    """Everybody may register (XEP-0077)."""
    accounts: tuple[AccountSeed, ...] = ()
    """Of the first host, which exist from its first start."""
    is_lean: bool = True
    """It has what tests and load need, and no limits; else also what its users expect: an archive, PEP, carbons."""


@dataclass(frozen=True)
class ForeignServer:
    """One kind of servers."""

    name: str
    programs: tuple[str, ...]
    packages: str
    """Of Debian, for `apt-get install`."""
    command: Callable[[Settings], tuple[Sequence[str], Mapping[str, str]]]
    """Writes the configuration; the command that runs the server, and what its environment needs."""
    asks_system: bool = False
    """It can be told neither a name server nor a hosts file: a lab runs it where the system's has the lab's names."""

    @property
    def missing(self) -> str:
        """Why it cannot be started on this machine, with the remedy; empty where it can."""
        lacking = [program for program in self.programs if shutil.which(program, path=PATH) is None]
        return f"{', '.join(lacking)} not found: apt-get install {self.packages}" if lacking else ""

    @contextmanager
    def started(self, settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
        """It runs until the block ends, and may not answer yet."""
        command, environment = self.prepared(settings)
        with child(command, settings.folder, environment) as process:
            yield process

    def prepared(self, settings: Settings) -> tuple[Sequence[str], dict[str, str]]:
        """Writes the configuration; the command, and its environment beside our own."""
        (settings.folder / "data").mkdir(parents=True, exist_ok=True)
        command, environment = self.command(settings)
        return command, {"PATH": PATH, "HOME": str(settings.folder), **environment}

    @contextmanager
    def running(self, settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
        """It answers, and runs until the block ends. Raises DidNotStart."""
        with self.started(settings) as process:
            ready(process, settings)
            yield process


def ready(process: subprocess.Popen[bytes], settings: Settings) -> None:
    """Return when it answers clients of each host. Raises DidNotStart."""
    for host in settings.hosts:
        wait_for(process, settings.folder, host.domain, (LOCALHOST, host.c2s_port))


class ForeignServerNode(ServerNode, frozen=True, kw_only=True):
    """A server of a lab that is not ours. A kind is a subclass, which says what it runs; its tag is what it is called.

    It has its configuration and its data in the folder with its name in the lab's, and nothing in Redis.
    """

    server_program: ClassVar[ForeignServer]
    has_channel_binding: ClassVar[bool] = True
    """What it offers of that works with clients of the field."""
    hosts: ClassVar[tuple[str, ...] | None] = ()
    keeps_data = True

    @override
    @property
    def ports(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys((*super().ports, self.s2s_port)))

    def run_in(self, folder: Path, ca_file: Path, name_server: Address | None, hosts_file: Path) -> Settings:
        """What it is told. `folder`: its own, which has its certificate, too."""
        return Settings(
            folder,
            (Host(self.domain, self.c2s_port, self.tls, 0 if self.tls == "off" else self.direct_tls_port),),
            folder,
            s2s_port=self.s2s_port, ca_file=None if self.tls == "off" else ca_file,
            name_server=name_server, hosts_file=hosts_file,
            component_port=self.component_port if self.components else 0,
            components={each.domain: each.secret for each in self.components},
            rooms=tuple(each.domain for each in self.services if each.kind == "rooms"),
            channel_binding=self.has_channel_binding, address=self.host,
            registration=self.registration, accounts=self.accounts, is_lean=False,
        )  # fmt: skip
