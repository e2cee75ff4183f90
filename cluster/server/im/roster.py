"""A roster in memory (RFC 6121 section 2): its items, their XML, its version, and its bounds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec
from twisted.logger import Logger

from cluster.store.limits import Limit
from cluster.store.port import RosterItem
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import ROSTER
from cluster.xmpp.stanza import Stanza, make

MAX_ITEM_BYTES = 16_384
"""Of one contact with its name and groups, as a roster push shows it."""
MAX_REQUESTS = 100
"""Strangers whose subscription requests wait for an answer; one more gets `resource-constraint`."""
MAX_REQUEST_BYTES = 2_048
"""Of a subscription request that is kept with all its content; of a larger one only the addresses are kept."""
_AROUND_ITEM_BYTES = len("<item jid='' name='' ask='subscribe' approved='true' subscription='both'></item>")
_AROUND_GROUP_BYTES = len("<group></group>")


class Roster(dict[Jid, RosterItem]):
    """The contacts of one account, and strangers with a subscription request, by bare JID. Only `put` and `remove`
    change it."""

    __slots__ = ("_limit", "_requests", "_size_bytes", "_version")

    def __init__(self, items: Iterable[RosterItem], limit: Limit) -> None:
        """`limit`: of the contacts. Contacts that were stored without a limit are loaded, without what exceeds it."""
        super().__init__()
        self._limit = limit
        self._size_bytes = self._requests = 0
        self._version: int | None = None  # no client has asked for it
        cut = 0
        for item in items:
            kept = self._within_bounds(item)
            cut += kept is not item
            if kept is not None:
                self.put(kept)
        if cut:
            Logger().warn("Took {count} roster items without what is beyond the limits", count=cut)

    def _within_bounds(self, item: RosterItem) -> RosterItem | None:
        if item.pending_in is not None:
            if not item.listed and self._requests >= MAX_REQUESTS:
                return None
            if len(item.pending_in.raw) > MAX_REQUEST_BYTES:
                item = msgspec.structs.replace(item, pending_in=kept_request(item.pending_in))
        if size_of(item) > min(MAX_ITEM_BYTES, self._limit.size_bytes - self._size_bytes) and item.listed:
            return msgspec.structs.replace(item, name="", groups=())
        return item

    def check(self, item: RosterItem) -> None:
        """Raise StanzaError if there is no room for this contact, or for its growth."""
        before = self.get(item.jid)
        if not item.listed:
            if before is None and self._requests >= MAX_REQUESTS:
                raise StanzaError(Condition.RESOURCE_CONSTRAINT, "too many requests wait for an answer")
            return
        is_new = before is None or not before.listed
        if is_new and len(self) - self._requests >= self._limit.count:
            raise StanzaError(Condition.RESOURCE_CONSTRAINT, f"a roster has at most {self._limit.count} contacts")
        more_bytes = size_of(item) - (0 if before is None or is_new else size_of(before))
        if more_bytes > 0 and self._size_bytes + more_bytes > self._limit.size_bytes:
            text = f"a roster has at most {self._limit.size_bytes} bytes (topology: roster_bytes)"
            raise StanzaError(Condition.RESOURCE_CONSTRAINT, text)

    def put(self, item: RosterItem) -> None:
        """Add or replace a contact."""
        self._count(self.get(item.jid), -1)
        self[item.jid] = item
        self._count(item, 1)

    def remove(self, contact: Jid) -> None:
        """Remove a contact."""
        self._count(self.pop(contact, None), -1)

    def _count(self, item: RosterItem | None, sign: int) -> None:
        if item is None:
            return
        if not item.listed:
            self._requests += sign
            return
        self._size_bytes += sign * size_of(item)
        if self._version is not None:
            self._version += sign * _hash(item)

    @property
    def version(self) -> str:
        """A hash of what the roster shows, whatever its order (RFC 6121 section 2.6): nothing is stored for it."""
        if self._version is None:
            self._version = sum(_hash(item) for item in self.values() if item.listed)
        return f"{self._version % (1 << 128):032x}"


def size_of(item: RosterItem) -> int:
    """Bytes of a contact in a roster push."""
    groups = sum(len(group.encode()) + _AROUND_GROUP_BYTES for group in item.groups)
    return _AROUND_ITEM_BYTES + len(str(item.jid)) + len(item.name.encode()) + groups


def _hash(item: RosterItem) -> int:
    shown = item.jid, item.name, item.subscription, item.pending_out, item.approved, item.groups
    return int.from_bytes(hashlib.sha256(msgspec.msgpack.encode(shown)).digest()[:16])


def kept_request(request: Stanza) -> Stanza:
    """The part of a subscription request that is kept: all of it (RFC 6121 section 3.1.3), unless it is large."""
    if len(request.raw) <= MAX_REQUEST_BYTES:
        return request
    return make("presence", from_=request.from_, to=request.to, type="subscribe")


def item_element(item: RosterItem) -> Element:
    """The item as a roster result or push shows it (RFC 6121 section 2.1.2)."""
    element = Element(f"{{{ROSTER}}}item", jid=str(item.jid), subscription=item.subscription)
    if item.name:
        element.set("name", item.name)
    if item.pending_out:
        element.set("ask", "subscribe")
    if item.approved:
        element.set("approved", "true")
    for group in item.groups:
        SubElement(element, f"{{{ROSTER}}}group").text = group
    return element


def roster_element(roster: Roster, *items: Element) -> Element:
    """The `<query>` of a roster result or push, with the version of the roster (RFC 6121 section 2.6)."""
    query = Element(f"{{{ROSTER}}}query", ver=roster.version)
    query.extend(items)
    return query
