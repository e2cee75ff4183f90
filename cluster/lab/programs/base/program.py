"""What a client program is for the lab: how an account gets into its profile, and how it starts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cluster.xmpp.jid import Jid


class ClientLogin(NamedTuple):
    """What a client needs to log in as an account of the lab."""

    jid: Jid
    """With the resource that it asks for."""
    password: str
    host: str
    """Address of the server; the client checks the certificate against the domain of `jid`."""
    port: int
    has_tls: bool
    """TLS is required; otherwise the server has none."""

    @property
    def nick(self) -> str:
        """The nickname in rooms."""
        return self.jid.localpart


class Start(NamedTuple):
    """How a program starts."""

    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = {}
    """In addition to that of this process."""


class ClientProgram(NamedTuple):
    """One client program."""

    name: str
    """What people type."""
    programs: tuple[str, ...]
    """Names of its executable; the first one on PATH is started."""
    package: str
    """The package of Debian that has it."""
    is_graphical: bool
    prepare: Callable[[Path, ClientLogin], Start]
    """Writes the account into a profile, which is a folder for this program and this account alone; the program may
    have used it before."""

    needs_tls: bool = False
    """It refuses a server without TLS."""
    takes_address: bool = True
    """Its profile has the address of the server; otherwise it finds that by the lab's names."""

    @property
    def path(self) -> str | None:
        """Where it is installed; None: it is not."""
        return next(filter(None, map(shutil.which, self.programs)), None)
