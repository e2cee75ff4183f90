"""Result Set Management (XEP-0059): the requested page of a long list, and its description in the answer."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError

RSM = "http://jabber.org/protocol/rsm"


class PageRequest(msgspec.Struct, frozen=True):
    """The `<set>` of a request (section 2)."""

    max: int
    after: str | None = None
    """The page begins after the entry with this id."""
    before: str | None = None
    """The page ends before this entry; at the end of the list if it is empty."""


def read(asked: Element, max_page: int) -> PageRequest | None:
    """Parse the requested page, of `max_page` entries at most; None without a `<set>`. Raises StanzaError."""
    page = asked.find(f"{{{RSM}}}set")
    if page is None:
        return None
    if page.find(f"{{{RSM}}}index") is not None:
        raise StanzaError(Condition.FEATURE_NOT_IMPLEMENTED, "pages start after an id, not at an index")
    limit = (xml.text_of(page, f"{{{RSM}}}max") or "").strip() or str(max_page)
    if not (limit.isascii() and limit.isdigit()):
        raise StanzaError(Condition.BAD_REQUEST, f"max={limit!r} is not a number")
    after, before = xml.text_of(page, f"{{{RSM}}}after"), xml.text_of(page, f"{{{RSM}}}before")
    return PageRequest(min(int(limit[:10]), max_page), after or None, before)


def places(ids: Sequence[str], page: PageRequest) -> range:
    """The places of the entries on a page of the list with these ids. Raises StanzaError for an unknown id."""
    known = {id: place for place, id in enumerate(ids)}
    for id in (page.after, page.before):
        if id and id not in known:
            raise StanzaError(Condition.ITEM_NOT_FOUND, f"the list has no item {id}")
    start = known[page.after] + 1 if page.after else 0
    stop = min(len(ids), start + page.max)
    if page.before is not None:
        stop = known[page.before] if page.before else len(ids)
        start = max(start, stop - page.max)
    return range(start, stop)


def tell(ids: list[str], first_index: int, count: int) -> Element:
    """The `<set>` of an answer: the ids on the page; its first index, and the number of matches."""
    page = Element(f"{{{RSM}}}set")
    if ids:
        SubElement(page, f"{{{RSM}}}first", index=str(first_index)).text = ids[0]
        SubElement(page, f"{{{RSM}}}last").text = ids[-1]
    SubElement(page, f"{{{RSM}}}count").text = str(count)
    return page
