"""Files and folders of one user: no other user of this machine can read, create or exchange them."""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from pathlib import Path

from cluster.lab.errors import LabError

_WRITABLE_BY_OTHERS = 0o022
_OPEN_TO_OTHERS = 0o077


def make_folder(path: Path) -> None:
    """Create the folder if it does not exist. Raises LabError if it is another user's, or open to others."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_folder(path)


def check_folder(path: Path, *, closed: bool = False) -> None:
    """Raises LabError for a folder that another user created or may write to; `closed`: or may enter.

    In a shared folder, such as /tmp, anybody may create a name that others are known to use.
    """
    for found in (path.lstat(), path.stat()):  # a link of another user could lead anywhere
        if found.st_uid != os.geteuid():
            raise LabError(f"{path} belongs to {_user(found.st_uid)}; remove it, or go to a folder of your own")
    if not stat.S_ISDIR(found.st_mode):
        raise LabError(f"{path} is not a folder; remove it, or go to another folder")
    if found.st_mode & (_OPEN_TO_OTHERS if closed else _WRITABLE_BY_OTHERS):
        remedy = f"`chmod go-{'rwx' if closed else 'w'} {path}`, or go to another folder"
        raise LabError(f"other users may {'enter' if closed else 'write to'} {path}; {remedy}")


def write_private(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write the file as a whole or not at all, by default readable by its owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            os.fchmod(file.fileno(), mode)  # whatever the umask
            file.write(content)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
