"""The state of a module: values for each session, and for each account."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid

T = TypeVar("T")
C = TypeVar("C", bound="InMemory")


class HasState(Protocol):
    """A session or an account."""

    state: dict[Any, Any]
    """By the key that a module has declared; a missing key has its default."""


class InMemory(Protocol):
    """An account, a domain, or a service."""

    @property
    def state(self) -> dict[Any, Any]:
        """As above."""


class SessionWithState(HasState, Protocol):
    """A session."""

    def changed(self) -> None:
        """Its stored form must be written again."""


class AccountWithState(HasState, Protocol):
    """An account."""

    jid: Jid


class Documents(Protocol):
    """Stores one XML document for each account and name; an empty one (`b""`) is none."""

    async def put(self, localpart: str, name: str, document: bytes) -> bool: ...


class SessionState(Generic[T]):
    """A value for each session: as long as the session lasts, also across a crash (XEP-0198)."""

    __slots__ = ("_decode", "default", "name")

    def __init__(self, name: str, type: type[T], default: T) -> None:
        """`name`: of the value in the stored session; it must stay the same in later versions."""
        self.name = name
        self.default = default
        self._decode = msgspec.msgpack.Decoder(type).decode

    def of(self, session: HasState) -> T:
        """The value of this session."""
        value: T = session.state.get(self, self.default)
        return value

    def set(self, session: SessionWithState, value: T) -> None:
        """Change it."""
        if value == self.default:
            session.state.pop(self, None)
        else:
            session.state[self] = value
        session.changed()

    def decode(self, stored: msgspec.Raw) -> T:
        """The value as another version may have stored it. Raises msgspec.DecodeError."""
        return self._decode(stored)


def to_store(state: Mapping[SessionState[Any], Any]) -> dict[str, msgspec.Raw]:
    """The state of a session by the names of its values."""
    return {key.name: msgspec.Raw(msgspec.msgpack.encode(value)) for key, value in state.items()}


def from_store(keys: Iterable[SessionState[Any]], stored: Mapping[str, msgspec.Raw]) -> dict[SessionState[Any], Any]:
    """The state of a session. Unknown values, and those that another version stored in another form, are left out."""
    state = {}
    for key in keys:
        if key.name in stored:
            try:
                state[key] = key.decode(stored[key.name])
            except msgspec.DecodeError as error:
                from twisted.logger import Logger  # commands that only read the names of modules start fast

                what = "The {name} of a stored session is not used: {error}"
                Logger(__name__).warn(what, name=key.name, error=str(error))
    return state


class AccountState(Generic[T]):
    """A value for each account: in memory while the account is, and as a document of its store."""

    __slots__ = ("_read", "_write", "default", "document")

    def __init__(self, document: str, read: Callable[[Element], T], write: Callable[[T], Element], default: T) -> None:
        self.document = document
        """The name of the document."""
        self._read = read
        self._write = write
        self.default = default

    def of(self, account: HasState) -> T:
        """The value of this account."""
        value: T = account.state.get(self, self.default)
        return value

    def set(self, account: HasState, value: T) -> None:
        """Change it in memory; `save` stores it."""
        account.state[self] = value

    def load(self, account: HasState, document: bytes | None) -> None:
        """Read it from its document, if there is one."""
        if document is not None:
            self.set(account, self._read(xml.parse(document)))

    async def save(self, documents: Documents, account: AccountWithState) -> None:
        """Store it."""
        value = self.of(account)
        document = b"" if value == self.default else xml.serialize(self._write(value))
        await documents.put(account.jid.localpart, self.document, document)


class MemoryState(Generic[C, T]):
    """A value that is kept in memory for each account, domain or service, as long as that is in memory."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[C], T]) -> None:
        """`make`: called once for each of them, when its value is first read."""
        self._make = make

    def of(self, owner: C) -> T:
        """The value for this one."""
        if self not in owner.state:
            owner.state[self] = self._make(owner)
        kept: T = owner.state[self]
        return kept

    def set(self, owner: C, value: T) -> None:
        """Replace the value."""
        owner.state[self] = value
