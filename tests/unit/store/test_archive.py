"""How a page of an archive is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

from cluster.store.archive import Entry, select
from cluster.xmpp.extensions.mam import Query
from cluster.xmpp.jid import Jid

ROMEO, JULIET = Jid.parse("romeo@montague.lit"), Jid.parse("juliet@capulet.lit")


class Counted(Sequence[Entry]):
    """Counts how often one of its entries is looked at."""

    def __init__(self, entries: list[Entry]) -> None:
        self.looks = 0
        self._entries = entries

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, place: int) -> Entry: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Entry]: ...
    def __getitem__(self, place: Any) -> Any:
        self.looks += 1
        return self._entries[place]


def test_many_ids_cost_no_more_than_the_archive_is_long() -> None:
    archive = Counted([Entry(f"m{number}", float(number), ROMEO, JULIET) for number in range(10_000)])
    ids = frozenset(f"m{number}" for number in range(5_000, 10_000))
    chosen = select(archive, ROMEO, Query(ids=ids, page_after="m9990", before_id="m9999"))
    assert (chosen.places, chosen.count) == ([*range(9_991, 9_999)], 4_999)
    assert archive.looks <= 2 * len(archive) + 10
