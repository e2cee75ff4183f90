"""A command of `xmpplab` to act as a user of a foreign network, such as `xmpplab phone`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Command(NamedTuple):
    """`xmpplab NAME WHO [ACTION] [WORDS]…`, all of which the command line shows and completes."""

    name: str
    about: str
    """What it does, for `--help`."""
    who: tuple[str, str]
    """The name of its argument for the user, and its help."""
    actions: tuple[str, ...]
    """With `--format json`, `inbox` prints JSON."""
    action_help: str
    usual_action: str | None
    """The action without an argument; None: it runs until it is interrupted."""
    words: tuple[str, str]
    """The arguments of actions, in the form of a usage line, and their help."""
    received: type[Any]
    """The type of the texts in an inbox."""
    run: Callable[[Any, str | None, Sequence[str]], None]
    """Execute an action with its words as a Person of this kind, and print. Raises ValueError for a wrong usage, with
    the remedy, and Refused."""
