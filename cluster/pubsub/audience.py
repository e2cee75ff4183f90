"""Who can be notified: the resources that sent presence to each account, and the nodes that each of them wants."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cluster.xmpp.extensions.caps import Capabilities
from cluster.xmpp.jid import Jid

MAX_OF_ACCOUNT = 10_000
"""Resources that are kept for one account; further ones are not, so they are never notified."""
MAX_STRANGERS = 1_000
"""How many of them may not see the presence of the account: anybody can send it presence."""
MAX_RESOURCES = 300_000
"""Resources that are kept for all accounts of a domain together. Beyond, the account to which no presence has come for
the longest time loses its own; its contacts are probed again when it publishes."""
NO_NODES: frozenset[str] = frozenset()
"""An empty set of its own takes 216 bytes."""


class Listener(msgspec.Struct):
    """A resource that is available to an account."""

    capabilities: Capabilities | None
    wanted: frozenset[str] = NO_NODES
    """Names of nodes; empty until its capabilities are known."""
    is_learned: bool = False
    """The meaning of its capabilities is known; otherwise it is asked again when it sends presence again."""
    is_stranger: bool = False
    """It could not see the account's presence when it came."""


class _Heard(msgspec.Struct):
    """The listeners of one account."""

    contacts_asked: bool = False
    """All contacts were probed."""
    listeners: dict[Jid, Listener] = msgspec.field(default_factory=dict)
    strangers: int = 0
    """How many of the listeners are strangers."""


class Audience:
    """The listeners of all accounts of a domain, offline accounts too."""

    def __init__(self) -> None:
        self._heard: dict[str, _Heard] = {}
        """By localpart; the one to which presence came last is last."""
        self._count = 0

    def came(
        self, localpart: str, jid: Jid, capabilities: Capabilities | None, *, is_stranger: bool
    ) -> Listener | None:
        """Note an available resource with these capabilities; the listener, or None if nothing is new."""
        heard = self._of(localpart)
        listener = heard.listeners.get(jid)
        if listener is None:
            if len(heard.listeners) >= MAX_OF_ACCOUNT or (is_stranger and heard.strangers >= MAX_STRANGERS):
                return None
            listener = heard.listeners[jid] = Listener(
                capabilities, is_learned=capabilities is None, is_stranger=is_stranger
            )
            heard.strangers += is_stranger
            self._count += 1
            self._bound(localpart)
            return listener
        if listener.capabilities == capabilities and listener.is_learned:
            return None
        listener.capabilities, listener.is_learned = capabilities, capabilities is None
        return listener

    def gone(self, localpart: str, jid: Jid) -> None:
        """Forget a resource that is not available any more; with a bare JID, all its resources."""
        heard = self._heard.get(localpart)
        if heard is None:
            return
        gone = [jid] if jid in heard.listeners else []
        if not jid.resourcepart:
            gone = [each for each in heard.listeners if each.bare == jid]
        for each in gone:
            heard.strangers -= heard.listeners.pop(each).is_stranger
        self._count -= len(gone)
        if not heard.listeners:
            del self._heard[localpart]

    def find(self, localpart: str, jid: Jid) -> Listener | None:
        """The listener, if it is still there."""
        heard = self._heard.get(localpart)
        return heard.listeners.get(jid) if heard is not None else None

    def of(self, localpart: str, bare: Jid) -> list[Jid]:
        """The available resources of this bare JID."""
        heard = self._heard.get(localpart)
        return [each for each in heard.listeners if each.bare == bare] if heard is not None else []

    def who_wants(self, localpart: str, node: str) -> Iterator[Jid]:
        """The resources that want to be notified of this node, in the order in which they came."""
        heard = self._heard.get(localpart)
        for jid, listener in heard.listeners.items() if heard is not None else ():
            if node in listener.wanted:
                yield jid

    def who_does_not(self, localpart: str, node: str) -> Iterator[Jid]:
        """The other resources, in the same order."""
        heard = self._heard.get(localpart)
        for jid, listener in heard.listeners.items() if heard is not None else ():
            if node not in listener.wanted:
                yield jid

    def ask_contacts_once(self, localpart: str) -> bool:
        """Whether the account's contacts have to be probed; then False, until it loses its listeners."""
        heard = self._of(localpart)
        was_asked, heard.contacts_asked = heard.contacts_asked, True
        return not was_asked

    def _of(self, localpart: str) -> _Heard:
        heard = self._heard.pop(localpart) if localpart in self._heard else _Heard()
        self._heard[localpart] = heard
        return heard

    def _bound(self, kept: str) -> None:
        while self._count > MAX_RESOURCES:
            oldest = next(iter(self._heard))
            if oldest == kept:
                return
            self._count -= len(self._heard.pop(oldest).listeners)
