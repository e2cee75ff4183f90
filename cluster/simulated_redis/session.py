"""One connection, as the commands see it: who is logged in, and what it listens to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NoReturn

from cluster.simulated_redis.acl import User, Users
from cluster.simulated_redis.resp import CommandError, Confirmed, Push


class Channels:
    """Who listens to what."""

    def __init__(self) -> None:
        self._sessions: dict[bytes, dict[Session, None]] = {}

    def publish(self, channel: bytes, message: bytes) -> int:
        """Send a message to those who listen; returns their number."""
        listening = self._sessions.get(channel, {})
        for session in listening:
            session.push(Push((b"message", channel, message)))
        return len(listening)

    def add(self, channel: bytes, session: Session) -> None:
        """It listens from now on."""
        self._sessions.setdefault(channel, {})[session] = None

    def remove(self, channel: bytes, session: Session) -> None:
        """It does not listen any more."""
        listening = self._sessions.get(channel, {})
        listening.pop(session, None)
        if not listening:
            self._sessions.pop(channel, None)

    def clear(self) -> None:
        """Nobody listens any more."""
        self._sessions.clear()


class Session:
    """The state of one connection."""

    def __init__(self, users: Users, channels: Channels, push: Callable[[Push], None]) -> None:
        """`push` sends what is published."""
        self.push = push
        self.user: User | None = users.at_first
        self.listens_to: dict[bytes, None] = {}
        self._users = users
        self._channels = channels

    def log_in(self, name: bytes, password: bytes) -> None:
        """Become that user. Raises CommandError."""
        self.user = self._users.log_in(name.decode(errors="replace"), password) or self._refused()

    def _refused(self) -> NoReturn:
        raise CommandError("WRONGPASS invalid username-password pair or user is disabled.")

    def subscribe(self, channels: Iterable[bytes]) -> Confirmed:
        """Listen to these; returns what confirms it, one for each."""
        confirmed = Confirmed()
        for channel in channels:
            self.listens_to[channel] = None
            self._channels.add(channel, self)
            confirmed.append(Push((b"subscribe", channel, len(self.listens_to))))
        return confirmed

    def unsubscribe(self, channels: Iterable[bytes]) -> Confirmed:
        """Listen to these no more, or to none at all; returns what confirms it, one for each."""
        confirmed = Confirmed()
        leaves: list[bytes | None] = [*channels] or [*self.listens_to] or [None]
        for channel in leaves:
            if channel is not None:
                self.listens_to.pop(channel, None)
                self._channels.remove(channel, self)
            confirmed.append(Push((b"unsubscribe", channel, len(self.listens_to))))
        return confirmed

    def close(self) -> None:
        """The connection is gone."""
        self.unsubscribe([*self.listens_to])
