"""A server of another project, as a program of this machine: its common settings, and how it runs.

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
from typing import ClassVar, Literal, Protocol

from typing_extensions import override

from cluster.kinds.base.child import Address, child, wait_for
from cluster.kinds.base.server import AccountSeed, ServerNode

LOCALHOST = "127.0.0.1"
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
"""Debian has ejabberd and dnsmasq there, where not every account looks."""


@dataclass(frozen=True)
class Host:
    """A domain of the server, and the address for its clients."""

    domain: str
    c2s_port: int
    tls: Literal["off", "optional", "required"] = "off"
    """With `off`, PLAIN is offered."""
    direct_tls_port: int = 0
    """For clients that begin with TLS (XEP-0368); 0: none."""


@dataclass(frozen=True)
class Settings:
    """The settings of one server. All its files are in `folder`, and it listens on the loopback."""

    folder: Path
    hosts: tuple[Host, ...]
    certificates: Path | None = None
    """Folder with cert.pem, key.pem, and full.pem with both, for all hosts; None if no host has TLS."""
    channel_binding: bool = True
    """Offer SCRAM with channel binding, if the server has it."""
    s2s_port: int = 0
    """Port for other servers; 0: it does not federate."""
    s2s_direct_tls_port: int = 0
    """Port for other servers that begin with TLS (XEP-0368); 0: none."""
    bidirectional: bool = False
    """Its streams carry both ways (XEP-0288) where the other server can, if it knows that."""
    ca_file: Path | None = None
    """The CA that it trusts for other servers. With it, servers must encrypt, and prove their domains by certificates
    if possible (RFC 6120 section 13.7), otherwise by dialback; without it, all is in clear text, with dialback."""
    name_server: Address | None = None
    """The name server for addresses of other servers."""
    hosts_file: Path | None = None
    """The same as a file, for servers that read one."""
    component_port: int = 0
    components: Mapping[str, str] = field(default_factory=dict)
    """Secrets of its components (XEP-0114), by their domains."""
    rooms: tuple[str, ...] = ()
    """Domains of its room services (XEP-0045)."""
    pubsub: Mapping[str, str] = field(default_factory=dict)
    """By the domains of its publish-subscribe services (XEP-0060): who creates nodes, as in the topology."""
    eventing: bool = False
    """Its accounts have nodes (XEP-0163), even if it is lean."""
    address: str = LOCALHOST
    """Its address."""
    registration: bool = True
    """Everybody may register (XEP-0077)."""
    accounts: tuple[AccountSeed, ...] = ()
    """Accounts of the first host, which exist from its first start."""
    is_lean: bool = True
    """It has only what tests and load need, without limits; otherwise also what users expect: an archive, PEP,
    carbons."""


class Accounts(Protocol):
    """The accounts of one domain of a server that runs, changed from outside."""

    def names(self) -> list[str]:
        """Their localparts, in order."""

    def store(self, localpart: str, password: str) -> None:
        """Create the account, or change its password; its sessions continue."""

    def delete(self, localpart: str) -> None:
        """Remove the account and all its data."""


@dataclass(frozen=True)
class ForeignServer:
    """One kind of server."""

    name: str
    programs: tuple[str, ...]
    packages: str
    """Debian's packages, for `apt-get install`."""
    command: Callable[[Settings], tuple[Sequence[str], Mapping[str, str]]]
    """Writes the configuration; returns the command of the server, and variables for its environment."""
    asks_system: bool = False
    """It accepts neither a name server nor a hosts file: a lab runs it in a namespace where the system's have the lab's
    names."""
    accounts: Callable[[Path, str], Accounts] | None = None
    """Its accounts, by its folder and a domain of its own; None if they cannot be changed from outside."""

    @property
    def missing(self) -> str:
        """Why it cannot be started on this machine, with the remedy; empty if it can."""
        lacking = [program for program in self.programs if shutil.which(program, path=PATH) is None]
        return f"{', '.join(lacking)} not found: apt-get install {self.packages}" if lacking else ""

    @contextmanager
    def started(self, settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
        """Runs until the block ends, and may not answer yet."""
        command, environment = self.prepared(settings)
        with child(command, settings.folder, environment) as process:
            yield process

    def prepared(self, settings: Settings) -> tuple[Sequence[str], dict[str, str]]:
        """Writes the configuration; returns the command, and its environment in addition to ours."""
        (settings.folder / "data").mkdir(parents=True, exist_ok=True)
        command, environment = self.command(settings)
        return command, {"PATH": PATH, "HOME": str(settings.folder), **environment}

    @contextmanager
    def running(self, settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
        """Answers, and runs until the block ends. Raises DidNotStart."""
        with self.started(settings) as process:
            ready(process, settings)
            yield process


def ready(process: subprocess.Popen[bytes], settings: Settings) -> None:
    """Return when it answers clients of each host. Raises DidNotStart."""
    for host in settings.hosts:
        wait_for(process, settings.folder, host.domain, (LOCALHOST, host.c2s_port))


class ForeignServerNode(ServerNode, frozen=True, kw_only=True):
    """A server of a lab of another project. A kind is a subclass, which defines what runs; its tag is its name.

    Its configuration and data are in the folder with its name in the lab's; it has nothing in Redis.
    """

    server_program: ClassVar[ForeignServer]
    has_channel_binding: ClassVar[bool] = True
    """Whether its channel binding works with common clients."""
    service_kinds: ClassVar[tuple[str, ...] | None] = ()
    keeps_data = True

    @override
    @property
    def ports(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys((*super().ports, *self.s2s_ports)))

    def run_in(self, folder: Path, ca_file: Path, name_server: Address | None, hosts_file: Path) -> Settings:
        """The settings. `folder`: its own, which has its certificate, too."""
        return Settings(
            folder,
            (Host(self.domain, self.c2s_port, self.tls, 0 if self.tls == "off" else self.direct_tls_port),),
            folder,
            s2s_port=self.s2s_port, s2s_direct_tls_port=self.s2s_direct_tls or 0,
            bidirectional=bool(self.bidirectional),
            ca_file=None if self.tls == "off" else ca_file,
            name_server=name_server, hosts_file=hosts_file,
            component_port=self.component_port if self.components else 0,
            components={each.domain: each.secret for each in self.components},
            rooms=tuple(each.domain for each in self.services if each.kind == "rooms"),
            pubsub={each.domain: each.settings["creation"] for each in self.services if each.kind == "pubsub"},
            channel_binding=self.has_channel_binding, address=self.host,
            registration=self.registration, accounts=self.accounts, is_lean=False,
        )  # fmt: skip
