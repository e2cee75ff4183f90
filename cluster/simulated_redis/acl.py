"""Users and their rights (https://valkey.io/topics/acl/), as far as `cluster.redisio.acl` writes such rules."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cluster.simulated_redis.command import Args, Command
from cluster.simulated_redis.resp import CommandError

MAX_VERDICTS = 10_000
"""Of which a user's rights are remembered."""
_ALL_KEYS = "RW"


class Selector:
    """Rights that go together: commands, and the keys and channels that they may be about."""

    def __init__(self) -> None:
        self.is_all = False
        """Every command."""
        self.commands: set[str] = set()
        self.keys: list[tuple[re.Pattern[bytes], str]] = []
        """Patterns, and what is allowed with the keys that match."""
        self.channels: list[re.Pattern[bytes]] = []

    def allow(self, rule: str) -> None:
        """Add a right. Raises ValueError for a rule that is not known here."""
        if rule == "+@all":
            self.is_all = True
        elif rule.startswith("+"):
            self.commands.add(rule[1:].lower())
        elif rule.startswith("~"):
            self.keys.append((_glob(rule[1:]), _ALL_KEYS))
        elif rule.startswith("%") and "~" in rule:
            access, _, pattern = rule[1:].partition("~")
            self.keys.append((_glob(pattern), access.upper()))
        elif rule.startswith("&"):
            self.channels.append(_glob(rule[1:]))
        else:
            raise ValueError(f"{rule!r} is no rule that the simulated Redis knows")

    def refusal(self, command: Command, args: Args, user: str) -> tuple[int, str] | None:
        """Why a command is not allowed, and how far it came; None where it is."""
        if (
            not self.is_all
            and command.name not in self.commands
            and command.name.partition("|")[0] not in self.commands
        ):
            return 0, f"User {user} has no permissions to run the '{command.name}' command"
        if not all(self._has(key, command.access) for key in command.keys(args)):
            return 1, "No permissions to access a key"
        if not all(any(each.fullmatch(channel) for each in self.channels) for channel in command.channels(args)):
            return 2, "No permissions to access a channel"
        return None

    def _has(self, key: bytes, access: str) -> bool:
        return any({*access} <= {*allowed} and pattern.fullmatch(key) for pattern, allowed in self.keys)


class User:
    """One user."""

    def __init__(self, name: str, rules: Iterable[str]) -> None:
        """Raises ValueError for a rule that is not known here."""
        self.name = name
        self.is_on = False
        self._password: bytes | None = b""
        self._selectors = [Selector()]
        self._verdicts: dict[tuple[str, tuple[bytes, ...]], str | None] = {}
        for rule in rules:
            self._apply(rule)

    def _apply(self, rule: str) -> None:
        if rule in ("on", "off"):
            self.is_on = rule == "on"
        elif rule == "nopass":
            self._password = None
        elif rule.startswith(">"):
            self._password = rule[1:].encode()
        elif rule.startswith("("):
            selector = Selector()
            for each in rule[1:-1].split(" "):
                selector.allow(each)
            self._selectors.append(selector)
        elif rule not in ("reset", "resetchannels"):  # a new user has no rights anyway
            self._selectors[0].allow(rule)

    def admits(self, password: bytes) -> bool:
        """Whether it may log in so."""
        return self.is_on and self._password in (None, password)

    def check(self, command: Command, args: Args) -> None:
        """Raises CommandError unless the user may do this."""
        about = command.name, (*command.keys(args), b"", *command.channels(args))
        verdict = self._verdicts.get(about, "")
        if verdict == "":
            if len(self._verdicts) >= MAX_VERDICTS:
                self._verdicts.clear()
            verdict = self._verdicts[about] = self._refusal(command, args)
        if verdict is not None:
            raise CommandError(f"NOPERM {verdict}")

    def _refusal(self, command: Command, args: Args) -> str | None:
        """By the selector that comes farthest; None where one allows all."""
        refusals = [each.refusal(command, args, self.name) for each in self._selectors]
        worst = (-1, "")
        for refusal in refusals:
            if refusal is None:
                return None
            worst = max(worst, refusal, key=lambda each: each[0])
        return worst[1]


ALL_RIGHTS = ("on", "nopass", "~*", "&*", "+@all")


class Users:
    """All users, by name."""

    def __init__(self) -> None:
        self._users = {"default": User("default", ALL_RIGHTS)}

    def set(self, name: str, rules: Iterable[str]) -> None:
        """Create a user, or replace it. Raises ValueError for a rule that is not known here."""
        self._users[name] = User(name, rules)

    @property
    def at_first(self) -> User | None:
        """The user of a new connection: the default one, if it needs no password."""
        return self.log_in("default", b"")

    def log_in(self, name: str, password: bytes) -> User | None:
        """The user, None where name or password is wrong."""
        user = self._users.get(name)
        return user if user is not None and user.admits(password) else None


def _glob(pattern: str) -> re.Pattern[bytes]:
    """Of `*`, `?` and characters, of which `\\` makes literal ones. Raises ValueError."""
    parts = []
    for escaped, plain in re.findall(r"(?s)\\(.)|(.)", pattern):
        if plain == "[":
            raise ValueError(f"the simulated Redis knows no [...] in patterns: {pattern!r}")
        parts.append({"*": ".*", "?": "."}.get(plain) or re.escape(escaped or plain))
    return re.compile("".join(parts).encode(), re.DOTALL)
