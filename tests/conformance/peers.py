"""Pairs of Prosody and ejabberd from Debian's packages, federated on the loopback, each in a folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from tests.conformance.certificate import make_certificate
from tests.conformance.names import NameServer
from tests.conformance.site import Domain, Site
from tests.conformance.wire import Wire

START_S = 30.0
"""How long a peer may take to start, or to end."""
HERE, THERE, SECURED = "montague.lit", "capulet.lit", "shakespeare.lit"

PROSODY = """
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {c2s} }}
s2s_ports = {{ {s2s} }}
c2s_require_encryption = false
s2s_require_encryption = false
s2s_secure_auth = false
allow_unencrypted_plain_auth = true
modules_enabled = {{ "roster"; "saslauth"; "tls"; "dialback"; "disco"; "ping"; "posix"; "offline"; "register_ibr" }}
modules_disabled = {{ "s2s_auth_certs" }}
limits = {{ }}
allow_registration = true
authentication = "internal_hashed"
storage = "internal"
log = {{ info = "{folder}/prosody.log" }}
unbound = {{ resolvconf = false; hoststxt = false; forward = {{ "127.0.0.1@{dns}" }} }}
VirtualHost "{domain}"
    modules_disabled = {{ "tls" }}
VirtualHost "{secured}"
    c2s_require_encryption = true
    allow_unencrypted_plain_auth = false
    ssl = {{ certificate = "{folder}/cert.pem"; key = "{folder}/key.pem" }}
"""

EJABBERD = """
hosts: ["{domain}", "{secured}"]
loglevel: warning
certfiles: ["{folder}/full.pem"]
listen:
  - {{port: {c2s}, ip: "127.0.0.1", module: ejabberd_c2s, max_stanza_size: 262144, shaper: none, access: all}}
  - {{port: {c2s_tls}, ip: "127.0.0.1", module: ejabberd_c2s, starttls_required: true, access: all}}
  - {{port: {s2s}, ip: "127.0.0.1", module: ejabberd_s2s_in, max_stanza_size: 524288, shaper: none}}
s2s_use_starttls: false
auth_method: internal
acl:
  loopback: {{ip: ["127.0.0.0/8"]}}
access_rules:
  register: {{allow: all}}
  trusted_network: {{allow: all}}
registration_timeout: infinity
modules:
  mod_disco: {{}}
  mod_ping: {{}}
  mod_roster: {{versioning: true}}
  mod_offline: {{}}
  mod_register: {{ip_access: trusted_network, access: register}}
  mod_s2s_dialback: {{}}
"""


def missing(name: str) -> str:
    """Why this peer cannot be started here; empty where it can."""
    programs = {"prosody": ("prosody",), "ejabberd": ("ejabberdctl", "erl")}[name]
    lacking = [program for program in programs if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    return f"{', '.join(lacking)} not found: install Debian's package {name}" if lacking else ""


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


class Peer:
    """One server of a pair."""

    def __init__(self, domain: str, folder: Path, secured: str) -> None:
        self.domain, self.secured, self.folder = domain, secured, folder
        self.c2s, self.c2s_tls, self.s2s = _free_ports(3)
        folder.mkdir()
        (folder / "data").mkdir()
        make_certificate(folder, [domain, secured])

    def write(self, name: str, text: str, dns: int) -> Path:
        """Fill a configuration in."""
        path = self.folder / name
        fields = {key: getattr(self, key) for key in ("domain", "secured", "folder", "c2s", "c2s_tls", "s2s")}
        path.write_text(text.format(**fields, dns=dns))
        return path


def _prosody(peer: Peer, dns: int) -> subprocess.Popen[bytes]:
    config = peer.write("prosody.cfg.lua", PROSODY, dns)
    return _start(["prosody", "-F", "--config", str(config)], peer, {})


def _ejabberd(peer: Peer, dns: int) -> subprocess.Popen[bytes]:
    config = peer.write("ejabberd.yml", EJABBERD, dns)
    inetrc = peer.folder / "inetrc"
    nameserver = f"{{nameserver,{{127,0,0,1}},{dns}}}."
    inetrc.write_text(f'{{resolv_conf,""}}.\n{{hosts_file,""}}.\n{nameserver}\n{{lookup,[dns]}}.\n')
    ebin = sorted(Path("/usr/lib").glob("*/ejabberd-*/ebin"))[-1]
    environment = {
        "EJABBERD_CONFIG_PATH": str(config), "EJABBERD_LOG_PATH": str(peer.folder / "ejabberd.log"),
        "SPOOL_DIR": str(peer.folder / "data"), "ERL_LIBS": str(ebin.parents[1]), "HOME": str(peer.folder),
    }  # fmt: skip
    return _start(
        ["erl", "-noinput", "-pa", str(ebin), "-mnesia", "dir", f'"{peer.folder}/data"',
         "-kernel", "inetrc", f'"{inetrc}"', "-s", "ejabberd"],
        peer, environment,
    )  # fmt: skip


def _start(command: list[str], peer: Peer, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with (peer.folder / "out.log").open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=peer.folder,
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(START_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _pair(name: str, folder: Path) -> Iterator[Site]:
    here, there = Peer(HERE, folder / "here", SECURED), Peer(THERE, folder / "there", "unused.lit")
    services = {each.domain: each.s2s for each in (here, there)}
    start = {"prosody": _prosody, "ejabberd": _ejabberd}[name]
    with ExitStack() as stack:
        names = NameServer(services)
        stack.callback(names.close)
        for each in (here, there):
            process = start(each, names.port)
            stack.callback(_ended, process)
            _wait_for(process, each)
        secured = here.c2s_tls if name == "ejabberd" else here.c2s
        yield Site(
            name,
            Domain(HERE, ("127.0.0.1", here.c2s)),
            Domain(THERE, ("127.0.0.1", there.c2s)),
            Domain(SECURED, ("127.0.0.1", secured), str(here.folder / "cert.pem")),
        )


def _wait_for(process: subprocess.Popen[bytes], peer: Peer) -> None:
    """Until its clients' port answers with a stream."""
    for _ in range(int(START_S * 20)):
        if process.poll() is not None:
            raise RuntimeError((peer.folder / "out.log").read_text(errors="replace")[-2000:])
        try:
            with Wire(("127.0.0.1", peer.c2s)) as wire:
                wire.open(peer.domain)
                return
        except (OSError, AssertionError):
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
    raise RuntimeError(f"{peer.domain} does not answer; see {peer.folder}")


PEERS: dict[str, Callable[[Path], AbstractContextManager[Site]]] = {
    "prosody": lambda folder: _pair("prosody", folder),
    "ejabberd": lambda folder: _pair("ejabberd", folder),
}
