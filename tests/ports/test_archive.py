"""One contract for every archive (XEP-0313)."""

from __future__ import annotations

import msgspec
import pytest
from twisted.internet.defer import Deferred, gatherResults

from cluster.store.archive import ArchivedMessage, Page, UnknownId
from cluster.store.limits import Limit
from cluster.store.port import Store
from cluster.xmpp.extensions.mam import Query
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import make
from tests.ports import test_store
from tests.ports.test_store import Check

ROMEO = Jid.parse("romeo@montague.lit")
check = test_store.check
MANY = Limit(2_000, 10_000_000)


def archived(number: int, contact: str = "juliet@capulet.lit") -> ArchivedMessage:
    """The message with the id `m<number>`, sent that many seconds after the epoch."""
    stanza = make("message", from_=ROMEO.with_resource("pda"), to=Jid.parse(contact), id=f"{number}")
    return ArchivedMessage(f"m{number}", float(number), stanza)


async def fill(store: Store, count: int) -> None:
    for number in range(count):
        await store.archives.append("romeo", archived(number), MANY)


def ids(page: Page) -> list[str]:
    return [message.id for message in page.messages]


def test_an_archive_keeps_everything_in_order(check: Check) -> None:
    async def scenario(store: Store) -> None:
        assert await store.archives.query(ROMEO, Query()) == Page([], 0, 0, True)
        await fill(store, 3)
        page = await store.archives.query(ROMEO, Query())
        assert page == Page([archived(number) for number in range(3)], 0, 3, True)
        assert (await store.archives.query(Jid.parse("benvolio@montague.lit"), Query())).count == 0

    check(scenario)


def test_what_comes_twice_is_archived_once(check: Check) -> None:
    async def scenario(store: Store) -> None:
        await fill(store, 2)
        store.archives.append_again("romeo", ArchivedMessage("m0", 7.0, archived(7).stanza), MANY)
        assert (await store.archives.query(ROMEO, Query())).messages == [archived(0), archived(1)]

    check(scenario)


def test_what_was_archived_just_now_is_found_in_the_order_of_the_calls(check: Check) -> None:
    async def scenario(store: Store) -> None:
        store.archives.append("romeo", archived(0), MANY)
        store.archives.append_again("romeo", archived(1), MANY)
        assert ids(await store.archives.query(ROMEO, Query())) == ["m0", "m1"]
        store.archives.append_again("romeo", archived(2), MANY)
        await store.archives.append("romeo", archived(3), MANY)
        store.archives.append_again("romeo", archived(2), MANY)
        assert ids(await store.archives.query(ROMEO, Query())) == ["m0", "m1", "m2", "m3"]

    check(scenario)


def test_a_clock_that_is_set_back_does_not_set_back_an_archive(check: Check) -> None:
    """The clock of a node may be wrong, and be set right: clients ask for what came since the last message."""

    async def scenario(store: Store) -> None:
        for number, came_utc_s in enumerate([1.0, 601.0, 2.0, 602.0]):
            message = msgspec.structs.replace(archived(number), came_utc_s=came_utc_s)
            await store.archives.append("romeo", message, MANY)
        page = await store.archives.query(ROMEO, Query())
        assert [(each.id, each.came_utc_s) for each in page.messages] == [
            ("m0", 1.0), ("m1", 601.0), ("m2", 601.0), ("m3", 602.0),
        ]  # fmt: skip
        assert ids(await store.archives.query(ROMEO, Query(start_utc_s=601.0))) == ["m1", "m2", "m3"]
        assert ids(await store.archives.query(ROMEO, Query(end_utc_s=600.0))) == ["m0"]
        assert [each.came_utc_s for each in (await store.archives.query(ROMEO, Query(ids=("m2",)))).messages] == [601.0]

    check(scenario)


def test_a_full_archive_forgets_the_oldest(check: Check) -> None:
    async def scenario(store: Store) -> None:
        for number in range(5):
            await store.archives.append("romeo", archived(number), Limit(3, 1_000_000))
        assert ids(await store.archives.query(ROMEO, Query())) == ["m2", "m3", "m4"]
        with pytest.raises(UnknownId):
            await store.archives.query(ROMEO, Query(page_after="m1"))

    check(scenario)


def large(number: int, size: int) -> ArchivedMessage:
    message = archived(number)
    stanza = msgspec.structs.replace(message.stanza, raw=b"x" * size)
    return msgspec.structs.replace(message, stanza=stanza)


def test_an_archive_that_is_full_in_bytes_forgets_the_oldest(check: Check) -> None:
    limit = Limit(100, 150_000)

    async def scenario(store: Store) -> None:
        for number in range(30):
            await store.archives.append("romeo", large(number, 20_000), limit)
        assert ids(await store.archives.query(ROMEO, Query())) == [f"m{number}" for number in range(23, 30)]

    check(scenario)


def test_a_page_ends_where_it_has_bytes_enough(check: Check) -> None:
    async def scenario(store: Store) -> None:
        for number in range(6):
            await store.archives.append("romeo", large(number, 400_000), MANY)
        page = await store.archives.query(ROMEO, Query())
        assert (ids(page), page.first_index, page.count, page.is_complete) == (["m0", "m1", "m2"], 0, 6, False)
        page = await store.archives.query(ROMEO, Query(page_after="m2"))
        assert (ids(page), page.first_index, page.count, page.is_complete) == (["m3", "m4", "m5"], 3, 6, True)
        page = await store.archives.query(ROMEO, Query(page_before=""))
        assert (ids(page), page.first_index, page.count, page.is_complete) == (["m3", "m4", "m5"], 3, 6, False)
        page = await store.archives.query(ROMEO, Query(page_before="m5"))
        assert (ids(page), page.first_index, page.count, page.is_complete) == (["m2", "m3", "m4"], 2, 6, False)

    check(scenario)


def test_an_archive_of_more_than_a_page_of_its_list(check: Check) -> None:
    async def scenario(store: Store) -> None:
        for number in range(1_234):
            store.archives.append("romeo", archived(number), MANY)
        page = await store.archives.query(ROMEO, Query(max=2, page_after="m700"))
        assert (ids(page), page.first_index, page.count) == (["m701", "m702"], 701, 1_234)
        found = [Deferred.fromCoroutine(store.archives.query(ROMEO, Query(max=1, page_before=""))) for _ in range(3)]
        assert [ids(page) for page in await gatherResults(found)] == [["m1233"]] * 3

    check(scenario)


PAGES = {
    # XEP-0059 sections 2.1 to 2.5: the messages, the place of the first, how many match, and whether that is all
    "first": (Query(max=2), ["m0", "m1"], 0, 6, False),
    "all": (Query(max=6), ["m0", "m1", "m2", "m3", "m4", "m5"], 0, 6, True),
    "next": (Query(max=2, page_after="m1"), ["m2", "m3"], 2, 6, False),
    "last forwards": (Query(max=2, page_after="m3"), ["m4", "m5"], 4, 6, True),
    "behind the end": (Query(max=2, page_after="m5"), [], 6, 6, True),
    "last": (Query(max=2, page_before=""), ["m4", "m5"], 4, 6, False),
    "previous": (Query(max=2, page_before="m4"), ["m2", "m3"], 2, 6, False),
    "first backwards": (Query(max=2, page_before="m2"), ["m0", "m1"], 0, 6, True),
    "before the beginning": (Query(max=2, page_before="m0"), [], 0, 6, True),
    "count only": (Query(max=0), [], 0, 6, False),
    # XEP-0313 section 4.1
    "time": (Query(start_utc_s=2.0, end_utc_s=4.0), ["m2", "m3", "m4"], 0, 3, True),
    "between ids": (Query(after_id="m1", before_id="m4"), ["m2", "m3"], 0, 2, True),
    "these ids": (Query(ids=frozenset(["m4", "m1"])), ["m1", "m4"], 0, 2, True),
    "with": (Query(with_=Jid.parse("nurse@capulet.lit")), ["m3"], 0, 1, True),
    "a page of what matches": (Query(start_utc_s=2.0, max=2, page_after="m2"), ["m3", "m4"], 1, 4, False),
    "behind an id that does not match": (Query(start_utc_s=3.0, page_after="m0"), ["m3", "m4", "m5"], 0, 3, True),
}


@pytest.mark.parametrize("name", PAGES)
def test_pages(check: Check, name: str) -> None:
    query, messages, first_index, count, is_complete = PAGES[name]

    async def scenario(store: Store) -> None:
        for number in range(6):
            contact = "nurse@capulet.lit" if number == 3 else "juliet@capulet.lit"
            await store.archives.append("romeo", archived(number, contact), MANY)
        page = await store.archives.query(ROMEO, query)
        assert (ids(page), page.first_index, page.count, page.is_complete) == (
            messages, first_index, count, is_complete,
        )  # fmt: skip

    check(scenario)


@pytest.mark.parametrize(
    "query",
    [
        Query(page_after="x"),
        Query(page_before="x"),
        Query(after_id="x"),
        Query(before_id="x"),
        Query(ids=frozenset(["m0", "x"])),
    ],
)
def test_an_id_that_is_not_there(check: Check, query: Query) -> None:
    async def scenario(store: Store) -> None:
        await fill(store, 1)
        with pytest.raises(UnknownId, match="x"):
            await store.archives.query(ROMEO, query)

    check(scenario)
