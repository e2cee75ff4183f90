"""The version of this program."""

from __future__ import annotations


def version() -> str:
    """Such as `xmpplab 0.2.0`."""
    from importlib import metadata  # takes longer to import than most commands run

    return f"xmpplab {metadata.version('xmpplab')}"
