"""Bookmarks as items, as a list in private XML and as a list at a node (XEP-0402, XEP-0411): none wipes another one."""

from __future__ import annotations

import pytest
from twisted.internet.task import deferLater

from cluster.modules.bookmarks import CONVERTED, LIST, NS
from cluster.pubsub.errors import PUBSUB
from cluster.store.limits import Limit, Limits
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.caps import INFO
from tests.network import Network, at_once, watched_log
from tests.pubsub import Asked, Wanting, publication
from tests.unit.modules.asking import ask

ROMEO = "romeo@montague.lit"
PRIVATE = "jabber:iq:private"
CELL, HALL, TOMB = "cell@rooms.lit", "hall@rooms.lit", "tomb@rooms.lit"
OPTIONS = {"access_model": "whitelist", "persist_items": "1", "max_items": "max", "send_last_published_item": "never"}


def item(name: str = "", inner: str = "", autojoin: str = "true") -> str:
    named = f" name='{name}'" if name else ""
    return f"<conference xmlns='{NS}' autojoin='{autojoin}'{named}>{inner}</conference>"


def entry(room: str, name: str = "", inner: str = "", autojoin: str = "true") -> str:
    named = f" name='{name}'" if name else ""
    return f"<conference jid='{room}' autojoin='{autojoin}'{named}>{inner}</conference>"


def storage(*entries: str) -> str:
    return f"<storage xmlns='{LIST}'>{''.join(entries)}</storage>"


class Stage:
    """A client of Romeo's, and another one that wants to hear of all bookmarks."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.ask = Asked(network)
        self.romeo = network.online(f"{ROMEO}/orchard")
        self.other = Wanting(network, f"{ROMEO}/garden", NS, LIST).come()
        self.other.told()

    def add(self, room: str, payload: str) -> None:
        """As a client of today does (XEP-0402 section 3.3)."""
        self.ask.publish(self.romeo, NS, room, payload, **OPTIONS)

    def remove(self, room: str) -> None:
        self.ask.done(self.romeo, f"<retract node='{NS}' notify='true'><item id='{room}'/></retract>")

    def write(self, *entries: str) -> None:
        """As a client of the first kind does (XEP-0049)."""
        ask(self.network, self.romeo, "set", f"<query xmlns='{PRIVATE}'>{storage(*entries)}</query>")

    def publish_list(self, *entries: str) -> None:
        """As a client of the second kind does (XEP-0048 section 3)."""
        self.ask.publish(self.romeo, LIST, "current", storage(*entries), access_model="whitelist", persist_items="1")

    def items(self) -> dict[str, Element]:
        answer = self.ask.done(self.romeo, f"<items node='{NS}'/>", type="get")
        return {each.get("id", ""): each[0] for each in answer[0]}

    def written(self) -> Element:
        return ask(self.network, self.romeo, "get", f"<query xmlns='{PRIVATE}'>{storage()}</query>")[0]

    def published_list(self) -> Element:
        return self.ask.done(self.romeo, f"<items node='{LIST}'/>", type="get")[0][0][0]


@pytest.fixture
def stage() -> Stage:
    return Stage(Network())


def rooms(listed: Element) -> list[str]:
    return [each.get("jid", "") for each in listed.findall(f"{{{LIST}}}conference")]


def test_the_account_says_that_it_converts(stage: Stage) -> None:
    query = ask(stage.network, stage.romeo, "get", f"<query xmlns='{INFO}'/>", ROMEO)
    features = {feature.get("var") for feature in query}
    assert {f"{NS}#compat", f"{NS}#compat-pep", "urn:xmpp:bookmarks-conversion:0"} <= features


def test_an_item_is_in_both_lists(stage: Stage) -> None:
    stage.add(CELL, item("The cell", "<nick>Friar</nick><password>x</password><extensions><a xmlns='a'/></extensions>"))
    expected = xml.parse(storage(entry(CELL, "The cell", "<nick>Friar</nick><password>x</password>")).encode())
    for listed in (stage.written(), stage.published_list()):
        assert listed[0].attrib == expected[0].attrib
        assert [(child.tag, child.text) for child in listed[0]] == [(child.tag, child.text) for child in expected[0]]
    assert stage.other.told() == [f"{NS}: +{CELL} conference", f"{LIST}: +current storage"]


def test_an_item_that_is_removed_is_in_no_list(stage: Stage) -> None:
    for room in (CELL, HALL):
        stage.add(room, item())
    stage.remove(CELL)
    assert rooms(stage.written()) == rooms(stage.published_list()) == [HALL]
    stage.remove(HALL)
    assert rooms(stage.written()) == rooms(stage.published_list()) == []


@pytest.mark.parametrize("where", ["private XML", "a node"])
def test_a_list_becomes_items_one_for_each_room(stage: Stage, where: str) -> None:
    write = stage.write if where == "private XML" else stage.publish_list
    write(entry(CELL, "The cell", "<nick>Friar</nick>"), entry(HALL, autojoin="0"))
    items = stage.items()
    assert list(items) == [CELL, HALL]
    assert dict(items[CELL].items()) == {"name": "The cell", "autojoin": "true"}
    assert [(child.tag, child.text) for child in items[CELL]] == [(f"{{{NS}}}nick", "Friar")]
    told = stage.other.told()
    assert told[-3 if where == "private XML" else -2 :][:2] == [
        f"{NS}: +{CELL} conference",
        f"{NS}: +{HALL} conference",
    ]
    write(entry(CELL, "The cell", "<nick>Friar</nick>"), entry(HALL, "The hall", autojoin="0"), entry(TOMB))
    told = [each for each in stage.other.told() if each.startswith(NS)]
    assert told == [f"{NS}: +{HALL} conference", f"{NS}: +{TOMB} conference"]  # not of what is the same
    write(entry(TOMB))
    told = [each for each in stage.other.told() if each.startswith(NS)]
    assert told == [f"{NS}: -{CELL}", f"{NS}: -{HALL}"]
    assert rooms(stage.written()) == rooms(stage.published_list()) == [TOMB]


def test_the_items_are_for_their_owner_alone(stage: Stage) -> None:
    stage.write(entry(CELL))
    juliet = stage.network.online("juliet@capulet.lit/x")
    stage.network.friends(ROMEO, "juliet@capulet.lit")
    for node in (NS, LIST):
        refused = stage.ask.refused(juliet, f"<items node='{node}'/>", type="get", to=ROMEO)
        assert refused == "cancel not-allowed closed-node"
    stage.add(HALL, item())  # its options are those that clients ask for


def test_what_only_items_have_is_kept(stage: Stage) -> None:
    stage.add(CELL, item("The cell", "<extensions><pinned xmlns='p'/></extensions>"))
    stage.write(entry(CELL, "Cell of the friar"))
    [conference] = stage.items().values()
    assert conference.get("name") == "Cell of the friar"
    assert conference.find(f"{{{NS}}}extensions/{{p}}pinned") is not None


def test_what_only_the_list_has_is_kept(stage: Stage) -> None:
    url = "<url name='The play' url='https://shakespeare.lit/romeo'/>"
    stage.write(url, "<conference jid='@'/>", entry(CELL))
    stage.add(HALL, item())
    stage.remove(CELL)
    kept = [xml.split(child.tag)[1] + " " + (child.get("jid") or "") for child in stage.written()]
    assert kept == ["url ", "conference @", f"conference {HALL}"]


def test_what_was_written_before_anything_was_converted_is_not_wiped(stage: Stage) -> None:
    documents = stage.network.servers["montague.lit"].store.documents
    old = f"<query xmlns='{PRIVATE}'>{storage(entry(CELL), entry(HALL))}</query>".encode()
    at_once(documents.put("romeo", f"private {LIST} storage", old))
    stage.add(TOMB, item())
    assert set(stage.items()) == {CELL, HALL, TOMB}
    assert set(rooms(stage.written())) == {CELL, HALL, TOMB}


def test_a_list_at_a_node_does_not_wipe_an_old_one_in_private_xml(stage: Stage) -> None:
    documents = stage.network.servers["montague.lit"].store.documents
    old = f"<query xmlns='{PRIVATE}'>{storage(entry(CELL), entry(HALL))}</query>".encode()
    at_once(documents.put("romeo", f"private {LIST} storage", old))
    stage.publish_list(entry(TOMB))
    assert set(rooms(stage.written())) == set(rooms(stage.published_list())) == {CELL, HALL, TOMB}
    assert at_once(documents.get("romeo", CONVERTED)) is not None
    stage.publish_list(entry(TOMB))
    assert set(stage.items()) == {TOMB}


def test_a_client_that_knows_no_bookmarks_wipes_none(stage: Stage) -> None:
    for room in (CELL, HALL):
        stage.add(room, item())
    stage.write()
    assert list(stage.items()) == [CELL, HALL]
    assert rooms(stage.written()) == [CELL, HALL]
    stage.remove(HALL)
    stage.write()  # the last one is taken away
    assert stage.items() == {}


def test_nothing_is_converted_into_a_node_that_others_see(stage: Stage) -> None:
    stage.ask.create(stage.romeo, NS, access_model="presence")
    stage.write(entry(CELL))
    assert stage.items() == {}
    stage.ask.publish(stage.romeo, NS, HALL, item())
    assert rooms(stage.written()) == [CELL]


def test_a_bookmark_for_which_there_is_no_room_stays_in_the_list() -> None:
    stage = Stage(Network(limits=Limits(pubsub=Limit(10, 500))))
    stage.write(entry(CELL, "The cell"), entry(HALL, "x" * 600))
    assert list(stage.items()) == [CELL]
    assert rooms(stage.written()) == [CELL, HALL]


@pytest.mark.parametrize("node", [NS, LIST])
def test_an_item_without_a_payload_is_no_bookmark_and_takes_none_away(stage: Stage, node: str) -> None:
    stage.add(CELL, item("Cell"))
    stage.ask.configure(stage.romeo, node, deliver_payloads="0")
    with watched_log() as failures:
        stage.ask.done(stage.romeo, f"<publish node='{node}'><item id='current'/></publish>")
        stage.ask.configure(stage.romeo, node, deliver_payloads="1")
        stage.add(HALL, item("Hall"))
    assert rooms(stage.written()) == [CELL, HALL]
    assert rooms(stage.published_list()) == [CELL, HALL]
    assert not failures


def test_two_changes_at_once_are_both_in_the_list(stage: Stage) -> None:
    documents = stage.network.servers["montague.lit"].store.documents
    get, asked = documents.get, []

    async def slow(localpart: str, name: str) -> bytes | None:
        document = await get(localpart, name)
        if name == f"private {LIST} storage":
            asked.append(name)
            if len(asked) == 2:  # when the first change has read the items
                await deferLater(stage.network.clock, 1.0)
        return document

    documents.get = slow
    for room in (CELL, HALL):
        request = f"<pubsub xmlns='{PUBSUB}'>{publication(NS, room, item(), **OPTIONS)}</pubsub>"
        stage.romeo.send(f"<iq type='set' id='{room}'>{request}</iq>")
    stage.network.settle()
    stage.network.advance(3.0)
    assert rooms(stage.written()) == rooms(stage.published_list()) == [CELL, HALL]
