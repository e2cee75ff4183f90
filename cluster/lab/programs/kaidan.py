"""Kaidan."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from cluster.lab.programs.base.ini import merge, qt_text
from cluster.lab.programs.base.program import ClientLogin, ClientProgram, Start


def prepare(profile: Path, login: ClientLogin) -> Start:
    """Its settings are those of Qt, the password in base64 (src/AccountManager.cpp of 0.8).

    Its resource begins with the one that is asked for; it adds letters of its own.
    """
    values = {
        "jid": qt_text(str(login.jid.bare)),
        "jidResourcePrefix": qt_text(login.jid.resourcepart),
        "password": qt_text(b64encode(login.password.encode()).decode()),
        "host": login.host,
        "port": str(login.port),
        "online": "true",
    }
    merge(profile / "config" / "kaidan" / "kaidan.conf", "auth", values)
    names = {"XDG_CONFIG_HOME": "config", "XDG_DATA_HOME": "data", "XDG_CACHE_HOME": "cache"}
    return Start([], {name: str(profile / folder) for name, folder in names.items()})


client = ClientProgram("kaidan", ("kaidan",), "kaidan", True, prepare, needs_tls=True)
