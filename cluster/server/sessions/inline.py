"""Bind 2 (XEP-0386): a session, and what its client gets together with it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator

from cluster.host.module import NewSession
from cluster.server.context import ModuleContext
from cluster.server.sessions.port import StreamHandle
from cluster.server.sessions.session import Session
from cluster.streams.outbox import MAX_UNSENT_BYTES
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.streams.events import InlineBind

_ID_BYTES = 9


class Gate:
    """Keeps the bytes of a session until its client knows that it is bound: those that come while the storage is asked
    for what it is told."""

    def __init__(self, handle: StreamHandle) -> None:
        self.handle = handle._replace(write=self._keep)
        self._open_handle = handle
        self._kept: list[bytes] = []
        self._size_bytes = 0

    def _keep(self, data: bytes) -> None:
        self._kept.append(data)
        self._size_bytes += len(data)
        if self._size_bytes > MAX_UNSENT_BYTES:
            self._kept.clear()
            self.handle.end(StreamError(StreamCondition.POLICY_VIOLATION, "too much came before the login was done"))

    def open(self, session: Session) -> None:
        """Write what was kept, and all that follows at once."""
        if self._kept:
            self._open_handle.write(b"".join(self._kept))
        session.write_to(self._open_handle.write)


def client_id(account: Jid, wish: InlineBind) -> str:
    """The last part of the resourceparts of one client: always the same, and it does not tell the id of the client's
    installation (section 3.2.1). Empty if the client has none."""
    if not wish.agent:
        return ""
    digest = hashlib.sha256(f"{account.bare} {wish.agent}".encode()).digest()
    return base64.urlsafe_b64encode(digest[:_ID_BYTES]).decode()


def full_jid(account: Jid, wish: InlineBind, id: str, new_id: Callable[[], str]) -> Jid:
    """The full JID of the new session: what the client says of itself, and an id."""
    id = id or new_id()
    try:
        return account.with_resource(f"{wish.tag}/{id}" if wish.tag else id)
    except JidError:  # too long, or with characters that no address has
        return account.with_resource(id)


def earlier(sessions: dict[str, Session], id: str) -> Iterator[Session]:
    """The sessions of the client with this id."""
    yield from [each for name, each in sessions.items() if id and name.rpartition("/")[2] == id]


async def answer(ctx: ModuleContext, session: Session, wish: InlineBind) -> bytes:
    """Enable what the client wants; the content of its `<bound/>`."""
    parts = []
    for feature in wish.features:
        if (enable := ctx.host.bind_handler(feature.name)) is not None:
            parts.append(enable(ctx, session, feature))
    new = NewSession(session, parts)
    await ctx.host.run("bound", ctx, session.account, new)
    return b"".join(parts)
