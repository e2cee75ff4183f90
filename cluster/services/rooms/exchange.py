"""Requests of occupants to one another, by way of the room (XEP-0045 sections 6.6 and 17.4, XEP-0410)."""

from __future__ import annotations

import msgspec
from twisted.internet.base import DelayedCall

from cluster.base import reasons
from cluster.base.settled import Settled
from cluster.host.disco import INFO, ITEMS
from cluster.services.rooms.directory import Rooms
from cluster.services.rooms.nicks import no_occupant
from cluster.services.rooms.room import Room, Session
from cluster.services.rooms.settings import MAX_REQUESTS, MAX_REQUESTS_BYTES, REQUEST_TIMEOUT_S
from cluster.xmpp import element as xml
from cluster.xmpp.errors import Condition, ErrorType, StanzaError
from cluster.xmpp.extensions.vcard import VCARD
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

_PING = "urn:xmpp:ping ping"
_OF_ACCOUNTS = frozenset({f"{VCARD} vCard", "http://jabber.org/protocol/pubsub pubsub"})
"""Requests that the account answers, not its client: for a vCard, an avatar, keys."""
_DISCO = frozenset({f"{INFO} query", f"{ITEMS} query"})


class _Pending(msgspec.Struct, frozen=True):
    """A request on its way to an occupant."""

    request: Stanza
    """As it came."""
    asked: Jid
    """The real address of the one who is to answer."""
    timeout: DelayedCall


class Exchange:
    """The unanswered requests of one service, by the ids that the room has given them."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._pending: dict[str, _Pending] = {}
        self._size_bytes = 0

    def take(self, iq: Stanza) -> Settled:
        """An iq for an occupant's address."""
        to, from_ = iq.to, iq.from_
        assert to is not None
        assert from_ is not None
        if not iq.may_be_answered_with_error:
            return self._answer(iq)
        try:
            room = self._rooms.room(to.localpart)
            session = room.sessions.get(from_)
            if session is None:
                is_disco = not _DISCO.isdisjoint(iq.payloads)  # section 6.6
                condition = Condition.BAD_REQUEST if is_disco else Condition.NOT_ACCEPTABLE
                text = "only occupants of the room may ask others in it"
                raise StanzaError(condition, text, ErrorType.CANCEL, reason=reasons.NOT_IN_ROOM)
            return self._ask(room, session, iq)
        except StanzaError as error:
            error.by = str(to.bare)
            raise

    def _ask(self, room: Room, session: Session, iq: Stanza) -> Settled:
        assert iq.to is not None
        occupant = room.occupant(iq.to.resourcepart)
        if occupant is None:
            raise no_occupant(iq.to.resourcepart)
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
        """Pass an answer on, if it is from the address that was asked; ignore others."""
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
        """Remove a request, and stop its timeout."""
        pending = self._pending.pop(id)
        self._size_bytes -= len(pending.request.raw)
        if pending.timeout.active():
            pending.timeout.cancel()
        return pending


def readdressed(iq: Stanza, from_: Jid, to: Jid, id: str) -> Stanza:
    """The same iq with other addresses and another id: neither side learns the other's real address."""
    tree = iq.tree
    attributes = {name: value for name, value in tree.items() if name not in ("from", "to", "id")}
    tree.attrib.clear()
    tree.attrib.update({"from": str(from_), "to": str(to), "id": id, **attributes})
    return msgspec.structs.replace(iq, from_=from_, to=to, id=id, raw=xml.serialize(tree))
