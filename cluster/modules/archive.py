"""Message Archive Management (XEP-0313): the messages that an account sent and received, for all of its resources.

Archived are messages of type normal and chat with a body, and those with the hint to store them (XEP-0334); of
everybody unless the account prefers less, see xmpp/extensions/mam_prefs.py. A message that waits offline is archived
too, so a client that reads both gets it twice, with the same stanza-id (XEP-0359).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from cluster.base.settled import Settled
from cluster.host.module import NewSession
from cluster.server.context import ModuleContext, ServerModule
from cluster.server.im.accounts import LocalAccount
from cluster.server.sessions.session import Session
from cluster.store.archive import ArchivedMessage, UnknownId
from cluster.streams.outbox import MAX_UNSENT_BYTES
from cluster.xmpp import element as xml
from cluster.xmpp import timestamp
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions import mam, mam_prefs
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, HINTS, MAM, STANZA_ID
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.stanza_id import is_of_place, stanza_id, with_id_of_mark, with_stanza_id

MAX_AHEAD_BYTES = MAX_UNSENT_BYTES // 2
"""Unread bytes of a client up to which it gets a further page: otherwise many requests for pages would end its
stream."""
_NOTHING = mam_prefs.Preferences(default="never")
_BODY = f"{CLIENT} body"
_STORE = f"{HINTS} store"
_NO_STORE = {f"{HINTS} no-store", f"{HINTS} no-permanent-store"}

module = ServerModule("archive", ns=MAM, xep=313, version="1.1.3")
module.account_features = {MAM, f"{MAM}#extended", f"{MAM}#groupchat-field", STANZA_ID}  # section 6; XEP-0359 section 5
kept = module.account_state(read=mam_prefs.read, write=mam_prefs.to_element, default=mam_prefs.Preferences())
"""Which messages of an account are archived (XEP-0441)."""


# --- archiving


@module.on_message("sent")
def keep_sent(ctx: ModuleContext, session: Session, copy: Stanza) -> tuple[Stanza, Settled]:
    """The account's copy gets its own id; a message to itself is archived when it arrives (section 5.1.1)."""
    account, to = session.account, copy.to
    if to is None or not _is_kept(account, to, copy) or to.bare == account.jid:
        return copy, None
    id = session.sent_id or ctx.new_id()
    copy = with_stanza_id(copy, id, account.jid)
    if account.is_removed:
        return copy, None
    return copy, ctx.store.archives.append(account.jid.localpart, _archived(ctx, id, copy), ctx.limits.archive)


@module.on_message("arriving")
def give_id(ctx: ModuleContext, account: LocalAccount, stanza: Stanza) -> Stanza:
    """Only archived messages get an id (section 3.5): clients ask the archive for what follows the last one that they
    saw.

    A message that may come twice gets the id of its mark, so that a repetition is archived once.
    """
    if stanza.from_ is None or not _is_kept(account, stanza.from_, stanza):
        return stanza
    by = account.jid
    return with_id_of_mark(stanza, by) or with_stanza_id(stanza, ctx.new_id(), by)


@module.on_message("delivered")
def keep_received(ctx: ModuleContext, account: LocalAccount, stanza: Stanza, sessions: Sequence[Session]) -> Settled:
    """Archive a message once, however many resources got it (section 5.1.1): if it has an id for that."""
    id = stanza_id(stanza, account.jid)
    if id is None or account.is_removed:
        return None
    archives, localpart, message = ctx.store.archives, account.jid.localpart, _archived(ctx, id, stanza)
    if not is_of_place(id):
        return archives.append(localpart, message, ctx.limits.archive)
    archives.append_again(localpart, message, ctx.limits.archive)
    return None


def _is_kept(account: LocalAccount, other: Jid, stanza: Stanza) -> bool:
    """Section 5.1.1, and the hints of XEP-0334 section 4."""
    payloads = stanza.payloads
    if account.temporary or stanza.type in ("groupchat", "headline", "error"):
        return False
    if _BODY not in payloads and _STORE not in payloads:
        return False
    if not _NO_STORE.isdisjoint(payloads):
        return False
    return kept.of(account).keep(other, partial(_is_contact, account))


def _is_contact(account: LocalAccount, bare: Jid) -> bool:
    contact = account.roster.get(bare)
    return contact.listed if contact is not None else bare == account.jid


def _archived(ctx: ModuleContext, id: str, stanza: Stanza) -> ArchivedMessage:
    if stanza.trace_id:
        stanza = msgspec.structs.replace(stanza, trace_id="")
    # to the millisecond, as clients see it and ask for it
    return ArchivedMessage(id, timestamp.rounded(ctx.now_utc_s()), stanza)


# --- queries


@module.on_iq("set", "query", addressed_to=("own",))
async def answer_query(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """A page of the archive, one message each, then its end (section 4)."""
    session = _session(ctx, iq)
    query = mam.read_query(iq.payload())
    try:
        page = await ctx.store.archives.query(session.account.jid, query)
    except UnknownId as error:
        raise StanzaError(Condition.ITEM_NOT_FOUND, f"the archive has no message {error}") from None
    if session.waiting_bytes > MAX_AHEAD_BYTES:
        raise StanzaError(Condition.RESOURCE_CONSTRAINT, "read and acknowledge the pages that you asked for before")
    for message in reversed(page.messages) if query.flip else page.messages:
        session.send(
            mam.result(session.account.jid, session.jid, query.queryid, message.id, message.came_utc_s, message.stanza)
        )
    ids = [message.id for message in page.messages]
    return iq.reply(mam.fin(ids, page.first_index, page.count, page.is_complete))


@module.on_iq("get", "query", addressed_to=("own",))
def answer_form(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """The fields of a query (section 4.1.5)."""
    query = Element(f"{{{MAM}}}query")
    query.append(mam.form())
    return iq.reply(query)


@module.on_iq("get", "metadata", addressed_to=("own",))
async def answer_metadata(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """The first and the last message (section 4.4)."""
    return iq.reply(await _metadata(ctx, _session(ctx, iq).account.jid))


@module.on("bound")
async def tell_metadata(ctx: ModuleContext, account: LocalAccount, new: NewSession) -> bool:
    """So that the client knows what it has missed (XEP-0386 section 3.2)."""
    if not account.temporary:
        new.answer.append(xml.serialize(await _metadata(ctx, account.jid)))
    return False


async def _metadata(ctx: ModuleContext, account: Jid) -> Element:
    metadata = Element(f"{{{MAM}}}metadata")
    for name, before in (("start", None), ("end", "")):
        page = await ctx.store.archives.query(account, mam.Query(max=1, page_before=before))
        for message in page.messages:
            stamp = timestamp.to_text(message.came_utc_s)
            SubElement(metadata, f"{{{MAM}}}{name}", id=message.id, timestamp=stamp)
    return metadata


@module.on_iq("get", "prefs", addressed_to=("own",))
def answer_preferences(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """The current preferences (XEP-0441 section 2.1)."""
    account = _session(ctx, iq).account
    return iq.reply(mam_prefs.to_element(_NOTHING if account.temporary else kept.of(account)))


@module.on_iq("set", "prefs", addressed_to=("own",))
async def change_preferences(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """Change what is archived from now on (XEP-0441 section 2.1)."""
    account = _session(ctx, iq).account
    preferences = mam_prefs.read(iq.payload())
    kept.set(account, preferences)
    await kept.save(ctx.store.documents, account)
    return iq.reply(mam_prefs.to_element(preferences))


@module.on_iq("set", "query", addressed_to=("account",))
def refuse(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """Only the account itself may read its archive (section 7.1)."""
    raise StanzaError(Condition.FORBIDDEN, "this archive is somebody else's")


def _session(ctx: ModuleContext, iq: Stanza) -> Session:
    session = ctx.session(iq.from_)
    if session is None:
        raise StanzaError(Condition.FORBIDDEN)
    return session


module.features = {STANZA_ID}  # the domain gives components ids; it has no archive itself, so no MAM (section 5.1)
