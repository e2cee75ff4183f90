"""A pair of ejabberd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from loadtests.bench import names
from loadtests.bench.peer import Peer, contender

_CONFIGURATION = """
hosts: ["$domain"]
loglevel: warning
certfiles: ["$certificates/full.pem"]
listen:
  - {port: $c2s_port, ip: "127.0.0.1", module: ejabberd_c2s, max_stanza_size: 262144, shaper: none, access: all,
     starttls: true}
  - {port: $s2s_port, ip: "127.0.0.1", module: ejabberd_s2s_in, max_stanza_size: 524288, shaper: none}
s2s_use_starttls: false
auth_method: internal
auth_password_format: scram
disable_sasl_mechanisms: ["SCRAM-SHA-1-PLUS"]
acl:
  loopback: {ip: ["127.0.0.0/8"]}
access_rules:
  register: {allow: all}
  trusted_network: {allow: all}
registration_timeout: infinity
modules:
  mod_disco: {}
  mod_ping: {}
  mod_roster: {}
  mod_offline: {}
  mod_register: {ip_access: trusted_network, access: register}
  mod_s2s_dialback: {}
"""
"""ejabberd at its leanest: what the load needs, where ours runs with all its modules; and no limits.

Without channel binding: of its kinds ejabberd offers none over TLS 1.3 that Python's ssl has."""
_INETRC = """{resolv_conf,""}.
{hosts_file,""}.
{nameserver,{$dns_host},$dns_port}.
{lookup,[dns]}.
"""


def _run(peer: Peer) -> tuple[Sequence[str], Mapping[str, str]]:
    configuration = peer.write("ejabberd.yml", _CONFIGURATION)
    inetrc = peer.write("inetrc", _INETRC, dns_host=names.HOST.replace(".", ","))
    ebin = min(Path("/usr/lib").glob("*/ejabberd-*/ebin"))
    command = [
        "erl", "-noinput", "-pa", str(ebin), "-mnesia", "dir", f'"{peer.folder}/data"',
        "-kernel", "inetrc", f'"{inetrc}"', "+K", "true", "+P", "250000", "-s", "ejabberd",
    ]  # fmt: skip
    environment = {
        "EJABBERD_CONFIG_PATH": str(configuration), "EJABBERD_LOG_PATH": str(peer.folder / "ejabberd.log"),
        "SPOOL_DIR": str(peer.folder / "data"), "ERL_LIBS": str(ebin.parents[1]),
    }  # fmt: skip
    return command, environment


EJABBERD = contender("ejabberd", ["ejabberdctl", "erl"], "ejabberd", _run)
