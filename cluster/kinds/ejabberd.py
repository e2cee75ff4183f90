"""ejabberd, of Debian's packages: its configuration and how it is run. It is no kind of the topology yet.

At its leanest: what the tests and the load need, and no limits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster.kinds.base.foreign import LOCALHOST, ForeignServer, Host, Settings

_TLS: dict[str, dict[str, Any]] = {"off": {}, "optional": {"starttls": True}, "required": {"starttls_required": True}}
_C2S = {"module": "ejabberd_c2s", "max_stanza_size": 262_144, "shaper": "none", "access": "all"}
_S2S = {"module": "ejabberd_s2s_in", "max_stanza_size": 524_288, "shaper": "none"}


def _command(settings: Settings) -> tuple[Sequence[str], Mapping[str, str]]:
    folder = settings.folder
    file = folder / "ejabberd.yml"
    file.write_text(json.dumps(_configuration(settings), indent=2))  # JSON is YAML
    ebin = sorted(Path("/usr/lib").glob("*/ejabberd-*/ebin"))[-1]
    command = ["erl", "-noinput", "-pa", str(ebin), "-mnesia", "dir", f'"{folder}/data"']
    if settings.name_server:
        command += ["-kernel", "inetrc", f'"{_inetrc(folder, *settings.name_server)}"']
    environment = {
        "EJABBERD_CONFIG_PATH": str(file), "EJABBERD_LOG_PATH": str(folder / "ejabberd.log"),
        "SPOOL_DIR": str(folder / "data"), "ERL_LIBS": str(ebin.parents[1]),
    }  # fmt: skip
    return [*command, "+K", "true", "+P", "250000", "-s", "ejabberd"], environment


def _inetrc(folder: Path, host: str, port: int) -> Path:
    """Whom Erlang asks for names, and nobody else."""
    file = folder / "inetrc"
    nameserver = f"{{nameserver,{{{host.replace('.', ',')}}},{port}}}."
    file.write_text(f'{{resolv_conf,""}}.\n{{hosts_file,""}}.\n{nameserver}\n{{lookup,[dns]}}.\n')
    return file


def _configuration(settings: Settings) -> dict[str, Any]:
    return {
        "hosts": [host.domain for host in settings.hosts],
        "loglevel": "warning",
        **({"certfiles": [str(settings.certificates / "full.pem")]} if settings.certificates else {}),
        "listen": [{"ip": LOCALHOST, **each} for each in _listeners(settings)],
        "s2s_use_starttls": False,
        "auth_method": "internal",
        "auth_password_format": "scram",
        "disable_sasl_mechanisms": [] if settings.channel_binding else ["SCRAM-SHA-1-PLUS"],
        "acl": {"loopback": {"ip": ["127.0.0.0/8"]}},
        "access_rules": {"register": {"allow": "all"}, "trusted_network": {"allow": "all"}},
        "registration_timeout": "infinity",
        "modules": {
            "mod_disco": {},
            "mod_ping": {},
            "mod_roster": {"versioning": True},
            "mod_offline": {},
            "mod_register": {"ip_access": "trusted_network", "access": "register"},
            **({"mod_s2s_dialback": {}} if settings.s2s_port else {}),
            **({"mod_muc": {"hosts": [settings.rooms]}} if settings.rooms else {}),
        },
    }


def _listeners(settings: Settings) -> list[dict[str, Any]]:
    found = [_client_listener(host) for host in settings.hosts]
    if settings.s2s_port:
        found.append({"port": settings.s2s_port, **_S2S})
    if settings.components:
        secrets = {domain: {"password": secret} for domain, secret in settings.components.items()}
        found.append({"port": settings.component_port, "module": "ejabberd_service", "hosts": secrets})
    return found


def _client_listener(host: Host) -> dict[str, Any]:
    """TLS is a matter of the port here, not of the domain."""
    return {"port": host.c2s_port, **_C2S, **_TLS[host.tls]}


EJABBERD = ForeignServer("ejabberd", ("ejabberdctl", "erl"), "ejabberd", _command)
