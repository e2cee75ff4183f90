"""A mailbox (FC2): a Maildir, which any mail program can open."""

from __future__ import annotations

import mailbox
import os
import re
from pathlib import Path
from typing import Any

from cluster.protocols.mime.parsed import ParsedMail, read

_DELIVERY = re.compile(r"Q(\d+)")
"""In the file names of the library: how many mails this process had delivered before."""


MAX_BYTES = 64 << 20
"""Of the mails in one mailbox; then further ones are refused for now."""


class Mailbox:
    """One mailbox; mails stay until somebody deletes the files."""

    def __init__(self, address: str, name: str, folder: Path) -> None:
        """`name`: of the lab node; `folder` is created if it does not exist."""
        self.address = address
        self.name = name
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._maildir = mailbox.Maildir(folder, create=True)
        self._size_bytes = self._measured()

    @property
    def is_full(self) -> bool:
        """Whether further mails are refused."""
        if self._size_bytes >= MAX_BYTES:  # unless other programs have deleted some
            self._size_bytes = self._measured()
        return self._size_bytes >= MAX_BYTES

    def _measured(self) -> int:
        return sum(file.stat().st_size for file in self._files())

    def _files(self) -> list[Path]:
        return [file for part in ("new", "cur") for file in (self._folder / part).iterdir()]

    def deliver(self, data: bytes, at_utc_s: float) -> None:
        """Store a mail."""
        self._size_bytes += len(data)
        key = self._maildir.add(data.replace(b"\r\n", b"\n"))
        os.utime(self._folder / "new" / key, (at_utc_s, at_utc_s))

    def inbox(self) -> list[dict[str, Any]]:
        """All mails, oldest first, as JSON objects."""
        return [_shown(at_utc_s, read(data)) for at_utc_s, data in self._mails()]

    def find(self, message_id: str) -> ParsedMail | None:
        """The mail with this Message-ID; None without one."""
        letters = (read(data) for _, data in self._mails())
        return next((letter for letter in letters if letter.message_id == message_id), None)

    def _mails(self) -> list[tuple[float, bytes]]:
        """Read from the folder itself, because other programs move mails from new to cur."""
        order = sorted((file.stat().st_mtime, _number(file.name), file) for file in self._files())
        return [(at_utc_s, file.read_bytes()) for at_utc_s, _, file in order]


def _number(key: str) -> int:
    found = _DELIVERY.search(key)
    return int(found.group(1)) if found else 0


def _shown(at_utc_s: float, letter: ParsedMail) -> dict[str, Any]:
    return {
        "at_utc_s": at_utc_s,
        "from": letter.sender,
        "subject": letter.subject,
        "text": letter.text,
        "message_id": letter.message_id,
        "trace_id": letter.trace_id,
    }
