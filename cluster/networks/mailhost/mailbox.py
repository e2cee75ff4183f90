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

    def __init__(self, address: str, name: str, folder: Path | None) -> None:
        """`name`: of the lab node; `folder` is created if it does not exist; None: in memory only."""
        self.address = address
        self.name = name
        self._kept = MaildirFolder(folder) if folder is not None else MemoryFolder()
        self._size_bytes = self._kept.measured()

    @property
    def is_full(self) -> bool:
        """Whether further mails are refused."""
        if self._size_bytes >= MAX_BYTES:  # unless other programs have deleted some
            self._size_bytes = self._kept.measured()
        return self._size_bytes >= MAX_BYTES

    def deliver(self, data: bytes, at_utc_s: float) -> None:
        """Store a mail."""
        self._size_bytes += len(data)
        self._kept.add(data.replace(b"\r\n", b"\n"), at_utc_s)

    def inbox(self) -> list[dict[str, Any]]:
        """All mails, oldest first, as JSON objects."""
        return [_shown(at_utc_s, read(data)) for at_utc_s, data in self._kept.mails()]

    def find(self, message_id: str) -> ParsedMail | None:
        """The mail with this Message-ID; None without one."""
        letters = (read(data) for _, data in self._kept.mails())
        return next((letter for letter in letters if letter.message_id == message_id), None)


class MaildirFolder:
    """Mails as files, which other programs move from new to cur, and delete."""

    def __init__(self, folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._maildir = mailbox.Maildir(folder, create=True)

    def measured(self) -> int:
        """Their bytes."""
        return sum(file.stat().st_size for file in self._files())

    def add(self, data: bytes, at_utc_s: float) -> None:
        """Store a mail."""
        key = self._maildir.add(data)
        os.utime(self._folder / "new" / key, (at_utc_s, at_utc_s))

    def mails(self) -> list[tuple[float, bytes]]:
        """All mails and their times, oldest first."""
        order = sorted((file.stat().st_mtime, _number(file.name), file) for file in self._files())
        return [(at_utc_s, file.read_bytes()) for at_utc_s, _, file in order]

    def _files(self) -> list[Path]:
        return [file for part in ("new", "cur") for file in (self._folder / part).iterdir()]


class MemoryFolder:
    """Mails in memory."""

    def __init__(self) -> None:
        self._mails: list[tuple[float, bytes]] = []

    def measured(self) -> int:
        """Their bytes."""
        return sum(len(data) for _, data in self._mails)

    def add(self, data: bytes, at_utc_s: float) -> None:
        """Store a mail."""
        self._mails.append((at_utc_s, data))

    def mails(self) -> list[tuple[float, bytes]]:
        """All mails and their times, oldest first."""
        return self._mails


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
