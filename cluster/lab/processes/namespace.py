"""A view of this machine that has the lab's names, for programs that only ask the system: a mount namespace.

In it the lab's files lie over /etc/hosts, /etc/resolv.conf and the bundle of trusted certificates. No root is needed,
and nothing outside is changed: all ends with the last process within.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

import idna

from cluster.lab.errors import BadInput, LabError
from cluster.lab.folder import LabFolder
from cluster.lab.private import write_private
from cluster.topology.plan import Plan, ServerNode

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_LOCALHOST = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
"""Of Debian, of Fedora, of Alpine."""


def hosts(plan: Plan, seen_from: ServerNode | None = None) -> bytes:
    """A hosts file with the domains of the lab; of those that a server has links with, where one is named."""
    lines = [_LOCALHOST]
    for server in plan.servers:
        if server.node_of or (seen_from and server is not seen_from and not seen_from.is_joined_to(server.domain)):
            continue
        lines.append(f"{server.host} {' '.join(map(_ascii, server.domains))}\n")
    return "".join(lines).encode()


def become(folder: LabFolder, plan: Plan, command: Sequence[str]) -> NoReturn:
    """Run a program in place of this one, with the names of all domains. Raises LabError, and BadInput without it."""
    path = shutil.which(command[0])
    if path is None:
        raise BadInput(f"no program {command[0]!r} here; install it, or write its path")
    hosts_file = folder.path / "hosts"
    write_private(hosts_file, hosts(plan), 0o644)
    environment = enter(folder, plan, hosts_file)
    os.execve(path, [*command], {**os.environ, **environment})


def enter(folder: LabFolder, plan: Plan, hosts_file: Path) -> dict[str, str]:
    """This process sees the lab's names from now on, and all that it starts; what its environment needs for that.

    Raises LabError where the system refuses.
    """
    if sys.platform != "linux":
        raise LabError("only Linux can give a program a view of its own of /etc/hosts")
    bundle, resolver = folder.path / "trusted.pem", folder.path / "resolv.conf"
    write_private(bundle, b"".join(_read((*_BUNDLES[:1], str(folder.ca_file)))), 0o644)
    write_private(resolver, _resolver(plan).encode(), 0o644)
    _unshare()
    _mount(None, "/", _MS_REC | _MS_PRIVATE)
    over = {"/etc/hosts": hosts_file, "/etc/resolv.conf": resolver, **dict.fromkeys(_BUNDLES, bundle)}
    for place, file in over.items():
        if os.path.exists(place):
            _mount(str(file), os.path.realpath(place), _MS_BIND)
    return {"SSL_CERT_FILE": str(bundle)}


def _resolver(plan: Plan) -> str:
    """Nobody outside is asked. resolv.conf(5) knows no port: a name server of the lab at another one is not asked."""
    host, port = plan.name_server or ("127.0.0.1", 53)
    return f"nameserver {host if port == 53 else '127.0.0.1'}\noptions timeout:1 attempts:1\n"


def _read(paths: Iterable[str]) -> list[bytes]:
    return [Path(path).read_bytes() for path in paths if os.path.exists(path)]


def _unshare() -> None:
    """For root a mount namespace; for others one within a user namespace, in which they are who they were."""
    if os.getuid() == 0:
        _call("unshare", _CLONE_NEWNS)
        return
    user, group = os.getuid(), os.getgid()
    _call("unshare", _CLONE_NEWUSER | _CLONE_NEWNS)
    for file, line in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        Path("/proc/self", file).write_text(line)


def _mount(source: str | None, target: str, flags: int) -> None:
    _call("mount", os.fsencode(source) if source else None, os.fsencode(target), None, flags, None)


def _call(function: str, *arguments: object) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), function)(*arguments):
        reason = os.strerror(ctypes.get_errno())
        raise LabError(
            f"this system lets nobody but root have a view of its own ({function}: {reason}); allow user namespaces "
            "(`sysctl -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0`, those of "
            "the two that there are)"
        )


def _ascii(domain: str) -> str:
    return idna.encode(domain, uts46=True).decode()
