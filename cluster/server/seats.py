"""Where streams get their seats: here, or at the node that has the account (RFC 6120 section 7, XEP-0198)."""

from __future__ import annotations

from collections.abc import Callable

from cluster.router.nodes.port import Nodes
from cluster.server.domain import Domain
from cluster.server.hibernation import Hibernation, find, ready
from cluster.server.relay import Relay
from cluster.server.seat import LocalSeat, Seat, Way
from cluster.server.session import Session
from cluster.server.turn import Clock, Turn
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition
from cluster.xmpp.jid import JidError, mended_resourcepart

MAX_SESSIONS = 64
"""Resources of one account at the same time."""


class Seats:
    """Gives streams their seats."""

    def __init__(
        self,
        domain: Domain,
        nodes: Nodes,
        clock: Clock,
        turn: Turn,
        new_id: Callable[[], str],
        expelled: Callable[[], None],
    ) -> None:
        """`expelled` ends this process at once: see `nodes.port.Server`."""
        self.relay = Relay(nodes, domain, self, new_id, expelled)
        self._domain = domain
        self._nodes = nodes
        self._clock = clock
        self._turn = turn
        self._new_id = new_id

    async def bind(self, localpart: str, resource: str | None, way: Way, *, temporary: bool) -> Seat | StanzaError:
        """RFC 6120 section 7.6 and 7.7: the resource that was asked for, also where an older session has it.

        `temporary`: an account that lasts as long as the session.
        """
        node = await self._nodes.claim(localpart)
        if node != self._nodes.name:
            return await self.relay.bind(node, localpart, resource, way)
        session = None
        try:
            session = await self._session(localpart, resource, way, temporary)
        except StanzaError as error:
            return error
        finally:
            if session is None:  # else it is the domain that releases it, with the end of the session
                self._nodes.release(localpart)
        return LocalSeat(session, self._domain, self._clock, way)

    async def _session(self, localpart: str, resource: str | None, way: Way, temporary: bool) -> Session:
        accounts = self._domain.accounts
        account = accounts.temporary(localpart) if temporary else await accounts.load(localpart)
        if account is None:
            raise StanzaError(Condition.NOT_ALLOWED, "the account was removed")
        try:
            jid = account.jid.with_resource(resource or self._new_id())
        except JidError:
            jid = account.jid.with_resource(mended_resourcepart(resource or "") or self._new_id())
        if len(account.sessions) >= MAX_SESSIONS and jid.resourcepart not in account.sessions:
            raise StanzaError(Condition.RESOURCE_CONSTRAINT, f"an account has at most {MAX_SESSIONS} sessions")
        older = account.sessions.get(jid.resourcepart)
        if older is not None:
            older.end(StreamCondition.CONFLICT, "the same resource connected again")
        session = Session(account, jid, self._turn, *way, self._domain.context.now_utc_s)
        accounts.attach(session)
        return session

    async def resume(self, localpart: str, sm_id: str, h: int, way: Way) -> Seat | None:
        """The seat of the session of that id, whose client has handled `h`; None where there is none (XEP-0198).

        Raises StreamError for an `h` that cannot be.
        """
        node = await self._nodes.claim(localpart)
        if node != self._nodes.name:
            return await self.relay.resume(node, localpart, sm_id, h, way)
        try:
            session = find(self._domain.accounts.online.get(localpart), sm_id)
            if session is None:
                return None
            Hibernation(session, self._clock, self._domain.session_gone)
            if not await ready(session) or session.sm is None:
                return None
            session.sm.acknowledged(h)
            return LocalSeat(session, self._domain, self._clock, way)
        finally:
            self._nodes.release(localpart)
