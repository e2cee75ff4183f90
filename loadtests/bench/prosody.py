"""A pair of Prosody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loadtests.bench import names
from loadtests.bench.peer import Peer, contender

_CONFIGURATION = """
run_as_root = true
pidfile = "$folder/prosody.pid"
data_path = "$folder/data"
interfaces = { "127.0.0.1" }
c2s_ports = { $c2s_port }
s2s_ports = { $s2s_port }
c2s_require_encryption = false
s2s_require_encryption = false
s2s_secure_auth = false
modules_enabled = { "roster"; "saslauth"; "tls"; "dialback"; "disco"; "ping"; "posix"; "offline"; "register_ibr" }
modules_disabled = { "s2s_auth_certs" }
limits = { }
allow_registration = true
authentication = "internal_hashed"
storage = "internal"
log = { info = "$folder/prosody.log" }
network_backend = "epoll"
unbound = { resolvconf = false; hoststxt = false; forward = { "$dns_host@$dns_port" } }
VirtualHost "$domain"
    ssl = { certificate = "$certificates/cert.pem"; key = "$certificates/key.pem" }
"""
"""Prosody at its leanest: what the load needs, where ours runs with all its modules; and no limits."""


def _run(peer: Peer) -> tuple[Sequence[str], Mapping[str, str]]:
    file = peer.write("prosody.cfg.lua", _CONFIGURATION, dns_host=names.HOST)
    return ["prosody", "-F", "--config", str(file)], {}


PROSODY = contender("prosody", ["prosody"], "prosody lua-unbound lua-event lua-sec", _run)
