"""Pairs of Prosody and ejabberd from Debian's packages, federated on the loopback, each in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path

from cluster.kinds.base.foreign import LOCALHOST, ForeignServer, Host, Settings
from cluster.kinds.ejabberd import EJABBERD
from cluster.kinds.prosody import PROSODY
from loadtests.bench.certificate import write_certificate
from loadtests.bench.peer import free_ports
from tests.conformance.names import NameServer
from tests.conformance.site import Domain, Site

HERE, THERE, SECURED = "montague.lit", "capulet.lit", "shakespeare.lit"
ROOMS = f"conference.{HERE}"
SERVERS = {kind.name: kind for kind in (PROSODY, EJABBERD)}


@contextmanager
def _pair(kind: ForeignServer, folder: Path) -> Iterator[Site]:
    here, there, secured, s2s_here, s2s_there = free_ports(5)
    write_certificate(folder, [SECURED])
    with ExitStack() as stack:
        names = NameServer({HERE: s2s_here, ROOMS: s2s_here, THERE: s2s_there})
        stack.callback(names.close)
        asked = (LOCALHOST, names.port)
        hosts = (Host(HERE, here), Host(SECURED, secured, "required"))
        stack.enter_context(
            kind.running(
                Settings(
                    folder / "here", hosts, folder, s2s_port=s2s_here, name_server=asked, rooms=(ROOMS,), eventing=True
                )
            )
        )
        hosts = (Host(THERE, there),)
        stack.enter_context(
            kind.running(Settings(folder / "there", hosts, s2s_port=s2s_there, name_server=asked, eventing=True))
        )
        yield Site(
            kind.name,
            Domain(HERE, (LOCALHOST, here)),
            Domain(THERE, (LOCALHOST, there)),
            Domain(SECURED, (LOCALHOST, secured), str(folder / "cert.pem")),
        )


PEERS: dict[str, Callable[[Path], AbstractContextManager[Site]]] = {
    name: partial(_pair, kind) for name, kind in SERVERS.items()
}
