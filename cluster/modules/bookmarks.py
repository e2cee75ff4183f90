"""Bookmarks of rooms in all places where clients look (XEP-0402 section 5.3, XEP-0411): one item for each room, the
list of XEP-0048 in private XML (XEP-0049), and the same list at a node.

No place wipes another: a list that a client wrote before the first conversion is taken into the items first, and an
empty list removes a bookmark only if it is the only one.
"""

from __future__ import annotations

from collections.abc import Collection

from twisted.internet.defer import DeferredLock

from cluster.host.state import MemoryState
from cluster.pubsub.pep import Pep
from cluster.pubsub.publishing import Publication, publish, retract
from cluster.pubsub.service import Change
from cluster.server.context import ModuleContext, ServerModule
from cluster.server.im.accounts import LocalAccount
from cluster.store.pubsub import Item, PageQuery, UnknownItem
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.errors import StanzaError
from cluster.xmpp.jid import Jid, JidError

NS = "urn:xmpp:bookmarks:1"
LIST = "storage:bookmarks"
PRIVATE = "jabber:iq:private"
DOCUMENT = f"private {LIST} storage"
"""Where private XML keeps the list."""
CONVERTED = f"{NS}#converted"
"""Name of the document that says that the list of private XML is in the items."""
MAX_BOOKMARKS = 1_000
"""That are converted; further ones are only where they were written."""
_CONFERENCE, _IN_LIST = f"{{{NS}}}conference", f"{{{LIST}}}conference"
_SHOWN = ("nick", "password")
"""Children that both forms have."""
_PRIVATE_NODE = {
    "pubsub#access_model": ["whitelist"],
    "pubsub#persist_items": ["1"],
    "pubsub#send_last_published_item": ["never"],
}
"""XEP-0223 section 4."""

module = ServerModule("bookmarks", ns=NS, xep=402, version="1.2.0")
module.account_features = {f"{NS}#compat", f"{NS}#compat-pep", "urn:xmpp:bookmarks-conversion:0"}
turn: MemoryState[LocalAccount, DeferredLock] = MemoryState(lambda account: DeferredLock())
"""Changes of an account are converted one after the other, so that no older list is written over a newer one."""


@module.on("published")
async def published(ctx: ModuleContext, account: LocalAccount, change: Change) -> bool:
    """A client has changed an item, or the list at its node."""
    if change.node not in (NS, LIST) or change.by == account.jid:  # otherwise it was converted from elsewhere
        return False
    bookmarks = _Bookmarks(ctx, account)
    if not bookmarks.are_private:
        return False
    async with turn.of(account):
        if change.node == NS:
            await bookmarks.take_in_old_list()
            await bookmarks.write_lists()
        elif change.item is not None and change.item.payload:
            took_in = await bookmarks.take_in_old_list()
            await bookmarks.follow(xml.parse(change.item.payload), retracting=not took_in)
            await bookmarks.write_lists()
    return False


@module.on("kept")
async def kept(ctx: ModuleContext, account: LocalAccount, document: Element) -> bool:
    """A client has written the list in private XML."""
    storage = document.find(f"{{{LIST}}}storage")
    bookmarks = _Bookmarks(ctx, account)
    if storage is not None and bookmarks.are_private:
        async with turn.of(account):
            await bookmarks.follow(storage)
            await bookmarks.write_lists(storage)
    return False


class _Bookmarks:
    """Those of one account, in all places."""

    def __init__(self, ctx: ModuleContext, account: LocalAccount) -> None:
        self._documents = ctx.store.documents
        self._limit = ctx.limits.private
        self._account = account
        self._pep = Pep(ctx, account)
        self._only_listed: set[str] = set()
        """Rooms whose bookmarks could not be published as items."""

    @property
    def are_private(self) -> bool:
        """Nobody else may see the nodes (XEP-0411 section 5)."""
        nodes = [self._pep.nodes[name] for name in (NS, LIST) if name in self._pep.nodes]
        return all(node.config.access_model == "whitelist" for node in nodes)

    async def take_in_old_list(self) -> bool:
        """What was written into private XML before anything was converted becomes items; whether there was any."""
        if await self._documents.get(self._account.jid.localpart, CONVERTED) is not None:
            return False
        document = await self._documents.get(self._account.jid.localpart, DOCUMENT)
        if document is not None:
            items = await self._items()
            listed = _rooms(xml.parse(document)[0])
            await self._put({room: each for room, each in listed.items() if room not in items}, {})
        return document is not None

    async def follow(self, storage: Element, *, retracting: bool = True) -> None:
        """Make the items say what this list says; no notification for those that say so already (section 5.3.2)."""
        items, listed = await self._items(), _rooms(storage)
        await self._put(listed, items)
        gone = [room for room in items if room not in listed]
        if retracting and (listed or len(gone) == 1):
            for room in gone:
                await retract(self._pep, NS, self._pep.jid, room, True)

    async def _put(self, listed: dict[str, Element], items: dict[str, Element]) -> None:
        for room, conference in listed.items():
            before = items.get(room)
            is_new = before is None or not _says_the_same(before, conference)
            if is_new and not await self._publish(NS, room, _item(conference, before), "max"):
                self._only_listed.add(room)

    async def write_lists(self, written: Element | None = None) -> None:
        """Write both lists as the items are; `written`: what a client has just written into private XML."""
        localpart, items = self._account.jid.localpart, await self._items()
        document = await self._documents.get(localpart, DOCUMENT)
        before = written if written is not None else None if document is None else xml.parse(document)[0]
        storage = _list(items, before, self._only_listed)
        text = xml.serialize(storage)
        if self._account.is_removed:
            return
        if before is None or xml.serialize(before) != text:
            query = Element(f"{{{PRIVATE}}}query")
            query.append(storage)
            await self._documents.put(localpart, DOCUMENT, xml.serialize(query), self._limit)
        await self._documents.put(localpart, CONVERTED, b"<converted/>")
        newest = (await self._pep.store.newest(self._pep.owner, [LIST])).get(LIST)
        if newest is None or not newest.payload or xml.serialize(xml.parse(newest.payload)) != text:
            await self._publish(LIST, "current", storage, "1")

    async def _publish(self, node: str, id: str, payload: Element, most: str) -> bool:
        """For the account; a new node is private. False where there is no room."""
        options = None if node in self._pep.nodes else {**_PRIVATE_NODE, "pubsub#max_items": [most]}
        try:
            await publish(self._pep, Publication.of(node, self._pep.jid, id, payload, options))
        except StanzaError:
            return False
        return True

    async def _items(self) -> dict[str, Element]:
        """The conferences of the items, by the address of the room."""
        found: list[Item] = []
        if NS not in self._pep.nodes:
            return {}
        while len(found) < MAX_BOOKMARKS:
            query = PageQuery(after=found[-1].id if found else None)
            try:
                page = await self._pep.store.page(self._pep.owner, NS, query)
            except UnknownItem:  # the item was removed meanwhile: start again
                found = []
                continue
            found += page.items
            if not page.items or page.first_index + len(page.items) >= page.count:
                break
        return {item.id: xml.parse(item.payload) for item in found[:MAX_BOOKMARKS] if item.payload}


def _rooms(storage: Element) -> dict[str, Element]:
    """The conferences of a list, by the address of the room; what is no address is left where it is."""
    rooms = {}
    for conference in storage.findall(_IN_LIST)[:MAX_BOOKMARKS]:
        if (room := _room(conference)) is not None:
            rooms[room] = conference
    return rooms


def _room(entry: Element) -> str | None:
    """The address of the room in an entry of a list; None if it is invalid."""
    try:
        return str(Jid.parse(entry.get("jid", "")).bare)
    except JidError:
        return None


def _item(conference: Element, before: Element | None) -> Element:
    """The payload of an item; what only items have is kept (XEP-0402 section 3.4)."""
    payload = Element(_CONFERENCE, {key: value for key, value in conference.items() if key != "jid"})
    for name in _SHOWN:
        if (child := conference.find(f"{{{LIST}}}{name}")) is not None:
            new = Element(f"{{{NS}}}{name}")
            new.text = child.text
            payload.append(new)
    known = {f"{{{NS}}}{name}" for name in _SHOWN}
    payload.extend(child for child in (before if before is not None else ()) if child.tag not in known)
    return payload


def _listed(room: str, conference: Element) -> Element:
    """The entry of a list, with what XEP-0402 has more (section 5.3.1)."""
    entry = Element(_IN_LIST, {"jid": room, **dict(conference.items())})
    for child in conference:
        namespace, name = xml.split(child.tag)
        if namespace == NS and name in _SHOWN:
            new = Element(f"{{{LIST}}}{name}")
            new.text = child.text
            entry.append(new)
    return entry


def _says_the_same(item: Element, conference: Element) -> bool:
    room = conference.get("jid", "")
    return _meaning(_listed(room, item)) == _meaning(conference)


def _meaning(entry: Element) -> tuple[object, ...]:
    texts = tuple(xml.text_of(entry, f"{{{LIST}}}{name}") for name in _SHOWN)
    return entry.get("name"), entry.get("autojoin", "false") in ("1", "true"), texts


def _list(items: dict[str, Element], before: Element | None, only_listed: Collection[str]) -> Element:
    """All items as one list, in the order of the list before, with what else that has, such as URLs."""
    left = {room: _listed(room, conference) for room, conference in items.items()}
    storage = Element(f"{{{LIST}}}storage")
    for child in before if before is not None else ():
        room = _room(child) if child.tag == _IN_LIST else None
        if room is None:
            storage.append(child)
            continue
        entry = left.pop(room, None)
        if entry is not None:
            storage.append(child if _meaning(child) == _meaning(entry) else entry)
        elif room in only_listed:
            storage.append(child)
    storage.extend(left.values())
    return storage
