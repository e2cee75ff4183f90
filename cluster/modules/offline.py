"""Offline messages (XEP-0160): stored while no resource is available, delivered with a delay stamp (XEP-0203)."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.clock import as_interface
from cluster.base.storage import is_away
from cluster.host.module import ForLater, NewSession
from cluster.server.context import ModuleContext, ServerModule
from cluster.server.im.accounts import LocalAccount
from cluster.server.sessions.session import Session
from cluster.store.port import OfflineMessage
from cluster.xmpp.extensions.delay import delayed
from cluster.xmpp.namespaces import HINTS
from cluster.xmpp.stanza_id import stanza_id

_log = Logger()
AGAIN_S = 1.0
"""Pause until a storage that is away is asked again."""
_NO_STORE = f"{HINTS} no-store"

module = ServerModule("offline", ns="msgoffline", xep=160, version="1.0.1")
reads_archive = module.session_state("reads the archive", bool, default=False)
"""The session's client finds there what waits for it and has an id of the archive (XEP-0359)."""


@module.on("store")
async def keep(ctx: ModuleContext, account: LocalAccount, message: ForLater) -> bool:
    """Store a message, with a body or without: encrypted messages, receipts, calls (XEP-0160 section 3).

    A message beyond the limit returns to its sender (section 2), and so does one that must not be stored (XEP-0334
    section 4.2).
    """
    stanza = message.stanza
    if _NO_STORE in stanza.payloads:
        return False
    waiting = OfflineMessage(stanza, ctx.now_utc_s())
    bounds = ctx.limits.offline, ctx.limits.offline_total_bytes
    return await ctx.store.offline.push(account.jid.localpart, waiting, *bounds, first=message.goes_first)


@module.on("bound")
async def leave_to_archive(ctx: ModuleContext, account: LocalAccount, new: NewSession) -> bool:
    """A client of XEP-0386 reads the archive: messages that are there are not sent again (section 3.2)."""
    reads_archive.set(new.session, True)
    return False


@module.on("available")
async def deliver(ctx: ModuleContext, account: LocalAccount, session: Session) -> bool:
    """Send the waiting messages to the session that became available, oldest first, before newer ones.

    If the session has ended before the store has answered, they go to another one that accepts messages, or wait on. A
    session gets no more than it reads: the rest waits, and newer messages after it. So all do while the storage
    is away.
    """
    if not account.hold():
        return False
    try:
        while not await _has_delivered(ctx, account, session):
            await deferLater(as_interface(ctx.clock), AGAIN_S)
    finally:
        account.release()
    return False


async def _has_delivered(ctx: ModuleContext, account: LocalAccount, session: Session) -> bool:
    """Send what waits; False where the storage is away or refuses: some may be sent, and are sent again."""
    localpart = account.jid.localpart
    try:
        while page := await ctx.store.offline.page(localpart):
            receiver = next((each for each in (session, *account.best()) if each.accepting_messages), None)
            if receiver is None:
                break
            count = _send(ctx, receiver, page)
            await ctx.store.offline.drop(localpart, count)
            if receiver.is_full:
                receiver.is_behind = True
                receiver.when_room().addCallback(_go_on, ctx, receiver).addErrback(_not_delivered)
    except Exception as error:
        if not is_away(error):
            raise
        return False
    return True


def _send(ctx: ModuleContext, receiver: Session, waiting: list[OfflineMessage]) -> int:
    """Send as many as the session has room for; returns their number."""
    for count, message in enumerate(waiting):
        if receiver.is_full:
            return count
        if not (reads_archive.of(receiver) and stanza_id(message.stanza, receiver.account.jid)):
            receiver.send(delayed(message.stanza, ctx.domain, message.stored_utc_s))
    return len(waiting)


def _go_on(has_room: bool, ctx: ModuleContext, session: Session) -> Deferred[bool] | None:
    if not has_room:
        return None
    session.is_behind = False
    return ctx.host.run("available", ctx, session.account, session)


def _not_delivered(failure: Failure) -> None:
    """The code failed: the messages come with the next login."""
    _log.failure("Delivering offline messages", failure)
