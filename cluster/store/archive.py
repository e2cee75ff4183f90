"""The contents of a message archive, and the selection of a page; independent of where it is stored."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import msgspec

from cluster.xmpp.extensions.mam import Query
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

MAX_PAGE_BYTES = 1_048_576
"""Of one page of an archive: it ends with the message that exceeds this, and the client asks for the next one."""


class UnknownId(LookupError):
    """A query names an id that is not in the archive."""


class ArchivedMessage(msgspec.Struct, frozen=True):
    """One message of an archive."""

    id: str
    came_utc_s: float
    """When it was sent or received, in seconds since the epoch."""
    stanza: Stanza


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The index of a message; the id comes first, see the script of the Redis store."""

    id: str
    came_utc_s: float
    from_: Jid
    to: Jid

    @staticmethod
    def of(message: ArchivedMessage) -> Entry:
        """The entry of this message, which has both addresses."""
        assert message.stanza.from_ is not None
        assert message.stanza.to is not None
        return Entry(message.id, message.came_utc_s, message.stanza.from_, message.stanza.to)


class Page(msgspec.Struct, frozen=True):
    """The answer to a query (XEP-0059)."""

    messages: list[ArchivedMessage]
    """Oldest first."""
    first_index: int
    """Place of the first of them among all matches."""
    count: int
    """The number of matches."""
    is_complete: bool
    """No match was left out because the page was full (XEP-0313 section 4.3.2)."""


class Selection(msgspec.Struct, frozen=True):
    """The places of a page's messages in the archive, and the rest of the page."""

    places: list[int]
    times_utc_s: list[float]
    """Of the messages at these places."""
    first_index: int
    count: int
    is_complete: bool
    is_backwards: bool = False
    """It is a page before some message: what does not fit is the oldest."""

    @property
    def to_read(self) -> list[int]:
        """The places, in the order in which they fill the page."""
        return self.places[::-1] if self.is_backwards else self.places

    def page(self, read: Sequence[ArchivedMessage | None]) -> Page:
        """The page of these messages; None stands for a message that was forgotten meanwhile."""
        left = len(self.places) - len(read)
        times_utc_s = self.times_utc_s[::-1] if self.is_backwards else self.times_utc_s
        timed = [each and _at(each, time_utc_s) for each, time_utc_s in zip(read, times_utc_s, strict=False)]
        messages = [each for each in (reversed(timed) if self.is_backwards else timed) if each is not None]
        first_index = self.first_index + (left if self.is_backwards else 0)
        return Page(messages, first_index, self.count, self.is_complete and not left)


def select(archive: Sequence[Entry], owner: Jid, query: Query) -> Selection:
    """Select a page of the owner's archive, which is in order. Raises UnknownId.

    No message is earlier than the one before it (XEP-0313 section 3.1), also where the clock of a node was set back:
    otherwise a client that asks for what came since the last message that it saw would miss some.
    """
    places: dict[str, int] = {}
    times_utc_s: list[float] = []
    latest_utc_s = 0.0
    for place, entry in enumerate(archive):
        places[entry.id] = place
        times_utc_s.append(latest_utc_s := max(latest_utc_s, entry.came_utc_s))

    def place_of(id: str) -> int:
        if id not in places:
            raise UnknownId(id)
        return places[id]

    wanted = range(len(archive)) if query.ids is None else sorted(map(place_of, query.ids))
    begin = 0 if query.after_id is None else place_of(query.after_id) + 1
    end = len(archive) if query.before_id is None else place_of(query.before_id)
    matching = [
        place
        for place in wanted
        if begin <= place < end and query.matches(owner, times_utc_s[place], (entry := archive[place]).from_, entry.to)
    ]
    first = bisect_right(matching, place_of(query.page_after)) if query.page_after else 0
    last = bisect_left(matching, place_of(query.page_before)) if query.page_before else len(matching)
    if query.page_before is not None:
        start, stop = max(first, last - query.max), last
    else:
        start, stop = first, min(last, first + query.max)
    is_complete = stop - start >= last - first
    chosen = matching[start:stop]
    times = [times_utc_s[place] for place in chosen]
    return Selection(chosen, times, start, len(matching), is_complete, query.page_before is not None)


def _at(message: ArchivedMessage, time_utc_s: float) -> ArchivedMessage:
    if message.came_utc_s == time_utc_s:
        return message
    return msgspec.structs.replace(message, came_utc_s=time_utc_s)
