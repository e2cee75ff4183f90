"""The storage of a domain: one small port for each feature, in the feature's words.

All methods are about one domain. They are coroutines on Deferreds (`Deferred.fromCoroutine`); writes of one process
take effect in the order of the calls, also without waiting in between. Localparts are prepared (RFC 7622).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec
from twisted.internet.defer import Deferred

from cluster.store.archive import ArchivedMessage, Page
from cluster.store.limits import DEFAULTS, Limit
from cluster.store.pubsub import PubsubStore
from cluster.store.rooms import RoomChange, RoomRecord
from cluster.store.session import KeptSession, SessionChange
from cluster.store.tokens import TokenStore
from cluster.xmpp.extensions.mam import Query
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza


class ScramKeys(msgspec.Struct, frozen=True):
    """The stored keys of a password for one SCRAM hash (RFC 5802 section 3); the password itself is never stored."""

    salt: bytes
    stored_key: bytes
    server_key: bytes
    iterations: int


class Account(msgspec.Struct, frozen=True):
    """A local user's record."""

    localpart: str
    keys: dict[str, ScramKeys]
    """By hash: `SCRAM-SHA-1`, `SCRAM-SHA-256`."""


class RosterItem(msgspec.Struct, frozen=True):
    """One contact (RFC 6121 section 2.1.2), with what is pending (Appendix A.1)."""

    jid: Jid
    """Bare."""
    name: str = ""
    groups: tuple[str, ...] = ()
    subscription: Literal["none", "to", "from", "both"] = "none"
    pending_out: bool = False
    """The account asked and waits (`ask='subscribe'`)."""
    pending_in: Stanza | None = None
    """The contact asked and waits: its subscribe stanza, shown again at each login (RFC 6121 section 3.1.3)."""
    approved: bool = False
    """Pre-approved (RFC 6121 section 3.4)."""

    listed: bool = False
    """Shown in the roster; False for a mere request of a stranger (Appendix A.2)."""


class OfflineMessage(msgspec.Struct, frozen=True):
    """A message that waits for its account (XEP-0160)."""

    stanza: Stanza
    stored_utc_s: float
    """When it was stored, in seconds since the epoch: its delay stamp (XEP-0203)."""


class AccountStore(Protocol):
    """The accounts of a domain."""

    async def get(self, localpart: str) -> Account | None: ...
    async def create(self, account: Account) -> bool:
        """Store it unless the name is taken; False then."""

    async def replace(self, before: Account, account: Account) -> bool:
        """Store it if `before` is what is stored; False if that was changed or removed."""

    async def delete(self, localpart: str) -> None:
        """Remove it, and atomically everything that any store of the domain has for it, except `is_seeded`."""

    async def is_seeded(self, localpart: str) -> bool:
        """Whether `seed` created it once, even if it was removed since."""

    async def seed(self, account: Account, roster: Sequence[RosterItem]) -> None:
        """Create it and its roster, all or nothing, unless it exists or existed: a removed account is not created
        again."""

    async def count(self) -> int: ...
    async def names(self) -> list[str]:
        """All localparts, sorted."""


class RosterStore(Protocol):
    """The rosters of a domain."""

    async def load(self, localpart: str) -> dict[Jid, RosterItem]: ...
    async def put(self, localpart: str, item: RosterItem) -> None: ...
    async def remove(self, localpart: str, contact: Jid) -> None: ...


PAGE_MESSAGES = 100
"""Of waiting messages, in one page."""


class OfflineStore(Protocol):
    """Waiting messages. Reading and removing are two steps, so that a crash between them loses nothing."""

    async def push(
        self,
        localpart: str,
        message: OfflineMessage,
        limit: Limit,
        total_bytes: int = DEFAULTS.offline_total_bytes,
        *,
        first: bool = False,
    ) -> bool:
        """Store it unless that exceeds the limit of the account, or of all together; False then. `first`: as the
        oldest."""

    async def page(self, localpart: str) -> list[OfflineMessage]:
        """The oldest waiting messages, up to PAGE_MESSAGES or PAGE_BYTES, at least one; none if nothing waits.

        They stay stored: the next page comes after these are removed.
        """

    async def drop(self, localpart: str, count: int) -> None:
        """Remove the oldest `count`."""


class DocumentStore(Protocol):
    """One XML document for each account and name.

    The name belongs to the feature that wrote it: `vcard-temp`, `urn:xmpp:blocking`, or that of private XML.
    """

    async def get(self, localpart: str, name: str) -> bytes | None: ...
    async def several(self, localpart: str, names: Sequence[str]) -> list[bytes | None]:
        """The documents of these names, which are asked for at once."""

    async def put(self, localpart: str, name: str, document: bytes, limit: Limit | None = None) -> bool:
        """Store it; with a limit, only if the account has no more documents then, or they are no larger; otherwise
        False.

        An empty document (`b""`) is not counted.
        """


class ArchiveStore(Protocol):
    """The messages that accounts sent and received (XEP-0313), in the order of the calls."""

    def append(self, localpart: str, message: ArchivedMessage, limit: Limit) -> Deferred[None]:
        """Store it; beyond the limit, the oldest are removed. Its id is new: no other message has it.

        An archive may exceed the limit by a sixteenth for a while.
        """

    def append_again(self, localpart: str, message: ArchivedMessage, limit: Limit) -> None:
        """Store a message that is read again until it is acknowledged, unless its id is stored already.

        It is stored before anything is acknowledged, and not necessarily at once: see `Stage` of base/turn.py.
        """

    def replace(self, localpart: str, message: ArchivedMessage) -> Deferred[None]:
        """Keep it in place of the one with its id, if there is one: what was said is taken back."""

    async def query(self, account: Jid, query: Query) -> Page:
        """A page of the archive of this bare JID, of no more than MAX_PAGE_BYTES or one message. Raises UnknownId."""


class RoomStore(Protocol):
    """The rooms of a domain's service (XEP-0045). Their messages are in `Store.room_archives`."""

    async def names(self) -> list[str]:
        """The localparts of all rooms, sorted."""

    async def load(self, room: str) -> RoomRecord | None:
        """The stored state of a room, None if there is none."""

    def note(self, change: RoomChange) -> Deferred[None]:
        """Keep what is new of a room; fires when it is kept, and waits while the storage is away. Fails with
        StorageRefused where that is there and refuses.
        """

    def delete(self, room: str) -> Deferred[None]:
        """Forget a room and its archive, in the same way."""


class SecretStore(Protocol):
    """Values that all processes of a domain know, and nobody else."""

    async def get(self, name: str, new: bytes) -> bytes:
        """The secret of this name, which is `new` if there was none."""


class SessionStore(Protocol):
    """The sessions that can be resumed, which survive the process of their server."""

    def note(self, changes: Sequence[SessionChange]) -> Deferred[None]:
        """Store the changes of several sessions; fires when they are stored, and waits while the storage is away. Fails
        with StorageRefused if the storage refuses; it may have a part of them then.

        The order makes a crash in between harmless: first the stanzas that were sent, then changes of the records, then
        the counts of handled and acknowledged stanzas.
        """

    async def load(self, localpart: str) -> list[KeptSession]:
        """All sessions of an account."""

    def delete(self, localpart: str, id: str) -> Deferred[None]:
        """Remove a session, as soon as the storage is there."""


@dataclass(frozen=True)
class Store:
    """The whole storage of one domain."""

    accounts: AccountStore
    rosters: RosterStore
    offline: OfflineStore
    documents: DocumentStore
    archives: ArchiveStore
    secrets: SecretStore
    tokens: TokenStore
    sessions: SessionStore
    pubsub: PubsubStore
    rooms: RoomStore
    room_archives: ArchiveStore
    """Those of rooms, by their localparts."""
