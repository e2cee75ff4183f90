"""Message Carbons (XEP-0280): a resource that enables them sees what the account's other resources send and receive."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from cluster.base.settled import Settled
from cluster.server.context import ModuleContext, ServerModule
from cluster.server.im.accounts import LocalAccount
from cluster.server.sessions.session import Session
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions.forward import forwarded
from cluster.xmpp.namespaces import CLIENT, HINTS
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.stanza import Stanza, opening
from cluster.xmpp.streams.events import Nonza

NS = "urn:xmpp:carbons:2"
_PRIVATE = {f"{NS} private", f"{HINTS} no-copy"}
_BODY = f"{CLIENT} body"
_MUC_USER = "http://jabber.org/protocol/muc#user"
_MUC_X = f"{_MUC_USER} x"
_IM = (
    "urn:xmpp:receipts ",
    "http://jabber.org/protocol/chatstates ",
    "urn:xmpp:chat-markers:0 ",
    "jabber:x:conference x",
)
"""Receipts, chat states, chat markers and direct invitations (section 6.1)."""

module = ServerModule("carbons", ns=NS, xep=280, version="1.0.1")
wants = module.session_state("wants", bool, default=False)
"""The session gets copies."""


@module.on_iq("set", "enable", addressed_to=("own",))
def enable(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """For this resource, possibly again (sections 4 and 10.1)."""
    wants.set(_session(ctx, iq), True)
    return iq.reply()


@module.on_bind("enable")
def begin_with(ctx: ModuleContext, session: Session, nonza: Nonza) -> bytes:
    """Together with the resource (XEP-0386 section 3.2): nothing is missed in between."""
    wants.set(session, True)
    return b""


@module.on_iq("set", "disable", addressed_to=("own",))
def disable(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """For this resource (section 5)."""
    wants.set(_session(ctx, iq), False)
    return iq.reply()


def _session(ctx: ModuleContext, iq: Stanza) -> Session:
    session = ctx.session(iq.from_)
    if session is None:
        raise StanzaError(Condition.NOT_ALLOWED)
    return session


@module.on_message("sent")
def copy_sent(ctx: ModuleContext, session: Session, copy: Stanza) -> tuple[Stanza, Settled]:
    """To the other resources of the sender's account (section 8)."""
    account = session.account
    if len(account.sessions) > 1 and copy.to is not None and copy.to.bare != account.jid:  # else they get it anyway
        _send("sent", account, copy, (each for each in account.sessions.values() if each is not session))
    return copy, None


@module.on_message("delivered")
def copy_received(ctx: ModuleContext, account: LocalAccount, stanza: Stanza, sessions: Sequence[Session]) -> Settled:
    """To the resources that did not get it (section 7); later ones have it from the offline messages."""
    if len(account.sessions) > len(sessions):
        others = (each for each in account.sessions.values() if each not in sessions and not _sent(each, stanza))
        _send("received", account, stanza, (each for each in others if sessions or each.available))
    return None


def _sent(session: Session, stanza: Stanza) -> bool:
    return session.jid == stanza.from_


def _send(
    direction: Literal["sent", "received"], account: LocalAccount, stanza: Stanza, sessions: Iterable[Session]
) -> None:
    receivers = [session for session in sessions if wants.of(session)]
    if not receivers or not _is_eligible(stanza, direction):
        return
    kind = f" type={quoteattr(stanza.type)}" if stanza.type is not None else ""
    content = f"{kind}><{direction} xmlns='{NS}'>".encode() + forwarded(stanza) + f"</{direction}></message>".encode()
    for receiver in receivers:
        raw = opening("message", account.jid) + f" to={quoteattr(str(receiver.jid))}".encode() + content
        receiver.send(Stanza("message", receiver.jid, account.jid, None, stanza.type, (f"{NS} {direction}",), raw))


def _is_eligible(stanza: Stanza, direction: Literal["sent", "received"]) -> bool:
    """Section 6.1. An error is eligible if the content that it returns is."""
    payloads = stanza.payloads
    if stanza.type == "groupchat" or not _PRIVATE.isdisjoint(payloads):
        return False
    if _MUC_X in payloads and direction == "received" and stanza.from_ is not None:
        if not stanza.from_.is_bare:
            return False  # a private message in a room, which all resources there get from the room
        if stanza.tree.find(f"{{{_MUC_USER}}}x/{{{_MUC_USER}}}invite") is not None:
            return True
    if stanza.type == "chat" or (_BODY in payloads and stanza.type != "headline"):
        return True
    return any(payload.startswith(_IM) for payload in payloads)
