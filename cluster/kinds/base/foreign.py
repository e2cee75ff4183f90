"""A server that is not ours, as a program of this machine: what all of them are told, and how one is run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cluster.kinds.base.child import Address, child, wait_for

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


@dataclass(frozen=True)
class Settings:
    """One server. Everybody may register; it keeps all its files in `folder`, and listens on the loopback."""

    folder: Path
    hosts: tuple[Host, ...]
    certificates: Path | None = None
    """Folder with cert.pem, key.pem, and full.pem with both, for all hosts; None where no host has TLS."""
    channel_binding: bool = True
    """SCRAM with it is on offer where the server has it."""
    s2s_port: int = 0
    """Where other servers connect, in the clear, by dialback; 0: it does not federate."""
    name_server: Address | None = None
    """Whom it asks for the addresses of other servers."""
    rooms: str = ""
    """Domain at which it has rooms (XEP-0045); empty: nowhere."""
    component_port: int = 0
    components: Mapping[str, str] = field(default_factory=dict)
    """Secrets of the components (XEP-0114) that it lets in, by their domains."""


@dataclass(frozen=True)
class ForeignServer:
    """One kind of servers."""

    name: str
    programs: tuple[str, ...]
    packages: str
    """Of Debian, for `apt-get install`."""
    command: Callable[[Settings], tuple[Sequence[str], Mapping[str, str]]]
    """Writes the configuration; the command that runs the server, and what its environment needs."""

    @property
    def missing(self) -> str:
        """Why it cannot be started on this machine, with the remedy; empty where it can."""
        lacking = [program for program in self.programs if shutil.which(program, path=PATH) is None]
        return f"{', '.join(lacking)} not found: apt-get install {self.packages}" if lacking else ""

    @contextmanager
    def started(self, settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
        """It runs until the block ends, and may not answer yet."""
        (settings.folder / "data").mkdir(parents=True, exist_ok=True)
        command, environment = self.command(settings)
        own = {"PATH": PATH, "HOME": str(settings.folder), **environment}
        with child(command, settings.folder, own) as process:
            yield process

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
