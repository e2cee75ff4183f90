"""Prosody and ejabberd from Debian's packages, federated on the loopback, each process in a folder of its own."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

from cluster.kinds.base.foreign import LOCALHOST, ForeignServer, Host, Settings
from cluster.kinds.ejabberd import EJABBERD
from cluster.kinds.prosody import PROSODY
from cluster.lab.provision import ca
from loadtests.bench.ports import free_ports
from tests.conformance.federation import Place
from tests.conformance.names import NameServer
from tests.conformance.site import Domain, Site

HERE, THERE, SECURED = "montague.lit", "capulet.lit", "shakespeare.lit"
ROOMS = f"conference.{HERE}"
SERVERS = {kind.name: kind for kind in (PROSODY, EJABBERD)}
PLAYED = [f"p{number}.verona.lit" for number in range(150)]
FLAWED = "flawed.verona.lit"


@contextmanager
def _three(kind: ForeignServer, folder: Path) -> Iterator[Site]:
    c2s, s2s = free_ports(3), free_ports(3)
    certificates = folder / "certificates"
    _certify(certificates)
    with ExitStack() as stack:
        names = NameServer({**dict(zip((HERE, THERE, SECURED), s2s, strict=True)), ROOMS: s2s[0]})
        stack.callback(names.close)
        asked = (LOCALHOST, names.port)
        for settings in (
            Settings(
                folder / "here",
                (Host(HERE, c2s[0]),),
                s2s_port=s2s[0],
                name_server=asked,
                rooms=(ROOMS,),
                eventing=True,
            ),
            Settings(folder / "there", (Host(THERE, c2s[1]),), s2s_port=s2s[1], name_server=asked, eventing=True),
            Settings(
                folder / "secured",
                (Host(SECURED, c2s[2], "required"),),
                certificates,
                s2s_port=s2s[2],
                ca_file=certificates / "ca.pem",
                name_server=asked,
                bidirectional=True,
                is_lean=False,
            ),
        ):
            stack.enter_context(kind.running(settings))
        numbers = count()
        yield Site(
            kind.name,
            Domain(HERE, (LOCALHOST, c2s[0]), s2s=(LOCALHOST, s2s[0])),
            Domain(THERE, (LOCALHOST, c2s[1]), s2s=(LOCALHOST, s2s[1])),
            Domain(SECURED, (LOCALHOST, c2s[2]), str(certificates / "ca.pem"), (LOCALHOST, s2s[2])),
            lambda: _place(names, certificates, PLAYED[next(numbers)]),
            lambda flaw: _place(names, certificates, FLAWED, flaw),
        )


def _certify(folder: Path) -> None:
    """For the secured server cert.pem, key.pem and full.pem with both; for the domains that tests play their names."""
    folder.mkdir(parents=True)
    servers = {name: ([name], LOCALHOST) for name in (SECURED, *PLAYED)} | dict.fromkeys(
        ca.FLAWS, ([FLAWED], LOCALHOST)
    )
    authority, issued = ca.issue(datetime.now(UTC), "conformance", servers)
    (folder / "ca.pem").write_bytes(authority)
    for name, one in issued.items():
        (folder / f"{name}.pem").write_bytes(one.certificate)
        (folder / f"{name}.key").write_bytes(one.key)
    (folder / "full.pem").write_bytes(issued[SECURED].certificate + issued[SECURED].key)
    shutil.copy(folder / f"{SECURED}.pem", folder / "cert.pem")
    shutil.copy(folder / f"{SECURED}.key", folder / "key.pem")


def _place(names: NameServer, certificates: Path, domain: str, flaw: str = "") -> Place:
    listening = socket.create_server((LOCALHOST, 0))
    names.add(domain, listening.getsockname()[1])
    name = flaw or domain
    return Place(domain, listening, certificates / f"{name}.pem", certificates / f"{name}.key", certificates / "ca.pem")


PEERS: dict[str, Callable[[Path], AbstractContextManager[Site]]] = {
    name: partial(_three, kind) for name, kind in SERVERS.items()
}
