"""Gajim."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from cluster.lab.programs.base.program import ClientLogin, ClientProgram, Start

_TABLES = """
    CREATE TABLE IF NOT EXISTS settings (name TEXT UNIQUE, settings TEXT);
    CREATE TABLE IF NOT EXISTS account_settings (account TEXT UNIQUE, settings TEXT);
"""
"""As in Gajim 1.7 (gajim.common.settings), in the first version of the file: Gajim adds what it lacks."""

_SETTINGS: dict[str, dict[str, Any]] = {
    "app": {"use_keyring": False, "check_for_update": False},
    "soundevents": {},
    "status_presets": {},
    "proxies": {},
    "plugins": {},
}
_EMPTY: dict[str, dict[str, Any]] = {"account": {}, "contact": {}, "group_chat": {}}


def prepare(profile: Path, login: ClientLogin) -> Start:
    """Its settings are JSON texts in a database; the password is in them, not in the user's keyring."""
    name = str(login.jid.bare)
    account = {
        "name": login.jid.localpart,
        "hostname": login.jid.domainpart,
        "resource": login.jid.resourcepart,
        "password": login.password,
        "savepass": True,
        "account_label": name,
        "active": True,
        "autoconnect": True,
        "use_custom_host": True,
        "custom_host": login.host,
        "custom_port": login.port,
        "custom_type": "START TLS" if login.has_tls else "PLAIN",
        "confirm_unencrypted_connection": False,
    }
    file = profile / "settings.sqlite"
    file.touch(mode=0o600)
    with closing(sqlite3.connect(file)) as database, database:
        database.executescript(_TABLES)
        for section, settings in _SETTINGS.items():
            database.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", (section, json.dumps(settings)))
        found = database.execute("SELECT settings FROM account_settings WHERE account = ?", (name,)).fetchone()
        kept = json.loads(found[0]) if found else _EMPTY
        written = {**kept, "account": {**kept["account"], **account}}
        database.execute("INSERT OR REPLACE INTO account_settings VALUES (?, ?)", (name, json.dumps(written)))
    return Start(["--config-path", str(profile)])


client = ClientProgram("gajim", ("gajim",), "gajim", True, prepare)
