"""A spool on disk, for a mail host: a file for each mail."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from cluster.protocols.smtp.port import Mail

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Mail).decode
_SUFFIX = ".mail"


class FolderSpool:
    """A `Spool`. A file is written under another name and then renamed, so that a crash leaves no incomplete file."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    async def put(self, mail: Mail) -> None:
        """Store the mail."""
        file = self._file(mail.id)
        new = file.with_suffix(".new")
        new.write_bytes(_encode(mail))
        new.replace(file)

    async def drop(self, id: str) -> None:
        """Remove the mail."""
        self._file(id).unlink(missing_ok=True)

    async def load(self) -> list[Mail]:
        """All stored mails."""
        mails = (_decode(file.read_bytes()) for file in self._folder.glob(f"*{_SUFFIX}"))
        return sorted(mails, key=lambda mail: mail.accepted_utc_s)

    def _file(self, id: str) -> Path:
        return self._folder / (hashlib.sha256(id.encode()).hexdigest() + _SUFFIX)
