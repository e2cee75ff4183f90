"""One contract for every store of publish-subscribe nodes (XEP-0060)."""

from __future__ import annotations

import msgspec
import pytest

from cluster.store.port import Store
from cluster.store.pubsub import (
    MAX_PAGE_BYTES,
    Item,
    ItemPage,
    Node,
    NodeConfig,
    NodeRecord,
    PageQuery,
    Party,
    Published,
    Room,
    UnknownItem,
)
from cluster.xmpp.jid import Jid
from tests.ports import test_store
from tests.ports.test_store import Check, account

check = test_store.check

ROMEO, JULIET = Jid.parse("romeo@montague.lit"), Jid.parse("juliet@capulet.lit")
WIDE = Room(1_000, 1_000_000)
SERVICE = "@pubsub.montague.lit"


def item(id: str, at_utc_s: float, payload: bytes = b"<tune xmlns='t'/>") -> Item:
    return Item(id, payload, ROMEO, at_utc_s)


async def fill(store: Store, count: int, node: str = "tune", owner: str = "romeo") -> None:
    """Publish the items `i0`, `i1` …, a second apart."""
    for number in range(count):
        await store.pubsub.publish(owner, node, item(f"i{number}", 100.0 + number), WIDE)


ALL = PageQuery()


async def ids(store: Store, query: PageQuery = ALL, node: str = "tune") -> list[str]:
    return [each.id for each in (await store.pubsub.page("romeo", node, query)).items]


def test_a_node_is_kept_with_who_has_to_do_with_it(check: Check) -> None:
    config = NodeConfig(access_model="roster", roster_groups_allowed=("Friends",), max_items=1, item_expire=60)
    record = NodeRecord("tune", config, ROMEO, 1_700_000_000.25)
    owner, subscriber = (
        Party(ROMEO, "owner"),
        Party(JULIET.with_resource("x"), "none", "pending", deliver=False, ends_utc_s=7.5),
    )

    async def scenario(store: Store) -> None:
        assert await store.pubsub.load("romeo") == {}
        await store.pubsub.put("romeo", record, owner)
        await store.pubsub.put_party("romeo", "tune", subscriber)
        await store.pubsub.put(SERVICE, NodeRecord("news", NodeConfig(), JULIET, 1.0))
        parties = {ROMEO: owner, subscriber.jid: subscriber}
        assert await store.pubsub.load("romeo") == {"tune": Node(record, parties)}
        assert list(await store.pubsub.load(SERVICE)) == ["news"]
        assert await store.pubsub.load("pubsub.montague.lit") == {}

    check(scenario)


def test_a_node_is_configured_anew_and_keeps_its_parties(check: Check) -> None:
    first = NodeRecord("tune", NodeConfig(title="first"), ROMEO, 1.0)
    second = NodeRecord("tune", NodeConfig(title="second"), ROMEO, 1.0)

    async def scenario(store: Store) -> None:
        await store.pubsub.put("romeo", first, Party(ROMEO, "owner"), Party(JULIET, "member"))
        await store.pubsub.put("romeo", second)
        await store.pubsub.put_party("romeo", "tune", Party(JULIET))
        assert await store.pubsub.load("romeo") == {"tune": Node(second, {ROMEO: Party(ROMEO, "owner")})}

    check(scenario)


def test_further_subscriptions_of_a_jid(check: Check) -> None:
    record = NodeRecord("tune", NodeConfig(), ROMEO, 1.0)
    first = Party(JULIET, "member", "subscribed")
    one, other = (Party(JULIET, subscription="subscribed", ends_utc_s=end, subid=f"id{end}") for end in (2.0, 1.0))

    async def scenario(store: Store) -> None:
        await store.pubsub.put("romeo", record, Party(ROMEO, "owner"), first)
        for party in (one, other):
            await store.pubsub.put_party("romeo", "tune", party)
        [node] = (await store.pubsub.load("romeo")).values()
        assert node.parties[JULIET] == first
        assert node.further == {(JULIET, each.subid): each for each in (one, other)}
        assert sorted(party.subid for party in node.subscriptions_of(JULIET)) == ["1", "id1.0", "id2.0"]
        await store.pubsub.put_party("romeo", "tune", msgspec.structs.replace(one, subscription="none"))
        [node] = (await store.pubsub.load("romeo")).values()
        assert [*node.further.values()] == [other]
        await store.pubsub.delete("romeo", node)
        await store.pubsub.put("romeo", record)
        assert await store.pubsub.load("romeo") == {"tune": Node(record, {})}

    check(scenario)


def test_items_are_in_the_order_of_their_publication(check: Check) -> None:
    async def scenario(store: Store) -> None:
        await fill(store, 3)
        again = await store.pubsub.publish("romeo", "tune", item("i0", 200.5, b"<new/>"), WIDE)
        assert again == Published("kept", 200.5)
        assert await store.pubsub.page("romeo", "tune", PageQuery()) == ItemPage(
            [item("i1", 101.0), item("i2", 102.0), item("i0", 200.5, b"<new/>")], 0, 3
        )
        assert await store.pubsub.newest("romeo", ["tune", "nothing"]) == {"tune": item("i0", 200.5, b"<new/>")}
        assert await store.pubsub.newest("romeo", []) == {}

    check(scenario)


def test_an_item_that_came_in_the_same_moment_is_later(check: Check) -> None:
    async def scenario(store: Store) -> None:
        await store.pubsub.publish("romeo", "tune", item("z", 100.0), WIDE)
        for id in ("y", "x"):
            assert (await store.pubsub.publish("romeo", "tune", item(id, 99.0), WIDE)).published_utc_s > 100.0
        assert await ids(store) == ["z", "y", "x"]

    check(scenario)


def test_the_oldest_make_room(check: Check) -> None:
    async def scenario(store: Store) -> None:
        await fill(store, 3)
        published = await store.pubsub.publish("romeo", "tune", item("new", 200.0), Room(2, 1_000_000))
        assert published == Published("kept", 200.0, ("i0", "i1"))
        again = await store.pubsub.publish("romeo", "tune", item("i2", 201.0), Room(2, 1_000_000))
        assert again == Published("kept", 201.0)
        assert await ids(store) == ["new", "i2"]

    check(scenario)


def test_a_full_node_may_refuse(check: Check) -> None:
    full = Room(2, 1_000_000, rejects=True)

    async def scenario(store: Store) -> None:
        await fill(store, 2)
        assert await store.pubsub.publish("romeo", "tune", item("new", 200.0), full) == Published("node full")
        assert (await store.pubsub.publish("romeo", "tune", item("i0", 200.0), full)).outcome == "kept"
        assert await ids(store) == ["i1", "i0"]

    check(scenario)


def test_the_bytes_of_an_owner_are_bounded(check: Check) -> None:
    def large(id: str, at: float, size: int = 4_000) -> Item:
        return item(id, at, b"x" * size)

    async def scenario(store: Store) -> None:
        pubsub, room = store.pubsub, Room(1_000, 10_000)
        assert (await pubsub.publish("romeo", "tune", large("a", 1.0), room)).outcome == "kept"
        assert (await pubsub.publish("romeo", "mood", large("b", 1.0), room)).outcome == "kept"
        assert (await pubsub.publish("romeo", "mood", large("c", 2.0), room)).outcome == "too much"
        assert (await pubsub.publish("benvolio", "mood", large("c", 2.0), room)).outcome == "kept"
        assert (await pubsub.publish("romeo", "mood", large("b", 3.0, 9_000), room)).outcome == "too much"
        assert (await pubsub.publish("romeo", "mood", large("b", 3.0, 3_000), Room(1_000, 1))).outcome == "kept"
        assert await pubsub.retract("romeo", "tune", "a") is True
        assert (await pubsub.publish("romeo", "mood", large("c", 4.0), room)).outcome == "kept"
        await pubsub.purge("romeo", "mood")
        assert (await pubsub.publish("romeo", "tune", large("d", 5.0, 9_000), room)).outcome == "kept"
        one_for_one = await pubsub.publish("romeo", "tune", large("e", 6.0, 9_000), Room(1, 10_000))
        assert (one_for_one.outcome, one_for_one.removed) == ("kept", ("d",))

    check(scenario)


def test_an_item_is_retracted_once(check: Check) -> None:
    async def scenario(store: Store) -> None:
        await fill(store, 2)
        assert await store.pubsub.retract("romeo", "tune", "i0") is True
        assert await store.pubsub.retract("romeo", "tune", "i0") is False
        assert await store.pubsub.retract("romeo", "mood", "i1") is False
        assert await ids(store) == ["i1"]

    check(scenario)


def test_expired_items_are_gone(check: Check) -> None:
    async def scenario(store: Store) -> None:
        await fill(store, 4)
        assert await ids(store, PageQuery(expired_utc_s=101.0)) == ["i1", "i2", "i3"]
        assert await store.pubsub.find("romeo", "tune", ["i1", "i2"], 102.0) == [item("i2", 102.0)]
        await store.pubsub.trim("romeo", "tune", Room(1_000, 1, expired_utc_s=103.0))
        assert await ids(store) == ["i3"]
        full = Room(1, 1_000_000, expired_utc_s=104.0, rejects=True)
        assert (await store.pubsub.publish("romeo", "tune", item("new", 104.0), full)).outcome == "kept"

    check(scenario)


def test_fewer_items_may_be_left(check: Check) -> None:
    async def scenario(store: Store) -> None:
        await fill(store, 4)
        await store.pubsub.trim("romeo", "tune", Room(2, 1))
        assert await ids(store) == ["i2", "i3"]

    check(scenario)


@pytest.mark.parametrize(
    ("query", "expected", "first"),
    [
        (PageQuery(), ["i0", "i1", "i2", "i3", "i4"], 0),
        (PageQuery(max=2), ["i0", "i1"], 0),
        (PageQuery(max=2, after="i1"), ["i2", "i3"], 2),
        (PageQuery(max=2, after="i4"), [], 5),
        (PageQuery(max=2, before=""), ["i3", "i4"], 3),
        (PageQuery(max=2, before="i3"), ["i1", "i2"], 1),
        (PageQuery(max=2, before="i1"), ["i0"], 0),
        (PageQuery(max=2, before="i0"), [], 0),
        (PageQuery(max=0), [], 0),
    ],
)
def test_items_come_in_pages(check: Check, query: PageQuery, expected: list[str], first: int) -> None:
    async def scenario(store: Store) -> None:
        await fill(store, 5)
        page = await store.pubsub.page("romeo", "tune", query)
        assert ([each.id for each in page.items], page.first_index, page.count) == (expected, first, 5)

    check(scenario)


def test_a_page_after_an_unknown_item_is_an_error(check: Check) -> None:
    async def scenario(store: Store) -> None:
        await fill(store, 2)
        for query in (PageQuery(after="nothing"), PageQuery(before="nothing")):
            with pytest.raises(UnknownItem, match="nothing"):
                await store.pubsub.page("romeo", "tune", query)

    check(scenario)


def test_a_page_has_a_bound_in_bytes(check: Check) -> None:
    payload = b"x" * (MAX_PAGE_BYTES // 2 - 1_000)

    async def scenario(store: Store) -> None:
        pubsub = store.pubsub
        for number in range(4):
            await pubsub.publish("romeo", "tune", item(f"i{number}", 1.0 + number, payload), Room(9, 9_000_000))
        assert await ids(store) == ["i0", "i1"]
        page = await pubsub.page("romeo", "tune", PageQuery(before=""))
        assert ([each.id for each in page.items], page.first_index, page.count) == (["i2", "i3"], 2, 4)
        assert [each.id for each in await pubsub.find("romeo", "tune", ["i3", "i1", "i0"])] == ["i3", "i1"]
        huge = b"x" * (MAX_PAGE_BYTES + 1)
        await pubsub.publish("romeo", "mood", item("a", 1.0, huge), Room(9, 9_000_000))
        await pubsub.publish("romeo", "mood", item("b", 2.0, huge), Room(9, 9_000_000))
        assert await ids(store, node="mood") == ["a"]

    check(scenario)


def test_a_deleted_node_leaves_nothing(check: Check) -> None:
    record = NodeRecord("tune", NodeConfig(), ROMEO, 1.0)

    async def scenario(store: Store) -> None:
        await store.pubsub.put("romeo", record, Party(ROMEO, "owner"), Party(JULIET, "member"))
        await fill(store, 2)
        await store.pubsub.delete("romeo", (await store.pubsub.load("romeo"))["tune"])
        assert await store.pubsub.load("romeo") == {}
        assert await ids(store) == []
        await store.pubsub.put("romeo", record)
        assert (await store.pubsub.load("romeo"))["tune"].parties == {}
        assert (await store.pubsub.publish("romeo", "tune", item("a", 1.0, b""), Room(9, 100))).outcome == "kept"

    check(scenario)


def test_nodes_go_with_their_account(check: Check) -> None:
    async def scenario(store: Store) -> None:
        for owner in ("romeo", "romeo2", SERVICE):
            await store.pubsub.put(owner, NodeRecord("tune", NodeConfig(), ROMEO, 1.0), Party(JULIET, "member"))
            await fill(store, 2, owner=owner)
        await store.accounts.create(account("romeo"))
        await store.accounts.delete("romeo")
        assert await store.pubsub.load("romeo") == {}
        assert await ids(store) == []
        assert (await store.pubsub.page("romeo2", "tune", PageQuery())).count == 2
        assert (await store.pubsub.page(SERVICE, "tune", PageQuery())).count == 2

    check(scenario)
