"""mcabber, in the terminal."""

from __future__ import annotations

from pathlib import Path

from cluster.lab.private import write_private
from cluster.lab.programs.base.program import ClientLogin, ClientProgram, Start


def prepare(profile: Path, login: ClientLogin) -> Start:
    """Its settings file is one of commands, which it refuses if others may read it."""
    settings = {
        "jid": login.jid,
        "resource": login.jid.resourcepart,
        "password": login.password,
        "nickname": login.nick,
        "server": login.host,
        "port": login.port,
        "tls": int(login.has_tls),
        "ssl_ca": "/etc/ssl/certs/ca-certificates.crt",
        "ssl_ignore_checks": 0,
        "beep_on_message": 0,
    }
    lines = "".join(f"set {name} = {value}\n" for name, value in settings.items())
    write_private(profile / "mcabberrc", lines.encode())
    return Start(["-f", str(profile / "mcabberrc")])


client = ClientProgram("mcabber", ("mcabber",), "mcabber", False, prepare)
