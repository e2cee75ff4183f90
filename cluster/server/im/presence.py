"""Presence (RFC 6121 section 4): whom the server tells that a resource comes, changes and goes, and who may ask."""

from __future__ import annotations

import re
from collections.abc import Callable

from cluster.base.settled import Settled, all_of, both
from cluster.server.im.accounts import LocalAccount
from cluster.server.im.presence_hooks import PresenceHooks
from cluster.server.sessions.session import Session
from cluster.store.port import RosterItem
from cluster.xmpp import element as xml
from cluster.xmpp.copies import Copies
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions.delay import delayed
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza, addressed, make

SHOWS = ("away", "chat", "dnd", "xa")
"""RFC 6121 section 4.7.2.1."""
_PRIORITY = re.compile(r"[+-]?[0-9]{1,9}", re.ASCII)


class Presence:
    """The presence of the accounts of one domain."""

    def __init__(
        self,
        route: Callable[[Stanza | Copies], Settled],
        new_id: Callable[[], str],
        now_utc_s: Callable[[], float],
        hooks: PresenceHooks,
    ) -> None:
        """`route` sends a stanza to this domain or another."""
        self._route = route
        self._new_id = new_id
        self._now_utc_s = now_utc_s
        self._hooks = hooks

    # --- presence from sessions of this domain

    def leaving(self, session: Session, stanza: Stanza) -> Stanza:
        """Available presence of a session's client, as it is to be sent."""
        return self._hooks.leaving(session, stanza)

    def broadcast(self, session: Session, stanza: Stanza) -> Settled:
        """A session's available or unavailable presence without `to` (RFC 6121 sections 4.2, 4.4 and 4.5).

        Settles when it is safe on its way to the contacts. Raises StanzaError for a bad priority or show.
        """
        priority = read_priority(stanza)
        initial = session.begins_with(stanza)
        if stanza.type == "unavailable":
            session.farewell = stanza
            return self.leave(session, stanza)
        session.farewell = None
        session.presence, session.priority = stanza, priority
        told = [self._tell_contacts(session.account, stanza)]
        account = session.account
        for other in account.available:
            other.send(addressed(stanza, other.jid))
            if initial and other is not session and other.presence is not None:
                session.send(addressed(other.presence, session.jid))
        if initial:
            told.append(self.ask_contacts(account))
            for item in account.roster.values():
                if item.pending_in is not None and not account.blocks(item.jid):
                    session.send(item.pending_in)  # RFC 6121 section 3.1.3: at each login, until it is answered
        told.append(self._hooks.sent(session, stanza))
        return all_of(told)

    def leave(self, session: Session, stanza: Stanza | None = None) -> Settled:
        """The session is not available any more, by its own presence or because its stream is gone (section 4.5)."""
        told: list[Settled] = []
        gone = stanza or make("presence", from_=session.jid, type="unavailable")
        was_available = session.presence is not None
        if was_available:
            for other in session.account.available:
                other.send(addressed(gone, other.jid))
            session.presence, session.priority = None, 0
            session.account.left_utc_s = self._now_utc_s()
            told.append(self._tell_contacts(session.account, gone))
        for jid in session.directed.take():  # section 4.6.3
            if not (was_available and session.account.shows_presence_to(jid)):  # it was told as a contact
                told.append(self._route(addressed(gone, jid)))
        if was_available:
            told.append(self._hooks.gone(session.account, gone))
        return all_of(told)

    def absent(self, account: LocalAccount) -> Settled:
        """Tell contacts that no resource of the account is available any more, which no stanza has said (section
        4.3.2)."""
        return self._tell_contacts(account, make("presence", from_=account.jid, type="unavailable"))

    def direct(self, session: Session, stanza: Stanza) -> Settled:
        """Presence of a session to one address (section 4.6). Raises StanzaError: see `Directed`."""
        assert stanza.to is not None
        if stanza.type == "unavailable":
            session.directed.discard(stanza.to)
        else:
            session.directed.add(stanza.to)
        return self._route(stanza)

    def _tell_contacts(self, account: LocalAccount, presence: Stanza) -> Settled:
        contacts = [
            item.jid
            for item in account.roster.values()
            if item.subscription in ("from", "both") and not account.blocks(item.jid)
        ]
        return self._route(Copies(presence, contacts))

    def ask_contacts(self, account: LocalAccount) -> Settled:
        """Probe all contacts whose presence this account sees, and repeat its unanswered requests."""
        asked: list[Settled] = []
        probe = make("presence", from_=account.jid, type="probe")
        for item in account.roster.values():
            is_seen = item.subscription in ("to", "both")
            if not (is_seen or item.pending_out) or account.blocks(item.jid):
                continue
            if is_seen:  # section 4.3.1
                question = addressed(probe, item.jid)
            else:  # section 3.1.2: the request may have been lost
                question = make("presence", from_=account.jid, to=item.jid, id=self._new_id(), type="subscribe")
            asked.append(self._route(question))
        return all_of(asked)

    # --- presence for accounts of this domain

    def concerns(self, stanza: Stanza, is_alone: bool) -> bool:
        """Whether this presence is received for an account without a session too, because a module needs it.

        `is_alone`: no other node serves the domain.
        """
        return self._hooks.concerns(stanza, is_alone)

    def receive(self, account: LocalAccount, stanza: Stanza) -> Settled:
        """Available, unavailable or error presence for an account or one of its resources (section 8.5)."""
        assert stanza.to is not None
        if not stanza.to.resourcepart:
            for session in account.available:
                if session.is_full and stanza.type is None:
                    self._ask_later(session, stanza)
                else:
                    session.send(stanza)
        elif session_ := account.sessions.get(stanza.to.resourcepart):
            session_.send(stanza)
        return self._hooks.received(account, stanza) if stanza.type is None else self._hooks.gone(account, stanza)

    def _ask_later(self, session: Session, presence: Stanza) -> None:
        """The session has no room for the presence of all its contacts: it gets the rest when it has read the first
        part."""
        assert presence.from_ is not None
        contact = session.account.roster.get(presence.from_.bare)
        if contact is None or contact.subscription not in ("to", "both"):
            session.send(presence)  # a blocked contact is not asked
            return
        if not session.unseen:
            session.when_room().addCallback(self._ask_unseen, session)
        session.unseen[contact.jid] = None

    def _ask_unseen(self, has_room: bool, session: Session) -> None:
        unseen, session.unseen = session.unseen, {}
        if has_room and session.presence is not None:
            for contact in sorted(unseen):
                self._route(make("presence", from_=session.account.jid, to=contact, type="probe"))

    def answer_probe(self, account: LocalAccount | None, stanza: Stanza) -> Settled:
        """Send the presence of all available resources to a sender who may know it (section 4.3.2).

        For a full JID, only that resource answers, with mere presence; so it does to receivers of its directed presence
        (section 4.6.6).
        """
        asker, asked = stanza.from_, stanza.to
        assert asker is not None
        assert asked is not None
        may_see = account is not None and (account.shows_presence_to(asker) or asker.bare == account.jid)
        one = account.sessions.get(asked.resourcepart) if account is not None else None
        if one is not None and ((may_see and one.available) or not one.directed.isdisjoint((asker, asker.bare))):
            return self._route(make("presence", from_=one.jid, to=asker))
        if account is None or not may_see:
            return self._route(make("presence", from_=asked.bare, to=asker.bare, id=stanza.id, type="unsubscribed"))
        if not account.available:
            answer = make("presence", from_=asked.bare, to=asker, id=stanza.id, type="unavailable")
            left_utc_s = account.left_utc_s
            return self._route(answer if left_utc_s is None else delayed(answer, asked.domainpart, left_utc_s))
        return all_of(
            self._route(addressed(session.presence, asker))
            for session in account.available
            if session.presence is not None and not asked.resourcepart
        )

    def show_to(self, account: LocalAccount, contact: Jid) -> Settled:
        """The contact may see the account from now on (section 3.1.5): send it the presence."""
        shown = [session.presence for session in account.available if session.presence is not None]
        told = all_of(self._route(addressed(presence, contact)) for presence in shown)
        return both(told, self._hooks.shown(account, contact))

    def regrouped(self, account: LocalAccount, before: RosterItem) -> Settled:
        """A contact is in other groups of the roster than before."""
        return self._hooks.regrouped(account, before)

    def hide_from(self, account: LocalAccount, contact: Jid) -> Settled:
        """The contact may not see the account any more (sections 3.2.2 and 3.3.3): send unavailable presence."""
        hidden = [session.jid for session in account.available]
        return all_of(self._route(make("presence", from_=jid, to=contact, type="unavailable")) for jid in hidden)

    def take_back_directed(self, session: Session, concerns: Callable[[Jid], bool]) -> Settled:
        """Tell this receiver of directed presence that the session is gone (section 4.6)."""
        told: list[Settled] = []
        for jid in filter(concerns, [*session.directed]):
            session.directed.discard(jid)
            if not (session.available and session.account.shows_presence_to(jid)):  # it was told as a contact
                told.append(self._route(make("presence", from_=session.jid, to=jid, type="unavailable")))
        return all_of(told)

    def probe(self, account: LocalAccount, contact: Jid) -> Settled:
        """Ask for the presence of a contact again (section 4.3.1)."""
        if not account.available:
            return None
        return self._route(make("presence", from_=account.jid, to=contact, type="probe"))


def read_priority(stanza: Stanza) -> int:
    """The priority of a presence (RFC 6121 section 4.7.2.3); 0 without one. Raises StanzaError for a bad one.

    An empty show or priority, which clients written in Go send, counts as none.
    """
    if f"{CLIENT} priority" not in stanza.payloads and f"{CLIENT} show" not in stanza.payloads:
        return 0
    tree = stanza.tree
    show = xml.text_of(tree, f"{{{CLIENT}}}show")
    if show and show not in SHOWS:
        raise StanzaError(Condition.BAD_REQUEST, f"show is one of {', '.join(SHOWS)}")
    text = (xml.text_of(tree, f"{{{CLIENT}}}priority") or "0").strip()
    if not _PRIORITY.fullmatch(text) or not -128 <= (priority := int(text)) <= 127:
        raise StanzaError(Condition.BAD_REQUEST, "a priority is a whole number from -128 to 127")
    return priority
