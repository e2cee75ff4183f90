"""`prosody`: Prosody, of Debian's packages. How it is configured and run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from cluster.kinds.base.foreign import ForeignServer, ForeignServerNode, Host, Settings
from cluster.kinds.base.server import AccountSeed

_MODULES = ("roster", "saslauth", "tls", "dialback", "disco", "ping", "posix", "offline")
_REGISTRATION = ("register_ibr", "user_account_management")
"""`allow_registration` alone opens nothing and closes nothing: it is for a module that loads these."""
_EXPECTED = (
    "blocklist", "bookmarks", "carbons", "csi_simple", "mam", "pep", "private", "smacks", "time", "uptime", "vcard4",
    "vcard_legacy", "version",
)  # fmt: skip


def _command(settings: Settings) -> tuple[Sequence[str], Mapping[str, str]]:
    file = settings.folder / "prosody.cfg.lua"
    file.write_text("\n".join([*_global(settings), *_hosts(settings), *_components(settings), ""]))
    for account in settings.accounts:
        _seed(settings.folder / "data" / _encoded(settings.hosts[0].domain), account)
    return ["prosody", "-F", "--config", str(file)], {}


def _modules(settings: Settings) -> Sequence[str]:
    modules = (*_MODULES, *(_REGISTRATION if settings.registration else ()))
    if not settings.is_lean:
        return (*modules, *_EXPECTED, *(["s2s_bidi"] if settings.bidirectional else []))
    return (*modules, "pep") if settings.eventing else modules


def _global(settings: Settings) -> list[str]:
    folder = settings.folder
    direct_tls = [host.direct_tls_port for host in settings.hosts if host.direct_tls_port]
    lines = [
        *(["run_as_root = true"] if os.getuid() == 0 else []),
        *([f'certificates = "{settings.certificates}"'] if settings.certificates else []),
        f'pidfile = "{folder}/prosody.pid"',
        f'data_path = "{folder}/data"',
        f'log = {{ info = "{folder}/prosody.log" }}' if settings.is_lean else 'log = { info = "*console" }',
        f'interfaces = {{ "{settings.address}" }}',
        f"c2s_ports = {_set(host.c2s_port for host in settings.hosts)}",
        f"c2s_direct_tls_ports = {_set(direct_tls)}",
        f"s2s_ports = {_set([settings.s2s_port] if settings.s2s_port else [])}",
        f"s2s_direct_tls_ports = {_set([settings.s2s_direct_tls_port] if settings.s2s_direct_tls_port else [])}",
        f"modules_enabled = {_set(map(_quoted, _modules(settings)))}",
        f"modules_disabled = {_set(map(_quoted, _unused(settings)))}",
        "c2s_require_encryption = false",
        f"s2s_require_encryption = {_boolean(settings.ca_file is not None)}",
        "s2s_secure_auth = false",
        "limits = { }",
        f"allow_registration = {_boolean(settings.registration)}",
        'authentication = "internal_hashed"',
        'storage = "internal"',
        'network_backend = "epoll"',
        *_names(settings),
    ]
    if settings.ca_file:
        files = f'certificate = "{settings.certificates}/cert.pem"; key = "{settings.certificates}/key.pem"'
        lines.append(f'ssl = {{ {files}; cafile = "{settings.ca_file}" }}')
    if settings.components:
        lines.append(f"component_ports = {_set([settings.component_port])}")
        lines.append(f'component_interface = "{settings.address}"')
    return lines


def _unused(settings: Settings) -> list[str]:
    if not settings.s2s_port:
        return ["s2s"]
    return [] if settings.ca_file else ["s2s_auth_certs"]


def _names(settings: Settings) -> list[str]:
    """Its name server; without `do-not-query-localhost` it would ask none on the loopback."""
    if settings.name_server is None:
        return []
    host, port = settings.name_server
    hosts = _quoted(str(settings.hosts_file)) if settings.hosts_file else "false"
    options = '{ ["do-not-query-localhost:"] = "no" }'
    forward = f'{{ "{host}@{port}" }}'
    return [f"unbound = {{ resolvconf = false; hoststxt = {hosts}; forward = {forward}; options = {options} }}"]


def _hosts(settings: Settings) -> list[str]:
    return [line for host in settings.hosts for line in (f'VirtualHost "{host.domain}"', *_tls(host, settings))]


def _tls(host: Host, settings: Settings) -> list[str]:
    if host.tls == "off":
        in_clear = "    allow_unencrypted_plain_auth = true"
        return [in_clear] if settings.ca_file else ['    modules_disabled = { "tls" }', in_clear]
    required = ["    c2s_require_encryption = true"] if host.tls == "required" else []
    if settings.ca_file:
        return required  # the certificate is that of all
    files = f'certificate = "{settings.certificates}/cert.pem"; key = "{settings.certificates}/key.pem"'
    return [*required, f"    ssl = {{ {files} }}"]


def _components(settings: Settings) -> list[str]:
    return [
        line
        for domain, secret in settings.components.items()
        for line in (f'Component "{domain}"', f"    component_secret = {_quoted(secret)}")
    ] + [
        *(f'Component "{domain}" "muc"' for domain in settings.rooms),
        *(line for domain, creation in settings.pubsub.items() for line in _pubsub(domain, creation, settings)),
    ]


def _pubsub(domain: str, creation: str, settings: Settings) -> list[str]:
    """Only its administrators create nodes, and own all: the accounts of the topology, where these may."""
    accounts = () if creation == "nobody" else settings.accounts
    names = [f"{each.localpart}@{settings.hosts[0].domain}" for each in accounts]
    return [f'Component "{domain}" "pubsub"', f"    admins = {_set(map(_quoted, names))}"]


def _seed(host: Path, account: AccountSeed) -> None:
    """Make an account with its contacts, in the files of its storage, unless an earlier start did.

    It exchanges the password for SCRAM keys when somebody logs in with it.
    """
    accounts, rosters = host / "accounts", host / "roster"
    file = f"{_encoded(account.localpart)}.dat"
    if (accounts / file).exists():
        return
    for folder in (accounts, rosters):
        folder.mkdir(parents=True, exist_ok=True)
    contacts = [
        f'[{_quoted(each.jid)}] = {{ subscription = "both"; {f"name = {_quoted(each.name)}; " if each.name else ""}'
        f"groups = {{ {' '.join(f'[{_quoted(group)}] = true;' for group in each.groups)} }}; }};"
        for each in account.contacts
    ]
    (rosters / file).write_text("\n".join(["return {", "[false] = { version = 1; pending = {}; };", *contacts, "};\n"]))
    (accounts / file).write_text(f"return {{ password = {_quoted(account.password)}; }};\n")


def _encoded(text: str) -> str:
    """As names of its files: all but ASCII letters and digits as %hh (Lua's `%W` in the C locale)."""
    return "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"%{byte:02x}" for byte in text.encode())


def _set(values: Iterable[object]) -> str:
    return f"{{ {'; '.join(map(str, values))} }}"


def _quoted(text: str) -> str:
    """A string of Lua 5.4: bytes that mean something in one, as decimal escapes."""
    return '"' + "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\' else f"\\{b:03d}" for b in text.encode()) + '"'


def _boolean(value: bool) -> str:
    return "true" if value else "false"


class ProsodyAccounts:
    """In the files of its storage, which it reads each time that it needs an account."""

    def __init__(self, folder: Path, domain: str) -> None:
        self._host = folder / "data" / _encoded(domain)

    def names(self) -> list[str]:
        """Their localparts, in order."""
        return sorted(unquote(file.stem) for file in (self._host / "accounts").glob("*.dat"))

    def store(self, localpart: str, password: str) -> None:
        """Create the account, or change its password; its sessions continue."""
        file = self._host / "accounts" / f"{_encoded(localpart)}.dat"
        file.parent.mkdir(parents=True, exist_ok=True)
        written = file.with_suffix(".new")
        written.write_text(f"return {{ password = {_quoted(password)}; }};\n")
        written.replace(file)

    def delete(self, localpart: str) -> None:
        """Remove the account and all its data. Its contacts are not told, and its sessions go on until they end."""
        for file in self._host.glob(f"*/{_encoded(localpart)}.*"):
            file.unlink()


PROSODY = ForeignServer(
    "prosody", ("prosody",), "prosody lua-unbound lua-event lua-sec", _command, accounts=ProsodyAccounts
)  # fmt: skip


class Prosody(ForeignServerNode, frozen=True, kw_only=True, tag_field="kind", tag="prosody"):
    """A server of this kind."""

    about = "Prosody, from Debian's packages (`apt-get install prosody lua-unbound`)."
    server_program = PROSODY
    service_kinds = ("rooms", "pubsub")


kind = Prosody
