"""Requests of occupants to one another, by way of the room (XEP-0045 sections 6.6 and 17.4, XEP-0410)."""

from __future__ import annotations

import msgspec
from twisted.internet.base import DelayedCall

from cluster.base.settled import Settled
from cluster.services.rooms.directory import Rooms
from cluster.services.rooms.room import Room, Session
from cluster.services.rooms.settings import MAX_REQUESTS, MAX_REQUESTS_BYTES, REQUEST_TIMEOUT_S
from cluster.xmpp import element as xml
from cluster.xmpp.errors import Condition, ErrorType, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

_PING = "urn:xmpp:ping ping"
_OF_ACCOUNTS = frozenset({"vcard-temp vCard", "http://jabber.org/protocol/pubsub pubsub"})
"""What the account answers, not its client: a vCard, an avatar, keys."""
_DISCO = ("http://jabber.org/protocol/disco#info query", "http://jabber.org/protocol/disco#items query")


class _Pending(msgspec.Struct, frozen=True):
    """A request on its way to an occupant."""

    request: Stanza
    """As it came."""
    asked: Jid
    """Real address of whoever is to answer."""
    timeout: DelayedCall


class Exchange:
    """The requests of one service that are not answered yet, by the ids that the room has given them."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._pending: dict[str, _Pending] = {}
        self._size_bytes = 0

    def take(self, iq: Stanza) -> Settled:
        """An iq of anybody for an occupant's address."""
        to, from_ = iq.to, iq.from_
        assert to is not None
        assert from_ is not None
        if not iq.may_be_answered_with_error:
            return self._answer(iq)
        try:
            room = self._rooms.room(to.localpart)
            session = room.sessions.get(from_)
            if session is None:
                is_disco = not set(_DISCO).isdisjoint(iq.payloads)  # section 6.6
                condition = Condition.BAD_REQUEST if is_disco else Condition.NOT_ACCEPTABLE
                raise StanzaError(condition, "only occupants of the room may ask others in it", ErrorType.CANCEL)
            return self._ask(room, session, iq)
        except StanzaError as error:
            error.by = str(to.bare)
            raise

    def _ask(self, room: Room, session: Session, iq: Stanza) -> Settled:
        assert iq.to is not None
        occupant = room.occupant(iq.to.resourcepart)
        if occupant is None:
            raise StanzaError(Condition.ITEM_NOT_FOUND, f"nobody in the room is called {iq.to.resourcepart}")
        if occupant is session.occupant and _PING in iq.payloads:  # XEP-0410 section 3.3
            return self._rooms.ctx.route(iq.reply())
        asked = occupant.bare if not _OF_ACCOUNTS.isdisjoint(iq.payloads) else occupant.last_session.jid
        self._size_bytes += len(iq.raw)
        while len(self._pending) >= MAX_REQUESTS or (self._pending and self._size_bytes > MAX_REQUESTS_BYTES):
            self._expire(next(iter(self._pending)))
        id = self._rooms.ctx.new_id()
        timeout = self._rooms.ctx.clock.callLater(REQUEST_TIMEOUT_S, self._expire, id)
        self._pending[id] = _Pending(iq, asked, timeout)
        return self._rooms.ctx.route(readdressed(iq, session.occupant.jid, asked, id))

    def _answer(self, iq: Stanza) -> Settled:
        """An answer, from whoever was asked; anything else is somebody's invention."""
        pending = self._pending.get(iq.id or "")
        if pending is None or pending.asked != iq.from_:
            return None
        request = self._end(iq.id or "").request
        assert request.to is not None
        assert request.from_ is not None
        return self._rooms.ctx.route(readdressed(iq, request.to, request.from_, request.id or ""))

    def _expire(self, id: str) -> None:
        error = StanzaError(Condition.REMOTE_SERVER_TIMEOUT, "the occupant has not answered")
        self._rooms.ctx.route(self._end(id).request.error(error))

    def _end(self, id: str) -> _Pending:
        """It waits no longer."""
        pending = self._pending.pop(id)
        self._size_bytes -= len(pending.request.raw)
        if pending.timeout.active():
            pending.timeout.cancel()
        return pending


def readdressed(iq: Stanza, from_: Jid, to: Jid, id: str) -> Stanza:
    """The same with other addresses and another id: neither side learns the other's real address."""
    tree = iq.tree
    attributes = {name: value for name, value in tree.items() if name not in ("from", "to", "id")}
    tree.attrib.clear()
    tree.attrib.update({"from": str(from_), "to": str(to), "id": id, **attributes})
    return msgspec.structs.replace(iq, from_=from_, to=to, id=id, raw=xml.serialize(tree))
