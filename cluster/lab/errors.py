"""Errors of a lab, in words for its user."""

from __future__ import annotations

import errno

from cluster.base.request import Refused


class LabError(Refused):
    """An operation failed; the message says why and names the remedy."""

    exit_code = 1
    """Of a command that ends with it."""


class Down(LabError):
    """The lab is not running."""


class Unreachable(LabError):
    """A server of the lab accepts no connection, or does not answer."""


class BadInput(LabError):
    """The arguments of the user are invalid."""

    exit_code = 2


class NoProgram(BadInput):
    """The program to run is missing."""

    exit_code = 127
    """As env(1) and shells have it."""


def of_system(error: OSError) -> str:
    """A refusal of the system, and the remedy."""
    where = f"{error.filename}: " if error.filename is not None else ""
    remedy = _REMEDIES.get(error.errno or 0)
    return f"{where}{error.strerror or error}" + (f"; {remedy}" if remedy else "")


_REMEDIES = {
    errno.ENOSPC: "free some space on this disk (`df -h .`)",
    errno.EDQUOT: "free some space on this disk (`quota`)",
    errno.EFBIG: "raise the limit of file sizes (`ulimit -f`)",
    errno.EROFS: "go to a folder that you may write to",
    errno.EACCES: "go to a folder that you may use, or ask its owner for permission",
    errno.EPERM: "run it as the user who owns this",
    errno.ENOENT: "check the name",
    errno.EMFILE: "raise the limit of open files (`ulimit -n`)",
    errno.ENOMEM: "end something else that needs memory",
    errno.EAGAIN: "end some other processes (`ulimit -u`)",
}
"""Remedies for refusals of the system, by errno."""
