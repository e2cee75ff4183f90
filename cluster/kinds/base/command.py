"""A command of `xmpplab` to be one of the people of a foreign network, such as `xmpplab phone`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Ask = Callable[[str, dict[str, Any]], Any]
"""Asks a node of the lab: a verb and its arguments."""


class Command(NamedTuple):
    """`xmpplab NAME WHO [ACTION] [WORDS]…`, all of which the command line shows and completes."""

    name: str
    about: str
    """What it does, for `--help`."""
    who: tuple[str, str]
    """Of its people, which one: what that is called, and help."""
    actions: tuple[str, ...]
    action_help: str
    usual_action: str | None
    """Without one; None: it goes on until it is interrupted."""
    words: tuple[str, str]
    """What an action takes, in the form of a usage line, and help."""
    run: Callable[[Ask, str, str | None, Sequence[str], str], None]
    """Do it, for a network, an address and an action with its words, and print; the last is `text` or `json`. Raises
    ValueError for a wrong usage, with the remedy, and what asking raises (cluster/networks/terminal.py)."""
