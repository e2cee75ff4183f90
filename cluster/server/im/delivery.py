"""Delivery of messages to local accounts: RFC 6121 section 8.5 as one table, and its execution."""

from __future__ import annotations

from enum import Enum, StrEnum
from functools import partial

from twisted.internet.defer import Deferred, succeed

from cluster.base import reasons
from cluster.base.context import in_this_context
from cluster.base.reasons import Reason
from cluster.base.settled import Settled
from cluster.host.module import ForLater
from cluster.router.port import Bounce
from cluster.server.context import ModuleContext
from cluster.server.im.accounts import LocalAccount
from cluster.server.im.message_hooks import MessageHooks
from cluster.trace.hop import Event, Tracer
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions.chat_states import is_chat_state
from cluster.xmpp.stanza import Stanza


class Situation(StrEnum):
    """The state of the address, if it is not the full JID of a session."""

    NO_ACCOUNT = "no such account"
    BARE_NOBODY = "bare JID, no available resource of priority 0 or more"
    BARE_SOMEBODY = "bare JID, available resources"
    FULL_NOBODY = "full JID that is gone, no available resource of priority 0 or more"
    FULL_SOMEBODY = "full JID that is gone, available resources"


class Action(StrEnum):
    """What the server does with the message."""

    BEST = "to the available resources of the highest priority"
    ALL = "to all available resources of priority 0 or more"
    STORE = "kept for later, or service-unavailable where nothing keeps it"
    BOUNCE = "service-unavailable"
    IGNORE = "ignored"


_A = Action
MESSAGE_RULES: dict[Situation, dict[str, Action]] = {
    # RFC 6121 section 8.5.1
    Situation.NO_ACCOUNT: {
        "normal": _A.BOUNCE, "chat": _A.BOUNCE, "groupchat": _A.BOUNCE, "headline": _A.IGNORE, "error": _A.IGNORE
    },
    # section 8.5.2.2.1, and 8.5.2.1.1 if all priorities are negative
    Situation.BARE_NOBODY: {
        "normal": _A.STORE, "chat": _A.STORE, "groupchat": _A.BOUNCE, "headline": _A.IGNORE, "error": _A.IGNORE
    },
    # section 8.5.2.1.1
    Situation.BARE_SOMEBODY: {
        "normal": _A.BEST, "chat": _A.BEST, "groupchat": _A.BOUNCE, "headline": _A.ALL, "error": _A.IGNORE
    },
    # section 8.5.3.2.1
    Situation.FULL_NOBODY: {
        "normal": _A.BOUNCE, "chat": _A.STORE, "groupchat": _A.BOUNCE, "headline": _A.IGNORE, "error": _A.IGNORE
    },
    Situation.FULL_SOMEBODY: {
        "normal": _A.BOUNCE, "chat": _A.BEST, "groupchat": _A.BOUNCE, "headline": _A.IGNORE, "error": _A.IGNORE
    },
}  # fmt: skip
"""By situation and message type. A type that the RFC does not know counts as normal (section 5.2.2)."""


class Came(Enum):
    """How a message came to an account."""

    NEW = "for the first time"
    AGAIN = "from a session that never got it"
    AGAIN_FIRST = "from a session that never got it, and before all that waits"


class MessageDelivery:
    """Delivers messages to the sessions of local accounts, to the offline store, or back to the sender."""

    def __init__(self, ctx: ModuleContext, bounce: Bounce, tracer: Tracer, hooks: MessageHooks) -> None:
        self._ctx = ctx
        self._hooks = hooks
        self._bounce = bounce
        self._tracer = tracer

    def deliver(self, account: LocalAccount | None, stanza: Stanza) -> Settled:
        """Deliver to the session of the full JID, or by the table; after the messages that must come first."""
        if account is None:
            return self._act(Situation.NO_ACCOUNT, None, stanza, Came.NEW)
        return self._hand_out(account, self._hooks.arriving(account, stanza), Came.NEW)

    def redeliver(self, account: LocalAccount, stanza: Stanza, came: Came = Came.AGAIN) -> Settled:
        """Deliver a message that an ended session never got, to its receiver of now."""
        if stanza.from_ == account.jid:  # a message of the server itself, which a module wrote for that session
            cause = "the resource that it was made for is gone"
            self._tracer.record(Event.DROPPED, stanza, cause, reason=reasons.OWN_RESOURCE_GONE)
            return None
        return self._hand_out(account, stanza, came)

    def _hand_out(self, account: LocalAccount, stanza: Stanza, came: Came) -> Settled:
        to = stanza.to
        assert to is not None
        if account.held is not None:
            return account.hold_back(partial(self._hand_out, account, stanza, came))
        if to.resourcepart:
            session = account.sessions.get(to.resourcepart)
            if session is not None and not session.is_behind:
                session.send(stanza)
                if stanza.trace_id:
                    self._tracer.record(Event.DELIVERED, stanza, to.resourcepart, reason=session.why_not_now)
                return self._hooks.delivered(account, stanza, (session,)) if came is Came.NEW else None
        return self._by_table(account, stanza, came)

    def _by_table(self, account: LocalAccount, stanza: Stanza, came: Came) -> Settled:
        assert stanza.to is not None
        somebody = bool(account.accepting_messages)
        if stanza.to.resourcepart:
            situation = Situation.FULL_SOMEBODY if somebody else Situation.FULL_NOBODY
        else:
            situation = Situation.BARE_SOMEBODY if somebody else Situation.BARE_NOBODY
        return self._act(situation, account, stanza, came)

    def _act(self, situation: Situation, account: LocalAccount | None, stanza: Stanza, came: Came) -> Settled:
        action = _rule(situation, stanza)
        match action:
            case Action.BEST | Action.ALL if account:
                chosen = account.best() if action is Action.BEST else account.accepting_messages
                for session in chosen:
                    session.send(stanza)
                    if len(chosen) > 1:
                        session.share(stanza, tuple(chosen))
                if stanza.trace_id:
                    names, waits = ", ".join(s.jid.resourcepart for s in chosen), [s.why_not_now for s in chosen]
                    self._tracer.record(Event.DELIVERED, stanza, names, reason=waits[0] if all(waits) else None)
                return self._hooks.delivered(account, stanza, chosen) if came is Came.NEW else None
            case Action.STORE if is_chat_state(stanza):
                cause = "a chat state does not wait (XEP-0160 section 3)"
                self._tracer.record(Event.DROPPED, stanza, cause, reason=reasons.CHAT_STATE)
            case Action.STORE if account and not account.is_removed:
                kept = self._keep(account, stanza, came is Came.AGAIN_FIRST)
                return kept.addCallback(in_this_context(self._kept), account, stanza, came)
            case Action.STORE | Action.BOUNCE:  # there is no account to store it for
                reason = _reason(situation, account, stanza)
                return self._bounce(stanza, StanzaError(Condition.SERVICE_UNAVAILABLE, cause=situation, reason=reason))
            case _:
                cause = "RFC 6121 section 8.5 says to ignore it"
                self._tracer.record(Event.DROPPED, stanza, cause, reason=reasons.IGNORED)
        return None

    def _keep(self, account: LocalAccount, stanza: Stanza, goes_first: bool) -> Deferred[bool]:
        if account.temporary:
            return succeed(False)
        return self._ctx.host.run("store", self._ctx, account, ForLater(stanza, goes_first))

    def _kept(self, kept: bool, account: LocalAccount, stanza: Stanza, came: Came) -> Settled:
        if kept:
            if stanza.trace_id:
                reason = reasons.NEGATIVE_PRIORITY if account.available else reasons.OFFLINE
                self._tracer.record(Event.STORED, stanza, reason=reason)
            return self._hooks.delivered(account, stanza, ()) if came is Came.NEW else None
        cause = "the account is offline, and the message cannot be stored"
        return self._bounce(stanza, StanzaError(Condition.SERVICE_UNAVAILABLE, cause=cause, reason=reasons.NOT_STORED))


def _reason(situation: Situation, account: LocalAccount | None, stanza: Stanza) -> Reason:
    """Why a message goes back."""
    if account is None:
        return reasons.NO_ACCOUNT
    if account.is_removed:
        return reasons.ACCOUNT_REMOVED
    if stanza.type == "groupchat":
        return reasons.NOT_A_ROOM
    return reasons.RESOURCE_GONE


def _rule(situation: Situation, stanza: Stanza) -> Action:
    rules = MESSAGE_RULES[situation]
    return rules.get(stanza.type or "normal", rules["normal"])
