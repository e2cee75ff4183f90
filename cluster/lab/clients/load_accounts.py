"""The accounts of a load test: made before it and removed after it; what a killed test left, by the next one."""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cluster.lab.clients.users import Users
from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder
from cluster.lab.progress import Tell
from cluster.xmpp.jid import Jid

_FILES = "*.accounts"


@contextmanager
def load_accounts(folder: LabFolder, users: Users, counts: Mapping[str, int], tell: Tell) -> Iterator[Path]:
    """So many new accounts in each domain, while the block runs: a file with a line `JID PASSWORD` for each.

    The file is in the lab's folder and locked for as long as its accounts are in use: a file that is not locked is
    what a killed test left. Raises LabError.
    """
    tests = folder.path / "load"
    tests.mkdir(mode=0o700, exist_ok=True)
    _remove_left(tests, users, tell)
    id, password = secrets.token_hex(4), secrets.token_urlsafe()
    jids = [Jid(f"load-{number}-{id}", domain) for domain, count in counts.items() for number in range(count)]
    file = tests / f"{id}.accounts"
    hidden = file.with_suffix(".new")  # until it is locked
    with hidden.open("x") as held:
        hidden.chmod(0o600)
        fcntl.flock(held, fcntl.LOCK_EX)
        held.writelines(f"{jid} {password}\n" for jid in jids)
        held.flush()
        hidden.rename(file)
        try:
            tell(f"making {len(jids):,} accounts")
            users.add_all(jids, password)
            yield file
        finally:
            tell(f"removing {len(jids):,} accounts")
            _remove(file, users, jids)


def _remove_left(tests: Path, users: Users, tell: Tell) -> None:
    for file in tests.glob(_FILES):
        with file.open() as left:
            try:
                fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # another test runs
            jids = [Jid.parse(line.split()[0]) for line in left if line.endswith("\n")]
            tell(f"removing {len(jids):,} accounts that an earlier run left")
            _remove(file, users, jids)


def _remove(file: Path, users: Users, jids: list[Jid]) -> None:
    try:
        users.delete_all(jids)
    except LabError as error:
        raise LabError(f"the accounts in {file} are left, until the next load: {error}") from None
    file.unlink()
