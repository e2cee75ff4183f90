"""The table of commands: names, arities, and which keys they read and write, as `COMMAND INFO` tells them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from cluster.simulated_redis.resp import CommandError, Reply

Args = list[bytes]
"""The name of the command, and its arguments."""
Run = Callable[[Any, Args], Reply]
"""Does it: the first argument is the Database, or the Session for commands about a connection."""

NOTHING, READ, WRITE, BOTH = "", "R", "W", "RW"
"""What a command needs to be allowed with its keys. NOTHING: one of the two, as for HLEN, which tells no content."""


class Command(NamedTuple):
    """One command, or one subcommand."""

    name: str
    """As in error messages: `hget`, `xgroup|create`."""
    arity: int
    """The number of arguments with the name; negative: at least."""
    access: str
    keys: Callable[[Args], list[bytes]]
    channels: Callable[[Args], list[bytes]]
    run: Run
    is_write: bool
    is_of_session: bool


TABLE: dict[bytes, Command] = {}
"""By name in capitals; subcommands by both names with `|`."""
CONTAINERS = {b"XGROUP", b"XINFO", b"MEMORY"}
"""The commands that have subcommands."""


def first_key(args: Args) -> list[bytes]:
    """The first argument."""
    return [args[1]]


def second_key(args: Args) -> list[bytes]:
    """The argument after a subcommand."""
    return [args[2]]


def none(args: Args) -> list[bytes]:
    """No keys or channels."""
    return []


def all_of(args: Args) -> list[bytes]:
    """Every argument."""
    return args[1:]


def command(
    name: str, arity: int, access: str = NOTHING, *, keys: Callable[[Args], list[bytes]] = first_key,
    channels: Callable[[Args], list[bytes]] = none, is_write: bool | None = None, is_of_session: bool = False,
) -> Callable[[Run], Run]:  # fmt: skip
    """Enter a function into the table. `is_write`: whether it changes a database; by default if it writes keys."""

    def enter(run: Run) -> Run:
        writes = WRITE in access if is_write is None else is_write
        TABLE[name.upper().encode()] = Command(name, arity, access, keys, channels, run, writes, is_of_session)
        return run

    return enter


def find(args: Args) -> Command:
    """The command of a request. Raises CommandError where there is none, or with a wrong number of arguments."""
    name = args[0].upper()
    if name in CONTAINERS and len(args) > 1:
        found = TABLE.get(name + b"|" + args[1].upper())
        if found is None:
            raise CommandError(f"ERR unknown subcommand '{_shown(args[1])}'. Try {name.decode()} HELP.")
    elif name in CONTAINERS:
        raise CommandError(f"ERR wrong number of arguments for '{name.decode().lower()}' command")
    elif (found := TABLE.get(name)) is None:
        rest = "".join(f"'{_shown(each)}' " for each in args[1:])
        raise CommandError(f"ERR unknown command '{_shown(args[0])}', with args beginning with: {rest}")
    if len(args) != found.arity if found.arity > 0 else len(args) < -found.arity:
        raise wrong_number(found.name)
    return found


def wrong_number(name: str) -> CommandError:
    """The error for a wrong number of arguments."""
    return CommandError(f"ERR wrong number of arguments for '{name}' command")


_INTEGER = re.compile(rb"0|-?[1-9]\d{0,18}")


def integer(text: bytes, error: str = "ERR value is not an integer or out of range") -> int:
    """A number of 64 bits. Raises CommandError."""
    if _INTEGER.fullmatch(text) and -(2**63) <= (number := int(text)) < 2**63:
        return number
    raise CommandError(error)


def score(text: bytes, error: str = "ERR value is not a valid float") -> float:
    """A score. Raises CommandError."""
    try:
        number = float(text)
    except ValueError:
        raise CommandError(error) from None
    if number != number or text != text.strip() or b"_" in text:
        raise CommandError(error)
    return number


SYNTAX = "ERR syntax error"


def without_options(args: Args, size: int) -> None:
    """Raises CommandError where there are more arguments: options that no server of a lab uses are not known here."""
    if len(args) > size:
        raise CommandError(SYNTAX)


def _shown(text: bytes) -> str:
    return text.partition(b"\0")[0].decode(errors="replace")
