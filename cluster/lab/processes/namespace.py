"""A mount namespace with the lab's names, for programs that accept only the system's.

In it, files of the lab replace /etc/hosts, /etc/resolv.conf and the bundle of trusted certificates. It needs no root,
changes nothing outside, and ends with its last process.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from cluster.lab.errors import LabError, NoProgram
from cluster.lab.folder import LabFolder
from cluster.lab.private import write_private
from cluster.lab.provision.trust import BUNDLES, BY_HASH, trust_bundle, trust_by_hash
from cluster.topology.plan import Plan, ServerNode
from cluster.xmpp.streams.servers.certificate import ascii_form

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_LOCALHOST = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"


def hosts(plan: Plan, seen_from: ServerNode | None = None) -> bytes:
    """A hosts file with the domains of the lab. `seen_from`: only with this server and those linked to it."""
    lines = [_LOCALHOST]
    for server in plan.servers:
        if server.node_of or (seen_from and server is not seen_from and not seen_from.is_joined_to(server.domain)):
            continue
        lines.append(f"{server.host} {' '.join(map(ascii_form, server.domains))}\n")
    return "".join(lines).encode()


def become(
    folder: LabFolder, plan: Plan, command: Sequence[str], variables: Mapping[str, str] | None = None
) -> NoReturn:
    """Run a program in place of this one, with the names of all domains.

    Raises NoProgram if it is missing, LabError if the system refuses. `variables`: of its environment, beside those of
    this process.
    """
    path = shutil.which(command[0])
    if path is None:
        raise NoProgram(f"no program {command[0]!r} here; install it, or write its path")
    hosts_file = folder.path / "hosts"
    write_private(hosts_file, hosts(plan), 0o644)
    environment = enter(folder, plan, hosts_file)
    os.execve(path, [*command], {**os.environ, **environment, **(variables or {})})


def enter(folder: LabFolder, plan: Plan, hosts_file: Path) -> dict[str, str]:
    """Give this process and its children the lab's names; returns additional variables for their environment.

    Raises LabError if the system refuses.
    """
    if sys.platform != "linux":
        raise LabError("only Linux can give a program a view of its own of /etc/hosts")
    bundle, resolver = trust_bundle(folder), folder.path / "resolv.conf"
    write_private(resolver, _resolver(plan).encode(), 0o644)
    _unshare()
    _mount(None, "/", _MS_REC | _MS_PRIVATE)
    folders = {BY_HASH: trust_by_hash(folder)} if os.path.isdir(BY_HASH) else {}
    over = {**folders, "/etc/hosts": hosts_file, "/etc/resolv.conf": resolver, **dict.fromkeys(BUNDLES, bundle)}
    for place, file in over.items():
        if os.path.exists(place):
            _mount(str(file), os.path.realpath(place), _MS_BIND)
    return {"SSL_CERT_FILE": str(bundle)}


def _resolver(plan: Plan) -> str:
    """No name server outside is asked; as resolv.conf(5) has no ports, nor is that of the lab at another port."""
    host, port = plan.name_server or ("127.0.0.1", 53)
    return f"nameserver {host if port == 53 else '127.0.0.1'}\noptions timeout:1 attempts:1\n"


def _unshare() -> None:
    """For root a mount namespace; for other users one within a user namespace, in which they keep their ids."""
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
