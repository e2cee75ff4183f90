"""Dino."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from cluster.lab.programs.base.program import ClientLogin, ClientProgram, Start

_TABLE = """CREATE TABLE IF NOT EXISTS account (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, bare_jid TEXT UNIQUE NOT NULL, resourcepart TEXT, password TEXT,
    alias TEXT, enabled INTEGER, roster_version TEXT, mam_earliest_synced INTEGER
)"""
"""As in libdino/src/service/database.vala of 0.4 and 0.5; Dino makes the other tables."""

_ACCOUNT = """INSERT INTO account (bare_jid, resourcepart, password, alias, enabled, mam_earliest_synced)
    VALUES (?, ?, ?, '', 1, 0)
    ON CONFLICT (bare_jid)
    DO UPDATE SET resourcepart = excluded.resourcepart, password = excluded.password, enabled = 1"""


def prepare(profile: Path, login: ClientLogin) -> Start:
    """It has no setting for the server's address: it finds that by the lab's names."""
    data = profile / "data"
    (data / "dino").mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(sqlite3.connect(data / "dino" / "dino.db")) as database, database:
        database.execute(_TABLE)
        database.execute(_ACCOUNT, (str(login.jid.bare), login.jid.resourcepart, login.password))
    return Start([], {"XDG_DATA_HOME": str(data), "XDG_CACHE_HOME": str(profile / "cache")})


client = ClientProgram("dino", ("dino-im", "dino"), "dino-im", True, prepare, needs_tls=True, takes_address=False)
