"""Profanity, in the terminal."""

from __future__ import annotations

from pathlib import Path

from cluster.lab.programs.base.ini import glib_text, merge
from cluster.lab.programs.base.program import ClientLogin, ClientProgram, Start

ACCOUNT = "xmpplab"
"""Name of the account in Profanity's list, which cannot hold every JID."""


def prepare(profile: Path, login: ClientLogin) -> Start:
    """Its account file is a GKeyFile (src/config/accounts.c)."""
    values = {
        "enabled": "true",
        "jid": glib_text(str(login.jid.bare)),
        "resource": glib_text(login.jid.resourcepart),
        "password": glib_text(login.password),
        "server": login.host,
        "port": str(login.port),
        "tls.policy": "force" if login.has_tls else "disable",
        "muc.nick": glib_text(login.nick),
        "presence.login": "online",
    }
    merge(profile / "data" / "profanity" / "accounts", ACCOUNT, values)
    folders = {"XDG_CONFIG_HOME": str(profile / "config"), "XDG_DATA_HOME": str(profile / "data")}
    return Start(["--account", ACCOUNT], folders)


client = ClientProgram("profanity", ("profanity",), "profanity", False, prepare)
