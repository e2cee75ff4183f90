"""What the load is put on: the servers of a lab, some of them, or any other XMPP servers."""

from __future__ import annotations

import ssl
from argparse import ArgumentTypeError
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cluster.xmpp.jid import Jid, JidError
from loadtests import lab
from loadtests.lab import LabUnusable, RunningLab, Server

C2S_PORT = 5222


def target(text: str) -> str:
    """`DOMAIN`, of the lab, or `DOMAIN=HOST:PORT`."""
    try:
        _parsed(text)
    except (ValueError, JidError) as error:
        raise ArgumentTypeError(f"{error}; write a domain of the lab, or a.example=192.0.2.1:5222") from None
    return text


def _parsed(text: str) -> tuple[str, tuple[str, int] | None]:
    domain, equals, address = text.partition("=")
    jid = Jid.parse(domain)
    if jid.localpart or jid.resourcepart:
        raise ValueError(f"{domain!r} is no domain")
    if not equals:
        return jid.domainpart, None
    host, colon, port = address.rpartition(":") if not address.endswith("]") else (address, "", "")
    host, port = (host, port) if colon else (address, str(C2S_PORT))
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} has no address of a server after '='")
    return jid.domainpart, (host.strip("[]"), int(port))


def check_ca(file: str) -> None:
    """Raises LabUnusable if this is no file with certificates."""
    try:
        ssl.create_default_context(cafile=file)
    except OSError as error:
        why = "no certificates in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise LabUnusable(
            f"--ca {file} cannot be used: {why}; name the file with the certificate of the CA, in PEM"
        ) from None


def chosen(targets: Sequence[str], ca_file: str | None, environment: Mapping[str, str], folder: Path) -> RunningLab:
    """The servers of these targets; all of the lab if there are none. Raises LabUnusable.

    `ca_file`: the CA of the targets outside of the lab; None: those that the system trusts.
    """
    parsed = [_parsed(each) for each in targets]
    outside = tuple(
        Server(domain, domain, *address, "required", True, ca_file=ca_file, is_outside=True)
        for domain, address in parsed
        if address is not None
    )
    wanted = {domain for domain, address in parsed if address is None}
    if outside and not wanted:
        return RunningLab("", "", outside)
    found = lab.find(environment, folder)
    if unknown := wanted - {server.domain for server in found.servers}:
        domains = ", ".join(dict.fromkeys(server.domain for server in found.servers))
        raise LabUnusable(
            f"no server of lab {found.name} serves {', '.join(sorted(unknown))} (domains: {domains}); "
            "give the address of another server as in a.example=192.0.2.1:5222"
        )
    inside = tuple(server for server in found.servers if not wanted or server.domain in wanted)
    return replace(found, servers=(*inside, *outside))
