"""Blocking Command (XEP-0191): the addresses that an account blocks.

The list is the barrier of its account: server/ingress.py, server/im/account_delivery.py and server/im/presence.py apply
it to stanzas.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from cluster.base.settled import Settled, all_of
from cluster.server.context import ModuleContext, ServerModule
from cluster.server.im.accounts import LocalAccount
from cluster.server.sessions.session import Session
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, ErrorType, StanzaError
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.namespaces import BLOCKING_ERRORS
from cluster.xmpp.stanza import Stanza, make

NS = "urn:xmpp:blocking"
MAX_BLOCKED = 1_000
"""Addresses in one list; one more is refused with `resource-constraint`."""
MAX_LIST_BYTES = 131_072
"""Of all addresses in a list."""

module = ServerModule("blocking", ns=NS, xep=191, version="1.3")
follows = module.session_state("follows", bool, default=False)
"""The session asked for the list, so it gets pushes of its changes (section 3.3)."""


class BlockList(frozenset[Jid]):
    """Full and bare JIDs, and domains."""

    def blocks(self, other: Jid) -> bool:
        """Section 5."""
        return not self.isdisjoint((other, other.bare, Jid("", other.domainpart)))

    def refusal(self) -> StanzaError:
        """Section 3.3."""
        return StanzaError(Condition.NOT_ACCEPTABLE, type=ErrorType.CANCEL, detail=f"{{{BLOCKING_ERRORS}}}blocked")


blocked = module.account_state(
    read=lambda document: BlockList(_jids(document)),
    write=lambda blocked: _element("blocklist", blocked),
    default=BlockList(),
)


@module.on("load")
async def raise_barrier(ctx: ModuleContext, account: LocalAccount, about: None) -> bool:
    """Raise the barrier before the account's first stanza."""
    account.barrier = blocked.of(account) or None
    return False


@module.on_iq("get", "blocklist", addressed_to=("own",))
def show(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """The whole list; the session gets its changes from now on (section 3.2)."""
    session = _session(ctx, iq)
    follows.set(session, True)
    return iq.reply(_element("blocklist", blocked.of(session.account)))


@module.on_iq("set", "block", addressed_to=("own",))
async def block(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """Block these addresses; for those who may see the account, it becomes unavailable (section 3.3)."""
    account = _session(ctx, iq).account
    jids = list(_jids(iq.payload()))
    if not jids:
        raise StanzaError(Condition.BAD_REQUEST, "no JID to block")
    listed = BlockList(blocked.of(account).union(jids))
    if len(listed) > MAX_BLOCKED or sum(len(str(jid).encode()) for jid in listed) > MAX_LIST_BYTES:
        text = f"a block list has at most {MAX_BLOCKED} addresses of {MAX_LIST_BYTES} bytes"
        raise StanzaError(Condition.RESOURCE_CONSTRAINT, text)
    viewers = [viewer for viewer in _viewers(account, jids) if not account.blocks(viewer)]
    _set(account, listed)
    told = [ctx.presence.hide_from(account, viewer) for viewer in viewers]
    told += [ctx.presence.take_back_directed(session, account.blocks) for session in account.sessions.values()]
    await _changed(ctx, account, _element("block", jids), told)
    return iq.reply()


@module.on_iq("set", "unblock", addressed_to=("own",))
async def unblock(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """Unblock these addresses, or all; those who may see the account get its presence (section 3.4)."""
    account = _session(ctx, iq).account
    query = iq.payload()
    jids = list(_jids(query))
    listed = blocked.of(account)
    freed = listed.intersection(jids) if len(query) else listed
    _set(account, BlockList(listed - freed))
    viewers = [viewer for viewer in _viewers(account, freed) if not account.blocks(viewer)]
    unheard = [contact for contact in _contacts(account, freed, "to") if not account.blocks(contact)]
    told = [ctx.presence.show_to(account, viewer) for viewer in viewers]
    told += [ctx.presence.probe(account, contact) for contact in unheard]  # their presence was stopped meanwhile
    await _changed(ctx, account, _element("unblock", jids), told)
    return iq.reply()


def _set(account: LocalAccount, listed: BlockList) -> None:
    blocked.set(account, listed)
    account.barrier = listed or None


def _session(ctx: ModuleContext, iq: Stanza) -> Session:
    session = ctx.session(iq.from_)
    if session is None:
        raise StanzaError(Condition.FORBIDDEN)
    return session


def _jids(query: Element) -> Iterator[Jid]:
    for item in query.findall(f"{{{NS}}}item"):
        try:
            yield Jid.parse(item.get("jid", ""))
        except JidError as error:
            raise StanzaError(Condition.JID_MALFORMED, str(error)) from None


def _element(name: str, jids: Iterable[Jid]) -> Element:
    element = Element(f"{{{NS}}}{name}")
    for jid in sorted(jids):
        SubElement(element, f"{{{NS}}}item", jid=str(jid))
    return element


def _viewers(account: LocalAccount, blocked: Collection[Jid]) -> list[Jid]:
    """Of these addresses, those that may see the account's presence; of a domain, the contacts there."""
    return _contacts(account, blocked, "from")


def _contacts(account: LocalAccount, addresses: Collection[Jid], subscription: str) -> list[Jid]:
    """The addresses that are contacts with this subscription, or resources of contacts; for a domain its contacts."""
    found: set[Jid] = set()
    for item in account.roster.values():
        if item.subscription in (subscription, "both"):
            found.update(jid for jid in addresses if jid.bare == item.jid)
            if Jid("", item.jid.domainpart) in addresses:
                found.add(item.jid)
    return sorted(found)


async def _changed(ctx: ModuleContext, account: LocalAccount, change: Element, told: list[Settled]) -> None:
    """Push the list to the resources that asked for it, and store it (section 3.3).

    `told`: the presence that the change has caused; the request is answered when that is on its way.
    """
    for session in account.sessions.values():
        if follows.of(session):
            session.send(make("iq", from_=account.jid, to=session.jid, id=ctx.new_id(), type="set", payload=[change]))
    await blocked.save(ctx.store.documents, account)
    if (settled := all_of(told)) is not None:
        await settled
