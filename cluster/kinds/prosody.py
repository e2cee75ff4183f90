"""Prosody, of Debian's packages: its configuration and how it is run. It is no kind of the topology yet.

At its leanest: what the tests and the load need, and no limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cluster.kinds.base.foreign import LOCALHOST, ForeignServer, Host, Settings

_MODULES = ("roster", "saslauth", "tls", "dialback", "disco", "ping", "posix", "offline", "register_ibr")


def _command(settings: Settings) -> tuple[Sequence[str], Mapping[str, str]]:
    file = settings.folder / "prosody.cfg.lua"
    file.write_text("\n".join([*_global(settings), *_hosts(settings), *_components(settings), ""]))
    return ["prosody", "-F", "--config", str(file)], {}


def _global(settings: Settings) -> list[str]:
    folder = settings.folder
    lines = [
        "run_as_root = true",
        f'pidfile = "{folder}/prosody.pid"',
        f'data_path = "{folder}/data"',
        f'log = {{ info = "{folder}/prosody.log" }}',
        f'interfaces = {{ "{LOCALHOST}" }}',
        f"c2s_ports = {_set(host.c2s_port for host in settings.hosts)}",
        f"s2s_ports = {_set([settings.s2s_port] if settings.s2s_port else [])}",
        f"modules_enabled = {_set(map(_quoted, _MODULES))}",
        f"modules_disabled = {_set(map(_quoted, ['s2s_auth_certs'] if settings.s2s_port else ['s2s']))}",
        "c2s_require_encryption = false",
        "s2s_require_encryption = false",
        "s2s_secure_auth = false",
        "limits = { }",
        "allow_registration = true",
        'authentication = "internal_hashed"',
        'storage = "internal"',
        'network_backend = "epoll"',
    ]
    if settings.name_server:
        host, port = settings.name_server
        lines.append(f'unbound = {{ resolvconf = false; hoststxt = false; forward = {{ "{host}@{port}" }} }}')
    if settings.components:
        lines += [f"component_ports = {_set([settings.component_port])}", f'component_interface = "{LOCALHOST}"']
    return lines


def _hosts(settings: Settings) -> list[str]:
    return [line for host in settings.hosts for line in (f'VirtualHost "{host.domain}"', *_tls(host, settings))]


def _tls(host: Host, settings: Settings) -> list[str]:
    if host.tls == "off":
        return ['    modules_disabled = { "tls" }', "    allow_unencrypted_plain_auth = true"]
    assert settings.certificates is not None
    files = f'certificate = "{settings.certificates}/cert.pem"; key = "{settings.certificates}/key.pem"'
    required = ["    c2s_require_encryption = true"] if host.tls == "required" else []
    return [*required, f"    ssl = {{ {files} }}"]


def _components(settings: Settings) -> list[str]:
    rooms = [f'Component "{settings.rooms}" "muc"'] if settings.rooms else []
    return rooms + [
        line
        for domain, secret in settings.components.items()
        for line in (f'Component "{domain}"', f"    component_secret = {_quoted(secret)}")
    ]


def _set(values: Iterable[object]) -> str:
    return f"{{ {'; '.join(map(str, values))} }}"


def _quoted(text: str) -> str:
    return f'"{text}"'


PROSODY = ForeignServer("prosody", ("prosody",), "prosody lua-unbound lua-event lua-sec", _command)
