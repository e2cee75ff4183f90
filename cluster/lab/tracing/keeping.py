"""The journal of a lab that goes down, copied from its Redis into its folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder
from cluster.lab.lines import LineFile
from cluster.lab.tracing.journal import journal
from cluster.lab.tracing.kept import encoded

READ_TIMEOUT_S = 5.0
"""For one reply: a Redis that does not answer keeps no lab from going down."""


@contextmanager
def keeping_journal(folder: LabFolder) -> Iterator[None]:
    """Within, a running lab goes down: what its journal has now is in its folder afterwards, for `KeptJournal`.

    It is not where Redis does not answer or the disk is full.
    """
    copy = folder.journal.with_suffix(".copy")
    try:
        is_whole = _copy(folder, copy)
        yield
        if is_whole:
            copy.replace(folder.journal)
    finally:
        copy.unlink(missing_ok=True)


def _copy(folder: LabFolder, to: Path) -> bool:
    """False if a part of it is missing."""
    try:
        with journal(folder, folder.plan(), READ_TIMEOUT_S) as reader, closing(LineFile(to, sys.maxsize)) as file:
            return all(file.append(encoded(hops)) for _, hops in reader.after(b"0"))
    except (LabError, OSError):
        return False
