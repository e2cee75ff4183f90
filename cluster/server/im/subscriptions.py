"""Subscriptions (RFC 6121 section 3): applies the state table of Appendix A to rosters, with pushes and presence."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from twisted.internet.defer import Deferred

from cluster.base.settled import Settled, all_of, both
from cluster.host.state import SessionState
from cluster.server.im.accounts import Accounts, LocalAccount
from cluster.server.im.presence import Presence
from cluster.server.im.roster import item_element, kept_request, roster_element
from cluster.server.sessions.session import Session
from cluster.store.port import RosterItem
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import ROSTER
from cluster.xmpp.stanza import Stanza, make
from cluster.xmpp.subscription import ALWAYS_ROUTED, INBOUND, OUTBOUND, State, SubscriptionType

INTERESTED = SessionState("roster interested", bool, default=False)
"""A session asked for the roster, so it gets roster pushes (RFC 6121 section 2.1.6)."""


def state_of(item: RosterItem) -> State:
    """The item's state in the table."""
    return State((item.subscription, item.pending_out, item.pending_in is not None))


def with_state(item: RosterItem, state: State, request: Stanza | None) -> RosterItem:
    """The item in that state; `request` is the subscribe stanza that is kept in a state with one pending in."""
    subscription, pending_out, pending_in = state.value
    return msgspec.structs.replace(
        item,
        subscription=subscription,
        pending_out=pending_out,
        pending_in=(kept_request(request) if request else item.pending_in) if pending_in else None,
        listed=item.listed or state not in (State.NONE, State.NONE_IN),
    )


class Subscriptions:
    """Applies the subscription stanzas of accounts and their contacts."""

    def __init__(
        self,
        accounts: Accounts,
        presence: Presence,
        route: Callable[[Stanza], Settled],
        new_id: Callable[[], str],
    ) -> None:
        self._accounts = accounts
        self._presence = presence
        self._route = route
        self._new_id = new_id

    def outbound(self, account: LocalAccount, stanza: Stanza) -> Settled:
        """A session of the account sends a subscription stanza (RFC 6121 section 3, Appendix A.2).

        Raises StanzaError if it would add a contact for which there is no room.
        """
        assert stanza.to is not None
        contact = stanza.to.bare
        kind: SubscriptionType = stanza.type  # type: ignore[assignment]  # the caller chose by it
        before = account.roster.get(contact) or RosterItem(contact)
        state = state_of(before)
        new_state = OUTBOUND[kind].get(state)
        if kind == "subscribed" and new_state is None:
            return self._approve(account, before, True) if state in (State.NONE, State.NONE_OUT, State.TO) else None
        if kind == "unsubscribed" and new_state is None:
            return self._approve(account, before, False) if before.approved else None
        item = None if new_state is None else with_state(before, new_state, None)
        if item is not None and item != RosterItem(contact):
            account.roster.check(item)
        settled: list[Settled] = [] if item is None else [self._keep(account, item)]
        # Before the stanza, which only the contact sees: the answer of a local one, who may have approved it before,
        # comes at once and is pushed too (sections 3.1.2, 3.1.5, 3.2.2 and 3.3.2).
        self._show_change(account, item)
        if new_state is not None or kind in ALWAYS_ROUTED:
            if kind == "unsubscribed" and before.subscription in ("from", "both"):
                settled.append(self._presence.hide_from(account, contact))  # while it is subscribed (section 3.2.2)
            # RFC 6121 section 3.1.2: stamped with the bare JID
            sent = make("presence", from_=account.jid, to=contact, id=stanza.id, type=kind, payload=[*stanza.tree])
            settled.append(self._route(sent))
        if kind == "subscribed":
            settled.append(self._presence.show_to(account, contact))
        return all_of(settled)

    def inbound(self, account: LocalAccount, stanza: Stanza) -> Settled:
        """A contact's subscription stanza arrives for the account (RFC 6121 section 3, Appendix A.3).

        Raises StanzaError for a request for which there is no room.
        """
        assert stanza.from_ is not None
        contact = stanza.from_.bare
        kind: SubscriptionType = stanza.type  # type: ignore[assignment]  # the caller chose by it
        before = account.roster.get(contact) or RosterItem(contact)
        if kind == "subscribe" and (before.subscription in ("from", "both") or before.approved):
            return self._subscribe_at_once(account, before)
        new_state = INBOUND[kind].get(state_of(before))
        if new_state is None:
            return None
        item = with_state(before, new_state, stanza if kind == "subscribe" else None)
        if kind == "subscribe":
            account.roster.check(item)
        settled: Settled = self._keep(account, item)
        for session in account.available if kind == "subscribe" else _interested(account):
            session.send(stanza)
        self._show_change(account, item)  # after the stanza (sections 3.1.6, 3.2.3 and 3.3.3)
        if kind == "unsubscribe" and before.subscription in ("from", "both"):
            settled = both(settled, self._presence.hide_from(account, contact))
        return settled

    def _subscribe_at_once(self, account: LocalAccount, before: RosterItem) -> Settled:
        """A contact that may see the account already, or was approved before it asked (section 3.1.3 and 3.4)."""
        settled: list[Settled] = []
        if before.subscription not in ("from", "both"):
            state = {State.NONE: State.FROM, State.NONE_OUT: State.FROM_OUT, State.TO: State.BOTH}[state_of(before)]
            approved = msgspec.structs.replace(before, approved=False)
            settled.append(self.put(account, with_state(approved, state, None)))
        settled.append(self._route(make("presence", from_=account.jid, to=before.jid, type="subscribed")))
        settled.append(self._presence.show_to(account, before.jid))
        return all_of(settled)

    def _approve(self, account: LocalAccount, before: RosterItem, approved: bool) -> Settled:
        item = msgspec.structs.replace(before, approved=approved, listed=True)
        account.roster.check(item)
        return self.put(account, item)

    def _keep(self, account: LocalAccount, item: RosterItem) -> Deferred[None]:
        """Store the item; remove it if a stranger's request ended without a subscription."""
        if item == RosterItem(item.jid):
            return self._accounts.remove_item(account, item.jid)
        return self._accounts.put_item(account, item)

    def _show_change(self, account: LocalAccount, item: RosterItem | None) -> None:
        """Push the item if it is shown in the roster."""
        if item is not None and item.listed:
            self.push(account, item_element(item))

    def put(self, account: LocalAccount, item: RosterItem) -> Settled:
        """Store the item, and push it to the interested resources if it is shown in the roster (section 2.1.6)."""
        before = account.roster.get(item.jid)
        settled: Settled = self._accounts.put_item(account, item)
        if item.listed:
            self.push(account, item_element(item))
        if before is not None and before.groups != item.groups:
            return both(settled, self._presence.regrouped(account, before))
        return settled

    def push(self, account: LocalAccount, element: Element) -> None:
        """Send a roster push to every interested resource."""
        interested = _interested(account)
        query = roster_element(account.roster, element) if interested else element
        for session in interested:
            session.send(make("iq", from_=account.jid, to=session.jid, id=self._new_id(), type="set", payload=[query]))

    def remove(self, account: LocalAccount, contact: Jid) -> Settled:
        """Remove a contact: both subscriptions end, and the contact is told (section 2.5.2)."""
        item = account.roster[contact]
        shown = item.subscription in ("from", "both")
        settled: list[Settled] = []
        if shown:
            settled.append(self._presence.hide_from(account, contact))
        if shown or item.pending_in is not None:  # otherwise the contact would wait forever for an answer
            settled.append(self._route(make("presence", from_=account.jid, to=contact, type="unsubscribed")))
        if item.subscription in ("to", "both") or item.pending_out:
            settled.append(self._route(make("presence", from_=account.jid, to=contact, type="unsubscribe")))
        settled.append(self._accounts.remove_item(account, contact))
        self.push(account, Element(f"{{{ROSTER}}}item", jid=str(contact), subscription="remove"))
        return all_of(settled)


def _interested(account: LocalAccount) -> list[Session]:
    return [session for session in account.sessions.values() if INTERESTED.of(session)]
