"""The accounts of a domain that are in use now: their rosters and sessions, in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence, Sized
from contextlib import contextmanager
from typing import Any, Protocol
from weakref import WeakValueDictionary

from twisted.internet.defer import Deferred, succeed

from cluster.base.settled import Settled, all_of, until_settled
from cluster.host.state import AccountState
from cluster.server.im.roster import Roster
from cluster.server.sessions.session import Session
from cluster.store.limits import Limits
from cluster.store.port import RosterItem, Store
from cluster.xmpp.errors import StanzaError
from cluster.xmpp.jid import Jid


class Barrier(Sized, Protocol):
    """Stops stanzas between an account and the addresses that it blocks, who see an account without resources."""

    def blocks(self, other: Jid) -> bool:
        """Whether stanzas to and from this address are stopped."""

    def refusal(self) -> StanzaError:
        """The error for the account's own sessions that write to such an address."""


class LocalAccount:
    """One account in memory. Its roster is changed here and written through to the store, in order."""

    __slots__ = (
        "__weakref__", "barrier", "held", "is_removed", "jid", "left_utc_s", "roster", "sessions", "state", "temporary",
    )  # fmt: skip

    def __init__(self, jid: Jid, roster: Roster, temporary: bool = False) -> None:
        self.jid = jid
        self.roster = roster
        self.temporary = temporary
        """It ends with its session, and nothing of it is stored (SASL ANONYMOUS, XEP-0175)."""
        self.is_removed = False
        """It was removed: nothing of it is stored any more, also by tasks that are running."""
        self.state: dict[AccountState[Any], Any] = {}
        """The state of modules; a missing key has its default."""
        self.barrier: Barrier | None = None
        """None if nothing is stopped."""
        self.left_utc_s: float | None = None
        """When its last resource became unavailable, if that is known."""
        self.sessions: dict[str, Session] = {}
        """By resourcepart: all connected resources."""
        self.held: list[tuple[Callable[[], Settled], Deferred[None]]] | None = None
        """Deliveries that wait until older messages have come out of the offline store; None if none need to wait."""

    @property
    def available(self) -> list[Session]:
        """Its available resources."""
        return [session for session in self.sessions.values() if session.presence is not None]

    def open_session(self, resourcepart: str) -> Session | None:
        """The session of a resource, if nothing can be in the way of a message to it now."""
        session = self.sessions.get(resourcepart)
        is_open = session is not None and not session.is_behind and self.held is None and self.barrier is None
        return session if is_open else None

    def shows_presence_to(self, contact: Jid) -> bool:
        """The contact is subscribed to this account's presence."""
        item = self.roster.get(contact.bare)
        return item is not None and item.subscription in ("from", "both")

    def hold(self) -> bool:
        """Hold back new deliveries until `release`; False if they are held back already."""
        if self.held is not None:
            return False
        self.held = []
        return True

    def release(self) -> None:
        """Make the held deliveries, in order."""
        held, self.held = self.held or [], None
        for deliver, settled in held:
            (deliver() or succeed(None)).chainDeferred(settled)

    def hold_back(self, deliver: Callable[[], Settled]) -> Deferred[None]:
        """Call `deliver` after all that waits; fires when its result has settled."""
        assert self.held is not None
        settled: Deferred[None] = Deferred()
        self.held.append((deliver, settled))
        return settled

    def blocks(self, other: Jid) -> bool:
        """Whether the barrier stops stanzas between the two; never between an account and itself."""
        return self.barrier is not None and self.barrier.blocks(other) and other.bare != self.jid

    @property
    def accepting_messages(self) -> list[Session]:
        """Its resources that accept messages to the bare JID."""
        return [session for session in self.sessions.values() if session.accepting_messages]

    def best(self) -> list[Session]:
        """Those of them with the highest priority."""
        accepting = self.accepting_messages
        highest = max((session.priority for session in accepting), default=0)
        return [session for session in accepting if session.priority == highest]


class Accounts:
    """Finds accounts: in memory while they are online, otherwise in the store."""

    def __init__(
        self,
        domain: str,
        store: Store,
        limits: Limits,
        documents: Sequence[str],
        prepare: Callable[[LocalAccount, Sequence[bytes | None]], Awaitable[object]],
    ) -> None:
        """`prepare` completes a loaded account before it is used, out of its documents of these names."""
        self.online: dict[str, LocalAccount] = {}
        """By localpart: the accounts with a session."""
        self._domain = domain
        self._store = store
        self._limits = limits
        self._documents = documents
        self._prepare = prepare
        self._loaded: WeakValueDictionary[str, LocalAccount] = WeakValueDictionary()
        self._loading: dict[str, list[Deferred[LocalAccount | None]]] = {}
        self._removing: set[str] = set()
        self.begun = self.ended = 0
        """Sessions that were bound, and that have ended."""

    def load(self, localpart: str) -> Deferred[LocalAccount | None]:
        """The account, or None. All callers get the same object as long as one of them holds it."""
        account = self.online.get(localpart) or self._loaded.get(localpart)
        if account is not None or localpart in self._removing:
            return succeed(account)
        waiting: Deferred[LocalAccount | None] = Deferred()
        if localpart in self._loading:
            self._loading[localpart].append(waiting)
        else:
            self._loading[localpart] = [waiting]
            Deferred.fromCoroutine(self._read(localpart)).addBoth(self._loaded_now, localpart)
        return waiting

    async def _read(self, localpart: str) -> LocalAccount | None:
        known = Deferred.fromCoroutine(self._store.accounts.get(localpart))
        items = Deferred.fromCoroutine(self._store.rosters.load(localpart))
        documents = Deferred.fromCoroutine(self._store.documents.several(localpart, self._documents))
        await until_settled(all_of((known, items, documents)))  # the storage is waited for once
        if await known is None:
            return None
        account = LocalAccount(Jid(localpart, self._domain), Roster((await items).values(), self._limits.roster))
        await self._prepare(account, await documents)
        return account

    def temporary(self, localpart: str) -> LocalAccount:
        """A new account that ends with its session."""
        return LocalAccount(Jid(localpart, self._domain), Roster((), self._limits.roster), temporary=True)

    def _loaded_now(self, result: object, localpart: str) -> None:
        if localpart in self._removing:
            result = None
        if isinstance(result, LocalAccount):
            self._loaded[localpart] = result
        for waiting in self._loading.pop(localpart):
            waiting.callback(result)  # type: ignore[arg-type]  # a Failure goes to each errback

    def attach(self, session: Session) -> None:
        """The session is bound."""
        self.begun += 1
        self.online[session.jid.localpart] = session.account
        session.account.sessions[session.jid.resourcepart] = session

    def here(self, localpart: str) -> LocalAccount | None:
        """The account with its sessions, also while it is being restored: it is not `online` yet then."""
        account = self.online.get(localpart) or self._loaded.get(localpart)
        return account if account is not None and account.sessions else None

    def show(self, account: LocalAccount) -> None:
        """The account was restored: its sessions can be found from now on."""
        if account.sessions:
            self.online[account.jid.localpart] = account

    def detach(self, session: Session) -> None:
        """The session has ended."""
        self.ended += 1
        sessions = session.account.sessions
        if sessions.get(session.jid.resourcepart) is session:
            del sessions[session.jid.resourcepart]
        if not sessions:
            self.online.pop(session.jid.localpart, None)

    @contextmanager
    def removal(self, account: LocalAccount) -> Iterator[None]:
        """Hide the account while its data is removed: a new session would create it again. An error restores it."""
        localpart = account.jid.localpart
        self._removing.add(localpart)
        self.online.pop(localpart, None)
        self._loaded.pop(localpart, None)
        account.is_removed = True
        try:
            yield
        except BaseException:
            account.is_removed = False
            self._loaded[localpart] = account
            if account.sessions:
                self.online[localpart] = account
            raise
        finally:
            self._removing.discard(localpart)

    def put_item(self, account: LocalAccount, item: RosterItem) -> Deferred[None]:
        """Change a contact, in memory at once; fires when it is stored."""
        account.roster.put(item)
        if account.is_removed:
            return succeed(None)
        return Deferred.fromCoroutine(self._store.rosters.put(account.jid.localpart, item))

    def remove_item(self, account: LocalAccount, contact: Jid) -> Deferred[None]:
        """Remove a contact, in memory at once; fires when it is stored."""
        account.roster.remove(contact)
        if account.is_removed:
            return succeed(None)
        return Deferred.fromCoroutine(self._store.rosters.remove(account.jid.localpart, contact))
