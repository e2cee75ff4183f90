"""Our gateway runtime as a component of servers that are not ours: Debian's Prosody and ejabberd."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.client.blocking import BlockingClient
from cluster.kinds.base.foreign import LOCALHOST, ForeignServer, Host, Settings
from cluster.kinds.ejabberd import EJABBERD
from cluster.kinds.prosody import PROSODY
from cluster.lab.wait import wait_until
from cluster.xmpp import element as xml
from cluster.xmpp.jid import Jid
from cluster.xmpp.streams.login import Login
from loadtests.bench.ports import free_ports
from tests.harness import PATIENCE_S
from tests.live.clients import RealProgram

pytestmark = pytest.mark.live
DOMAIN, SMS, SECRET = "montague.lit", "sms.montague.lit", "hush"


@dataclass(frozen=True)
class Ports:
    """Where one of them listens."""

    c2s: int
    component: int


@pytest.fixture(params=[PROSODY, EJABBERD], ids=lambda kind: kind.name)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ports]:
    kind: ForeignServer = request.param
    if reason := kind.missing:
        pytest.skip(reason)
    ports = Ports(*free_ports(2))
    settings = Settings(tmp_path, (Host(DOMAIN, ports.c2s),), component_port=ports.component, components={SMS: SECRET})
    with kind.running(settings):
        assert wait_until(lambda: _takes_connections(ports.component), PATIENCE_S)
        yield ports


def _takes_connections(port: int) -> bool:
    try:
        socket.create_connection((LOCALHOST, port), 1).close()
    except OSError:
        return False
    return True


def test_our_component_serves_there(server: Ports) -> None:
    """They know nothing of stream management on such a stream, and ours does without."""
    with RealProgram("our_component.py", SMS, SECRET, "127.0.0.1", str(server.component)) as ours:
        ours.see("session")
        login = Login(Jid.parse(f"romeo@{DOMAIN}/pda"), "secret", register=True)
        with BlockingClient(("127.0.0.1", server.c2s), login, None) as romeo:
            for text in ("Wherefore", "art thou"):
                romeo.send(f"<message to='+39333@{SMS}' type='chat'><body>{text}</body></message>".encode())
                child = romeo.receive(PATIENCE_S)
                assert child is not None
                assert xml.parse(child.raw).findtext("{jabber:client}body") == f"echo {text}"
        assert ours.unseen("disconnected") == []


def test_a_wrong_secret_there(server: Ports) -> None:
    with RealProgram("our_component.py", SMS, "wrong", "127.0.0.1", str(server.component)) as ours:
        ours.see("disconnected")
        assert ours.unseen("session") == []
