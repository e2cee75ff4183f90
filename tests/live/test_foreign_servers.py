"""Our gateway runtime as a component of servers that are not ours: Debian's Prosody and ejabberd."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.client.blocking import BlockingClient
from cluster.lab.wait import wait_until
from cluster.xmpp import element as xml
from cluster.xmpp.jid import Jid
from cluster.xmpp.login import Login
from tests.conformance.peers import missing
from tests.live.clients import PATIENCE_S, RealProgram

pytestmark = pytest.mark.live
DOMAIN, SMS, SECRET = "montague.lit", "sms.montague.lit", "hush"

PROSODY = """
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}"
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {c2s} }}
component_ports = {{ {component} }}
component_interface = "127.0.0.1"
s2s_ports = {{ }}
c2s_require_encryption = false
modules_enabled = {{ "saslauth"; "register_ibr"; "posix" }}
modules_disabled = {{ "s2s" }}
allow_registration = true
VirtualHost "montague.lit"
Component "sms.montague.lit"
    component_secret = "hush"
"""
EJABBERD = """
hosts: ["montague.lit"]
loglevel: warning
listen:
  - {{port: {c2s}, ip: "127.0.0.1", module: ejabberd_c2s, access: all}}
  - port: {component}
    ip: "127.0.0.1"
    module: ejabberd_service
    hosts: {{"sms.montague.lit": {{password: "hush"}}}}
auth_method: internal
acl: {{loopback: {{ip: ["127.0.0.0/8"]}}}}
access_rules: {{register: {{allow: all}}, trusted_network: {{allow: all}}}}
registration_timeout: infinity
modules: {{mod_register: {{ip_access: trusted_network, access: register}}}}
"""


class ForeignServer:
    """One of them, in a folder of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        with socket.socket() as first, socket.socket() as second:
            for probe in (first, second):
                probe.bind(("127.0.0.1", 0))
            self.c2s, self.component = (probe.getsockname()[1] for probe in (first, second))
        config = folder / {"prosody": "prosody.cfg.lua", "ejabberd": "ejabberd.yml"}[name]
        text = PROSODY if name == "prosody" else EJABBERD
        config.write_text(text.format(folder=folder, c2s=self.c2s, component=self.component))
        command, environment = ["prosody", "-F", "--config", str(config)], {}
        if name == "ejabberd":
            ebin = sorted(Path("/usr/lib").glob("*/ejabberd-*/ebin"))[-1]
            command = ["erl", "-noinput", "-pa", str(ebin), "-mnesia", "dir", f'"{folder}"', "-s", "ejabberd"]
            environment = {
                "EJABBERD_CONFIG_PATH": str(config), "EJABBERD_LOG_PATH": str(folder / "ejabberd.log"),
                "SPOOL_DIR": str(folder), "ERL_LIBS": str(ebin.parents[1]), "HOME": str(folder),
            }  # fmt: skip
        self._log = folder / "out.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=folder, env={**os.environ, **environment}, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        assert wait_until(self._takes_components, PATIENCE_S), self._log.read_text(errors="replace")[-2000:]

    def _takes_components(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.component), 1).close()
        except OSError:
            return False
        return True

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE_S)


@pytest.fixture(params=["prosody", "ejabberd"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ForeignServer]:
    if reason := missing(request.param):
        pytest.skip(reason)
    server = ForeignServer(request.param, tmp_path)
    yield server
    server.close()


def test_our_component_serves_there(server: ForeignServer) -> None:
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


def test_a_wrong_secret_there(server: ForeignServer) -> None:
    with RealProgram("our_component.py", SMS, "wrong", "127.0.0.1", str(server.component)) as ours:
        ours.see("disconnected")
        assert ours.unseen("session") == []
