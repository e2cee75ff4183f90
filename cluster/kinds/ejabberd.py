"""`ejabberd`: ejabberd, of Debian's packages. How it is configured and run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster.kinds.base.foreign import ForeignServer, ForeignServerNode, Host, Settings
from cluster.kinds.base.server import AccountSeed

_TLS: dict[str, dict[str, Any]] = {"off": {}, "optional": {"starttls": True}, "required": {"starttls_required": True}}
_C2S = {"module": "ejabberd_c2s", "max_stanza_size": 262_144, "shaper": "none", "access": "all"}
_MAX_USERS = 10_000
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
    command += ["+K", "true", "+P", "250000", "-s", "ejabberd"]
    if settings.accounts:
        command += ["-eval", f'{{ok, _}} = file:script("{_script(settings)}")']
    return command, environment


def _script(settings: Settings) -> Path:
    """Erlang that makes the accounts and their contacts, unless an earlier start did."""
    file = settings.folder / "accounts.erl"
    domain = settings.hosts[0].domain
    calls = [f"Account({_account(account, domain)})," for account in settings.accounts]
    file.write_text("\n".join([_MAKE, *calls, "ok.\n"]), encoding="utf-8")
    file.chmod(0o600)
    return file


_MAKE = """\
Account = fun(User, Server, Password, Contacts) ->
  case ejabberd_auth:try_register(User, Server, Password) of
    ok -> [mod_roster:set_roster({roster, {User, Server, Jid}, {User, Server}, Jid, Name, both, none, Groups, <<>>, []})
           || {Jid, Name, Groups} <- Contacts];
    {error, exists} -> ok
  end
end,"""


def _account(account: AccountSeed, domain: str) -> str:
    contacts = []
    for each in account.contacts:
        localpart, _, at = each.jid.partition("@")
        jid = f"{{{_binary(localpart)}, {_binary(at)}, <<>>}}"
        contacts.append(f"{{{jid}, {_binary(each.name)}, [{', '.join(map(_binary, each.groups))}]}}")
    who = ", ".join(map(_binary, (account.localpart, domain, account.password)))
    return f"{who}, [{', '.join(contacts)}]"


def _binary(text: str) -> str:
    """In Erlang, as the bytes of its UTF-8."""
    return f"<<{','.join(map(str, text.encode()))}>>"


def _inetrc(folder: Path, host: str, port: int) -> Path:
    """Configuration of Erlang's resolver: this name server, and no other source."""
    file = folder / "inetrc"
    nameserver = f"{{nameserver,{{{host.replace('.', ',')}}},{port}}}."
    file.write_text(f'{{resolv_conf,""}}.\n{{hosts_file,""}}.\n{nameserver}\n{{lookup,[dns]}}.\n')
    return file


def _configuration(settings: Settings) -> dict[str, Any]:
    return {
        "hosts": [host.domain for host in settings.hosts],
        "acme": {"auto": False},
        "loglevel": "warning" if settings.is_lean else "info",
        **({"certfiles": [str(settings.certificates / "full.pem")]} if settings.certificates else {}),
        "listen": [{"ip": settings.address, **each} for each in _listeners(settings)],
        **_s2s(settings),
        "auth_method": "internal",
        "auth_password_format": "scram",
        "disable_sasl_mechanisms": [] if settings.channel_binding else ["SCRAM-SHA-1-PLUS"],
        "acl": {
            "loopback": {"ip": ["127.0.0.0/8"]},
            "own": {"server": [host.domain for host in settings.hosts]},
        },
        "access_rules": {
            "register": {"allow" if settings.registration else "deny": "all"},
            "trusted_network": {"allow": "all"},
            "own": {"allow": "own"},
        },
        "registration_timeout": "infinity",
        "modules": {
            "mod_disco": {},
            "mod_ping": {},
            "mod_roster": {"versioning": True},
            "mod_offline": {},
            "mod_register": {"ip_access": "trusted_network", "access": "register"},
            **({"mod_s2s_dialback": {}} if settings.s2s_port else {}),
            **({"mod_caps": {}, "mod_pubsub": {"plugins": ["pep"]}} if settings.eventing else {}),
            **({} if settings.is_lean else _EXPECTED),
            **({"mod_pubsub": _pubsub(settings.pubsub)} if settings.pubsub else {}),
            **({"mod_muc": _rooms(settings)} if settings.rooms else {}),
        },
    }


_CREATORS = {"anyone": "all", "local": "own", "nobody": "none"}


def _pubsub(services: Mapping[str, str]) -> dict[str, Any]:
    """One module serves all, and the accounts too, so who creates nodes at the first one does at all."""
    creation = next(iter(services.values()))
    return {"hosts": list(services), "plugins": ["flat", "pep"], "access_createnode": _CREATORS[creation]}


def _rooms(settings: Settings) -> dict[str, Any]:
    """By default it lets 200 into a room."""
    unlimited = {"max_users": _MAX_USERS, "default_room_options": {"max_users": _MAX_USERS}}
    return {"hosts": list(settings.rooms), **(unlimited if settings.is_lean else {})}


_EXPECTED: dict[str, dict[str, Any]] = {
    **{
        f"mod_{name}": {}
        for name in (
            "blocking",
            "caps",
            "carboncopy",
            "client_state",
            "last",
            "privacy",
            "private",
            "vcard",
        )
    },
    "mod_mam": {"default": "always"},
    "mod_pubsub": {"plugins": ["pep"]},
    "mod_stream_mgmt": {},
    "mod_time": {},
    "mod_version": {},
}


def _s2s(settings: Settings) -> dict[str, Any]:
    """Servers of a lab listen at IPv4 addresses only; one that was away is tried again after seconds, not minutes."""
    lab = {} if settings.is_lean else {"outgoing_s2s_families": ["ipv4"], "s2s_max_retry_delay": 5}
    if settings.ca_file is None:
        return {"s2s_use_starttls": False, **lab}
    return {"s2s_use_starttls": "required", "ca_file": str(settings.ca_file), **lab}


def _listeners(settings: Settings) -> list[dict[str, Any]]:
    found = [_client_listener(host) for host in settings.hosts]
    found += [{"port": host.direct_tls_port, **_C2S, "tls": True} for host in settings.hosts if host.direct_tls_port]
    if settings.s2s_port:
        found.append({"port": settings.s2s_port, **_S2S})
    if settings.s2s_direct_tls_port:
        found.append({"port": settings.s2s_direct_tls_port, **_S2S, "tls": True})
    if settings.components:
        secrets = {domain: {"password": secret} for domain, secret in settings.components.items()}
        found.append({"port": settings.component_port, "module": "ejabberd_service", "hosts": secrets})
    return found


def _client_listener(host: Host) -> dict[str, Any]:
    """TLS is a matter of the port here, not of the domain."""
    return {"port": host.c2s_port, **_C2S, **_TLS[host.tls]}


EJABBERD = ForeignServer("ejabberd", ("ejabberdctl", "erl"), "ejabberd", _command, asks_system=True)


class Ejabberd(ForeignServerNode, frozen=True, kw_only=True, tag_field="kind", tag="ejabberd"):
    """A server of this kind."""

    about = "ejabberd, from Debian's packages (`apt-get install ejabberd`)."
    server_program = EJABBERD
    has_channel_binding = False
    service_kinds = ("rooms", "pubsub")


kind = Ejabberd
