"""A command of `xmpplab` to be one of the people of a foreign network, such as `xmpplab phone`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Command(NamedTuple):
    """`xmpplab NAME WHO [ACTION] [WORDS]…`, all of which the command line shows and completes."""

    name: str
    about: str
    """What it does, for `--help`."""
    who: tuple[str, str]
    """Of its people, which one: what that is called, and help."""
    actions: tuple[str, ...]
    """With `--format json`, `inbox` prints what there is for programs."""
    action_help: str
    usual_action: str | None
    """Without one; None: it goes on until it is interrupted."""
    words: tuple[str, str]
    """What an action takes, in the form of a usage line, and help."""
    received: type[Any]
    """What is in an inbox."""
    run: Callable[[Any, str | None, Sequence[str]], None]
    """Do it as a Person of this kind, with an action and its words, and print. Raises ValueError for a wrong usage,
    with the remedy, and Refused."""
