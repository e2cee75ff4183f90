"""Binds sessions to streams: at this node, or at the node that has the account (RFC 6120 section 7, XEP-0198)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from cluster.host.unavailable import refusal
from cluster.membership.port import Nodes
from cluster.server.domain import Domain
from cluster.server.im.accounts import LocalAccount
from cluster.server.nodes.remote_sessions import NodeGone, RemoteSessions
from cluster.server.sessions import inline
from cluster.server.sessions.hibernation import find, ready
from cluster.server.sessions.port import LocalSession, SessionPort, StreamHandle
from cluster.server.sessions.session import Session
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition, StreamError
from cluster.xmpp.jid import Jid, JidError, mended_resourcepart
from cluster.xmpp.streams.events import InlineBind

MAX_SESSIONS = 64
"""Resources of one account at the same time."""

Wish = str | InlineBind | None
"""The resourcepart that a client asks for, or any; or what it wants together with one (XEP-0386)."""


class SessionBinder:
    """Binds sessions to streams."""

    def __init__(self, domain: Domain, nodes: Nodes, new_id: Callable[[], str], remote: RemoteSessions) -> None:
        self._domain = domain
        self._nodes = nodes
        self._new_id = new_id
        self._remote = remote

    async def bind(
        self, localpart: str, wish: Wish, handle: StreamHandle, *, temporary: bool
    ) -> SessionPort | StanzaError:
        """Bind the requested resource, even if an older session has it (RFC 6120 sections 7.6 and 7.7); or one with
        what is wanted together with it, whose client is told by `SessionPort.answer`.

        `temporary`: an account that ends with the session.
        """
        try:
            while (node := await self._nodes.claim(localpart)) != self._nodes.name:
                with suppress(NodeGone):  # then it has an heir soon
                    return await self._remote.bind(node, localpart, wish, handle)
            return await self._bind_here(localpart, wish, handle, temporary)
        except Exception as error:
            if (refused := refusal(error)) is None:
                raise
            return refused

    async def _bind_here(self, localpart: str, wish: Wish, handle: StreamHandle, temporary: bool) -> SessionPort:
        session, gate = None, inline.Gate(handle) if isinstance(wish, InlineBind) else None
        try:
            session = await self._session(localpart, wish, gate.handle if gate is not None else handle, temporary)
        finally:
            if session is None:  # otherwise the domain releases it, at the end of the session
                self._nodes.release(localpart)
        if not isinstance(wish, InlineBind) or gate is None:
            return LocalSession(session, self._domain, handle)
        try:
            answer = await inline.answer(self._domain.context, session, wish)
        except BaseException:
            self._domain.session_gone(session)
            raise
        return LocalSession(session, self._domain, handle, answer, gate.open)

    async def _session(self, localpart: str, wish: Wish, handle: StreamHandle, temporary: bool) -> Session:
        accounts = self._domain.accounts
        account = accounts.temporary(localpart) if temporary else await accounts.load(localpart)
        if account is None:
            raise StanzaError(Condition.NOT_ALLOWED, "the account was removed")
        if isinstance(wish, InlineBind):
            id = inline.client_id(account.jid, wish)
            jid = inline.full_jid(account.jid, wish, id, self._new_id)
            for earlier in inline.earlier(account.sessions, id):
                earlier.end(StreamCondition.CONFLICT, "the same client connected again")
        else:
            jid = self._requested(account.jid, wish or "")
        if len(account.sessions) >= MAX_SESSIONS and jid.resourcepart not in account.sessions:
            _make_room(account)
        older = account.sessions.get(jid.resourcepart)
        if older is not None:
            older.end(StreamCondition.CONFLICT, "the same resource connected again")
        session = Session(account, jid, self._domain.persister, *handle)
        accounts.attach(session)
        return session

    def _requested(self, account: Jid, resource: str) -> Jid:
        try:
            return account.with_resource(resource or self._new_id())
        except JidError:
            return account.with_resource(mended_resourcepart(resource) or self._new_id())

    async def resume(self, localpart: str, sm_id: str, h: int, handle: StreamHandle) -> SessionPort | int | None:
        """The port of the session of that id, whose client has handled `h` (XEP-0198).

        For an ended session: how many stanzas of the client were handled; None if nothing is known of it.

        Raises StreamError for an impossible `h`, or while the storage is away: that stream ends (XEP-0198 section 6),
        and the session stays as it is, with the stream that it may still have.
        """
        try:
            while (node := await self._nodes.claim(localpart)) != self._nodes.name:
                with suppress(NodeGone):
                    return await self._remote.resume(node, localpart, sm_id, h, handle)
            return await self._resume_here(localpart, sm_id, h, handle)
        except Exception as error:
            if (refused := refusal(error)) is None:
                raise
            raise StreamError(StreamCondition.RESOURCE_CONSTRAINT, refused.text) from None

    async def _resume_here(self, localpart: str, sm_id: str, h: int, handle: StreamHandle) -> SessionPort | int | None:
        try:
            session = find(self._domain.accounts.here(localpart), sm_id)
            if session is not None and session.sm is not None:
                session.sm.newly(h)
                self._domain.hibernate(session)
            if session is None or not await ready(session, self._domain.persister):
                return self._domain.persister.handled_by(localpart, sm_id)
            session.acknowledged(h)
            return LocalSession(session, self._domain, handle)
        finally:
            self._nodes.release(localpart)


def _make_room(account: LocalAccount) -> None:
    """End the session that has waited longest for its client, or a client whose connections break often would lock its
    account out. Raises StanzaError if none waits."""
    waiting = [session for session in account.sessions.values() if session.broken_utc_s is not None]
    if not waiting:
        raise StanzaError(Condition.RESOURCE_CONSTRAINT, f"an account has at most {MAX_SESSIONS} sessions")
    oldest = min(waiting, key=lambda session: session.broken_utc_s or 0.0)
    oldest.end(StreamCondition.RESOURCE_CONSTRAINT, "a newer session needs its place")
