"""What rooms, and their service, say of themselves (XEP-0045 section 6)."""

from __future__ import annotations

import pytest

from cluster.host import disco
from cluster.host.disco import INFO, ITEMS
from cluster.xmpp.extensions.muc import MODERATE, OCCUPANT_ID
from cluster.xmpp.extensions.rsm import RSM
from cluster.xmpp.namespaces import MAM, STANZA_ID
from tests.client import Client
from tests.unit.services.rooms.play import ROMEO, SERVICE, VERONA, Play, info
from tests.unit.services.rooms.test_configuration import values


@pytest.fixture
def romeo(play: Play) -> Client:
    romeo = play.online(ROMEO)
    play.create(romeo, "romeo", roomname="Fair Verona")
    return romeo


def test_the_server_lists_the_service_and_the_service_its_rooms(play: Play, juliet: Client) -> None:
    def items(of: str) -> list[tuple[str | None, str | None]]:
        reply = play.reply(juliet, "get", f"<query xmlns='{ITEMS}'/>", of)
        return [(each.get("jid"), each.get("name")) for each in reply.iter(f"{{{ITEMS}}}item")]

    assert items("montague.lit") == [(SERVICE, None)]
    assert items(SERVICE) == [(VERONA, "Fair Verona (2)")]
    assert items(VERONA) == []


def test_many_rooms_are_listed_page_by_page(play: Play, romeo: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """XEP-0045 section 6.3, XEP-0059."""
    for number in range(4):
        play.create(romeo, "romeo", f"r{number}@{SERVICE}")

    def page(asked: str) -> tuple[list[str], str | None, str | None]:
        reply = play.reply(romeo, "get", f"<query xmlns='{ITEMS}'>{asked}</query>", SERVICE)
        names = [(each.get("jid") or "").partition("@")[0] for each in reply.iter(f"{{{ITEMS}}}item")]
        counted, first = reply.find(f".//{{{RSM}}}count"), reply.find(f".//{{{RSM}}}first")
        return names, None if counted is None else counted.text, None if first is None else first.get("index")

    def paged(inner: str) -> tuple[list[str], str | None, str | None]:
        return page(f"<set xmlns='{RSM}'>{inner}</set>")

    assert page("") == (["verona", "r0", "r1", "r2", "r3"], None, None)
    assert paged("<max>2</max>") == (["verona", "r0"], "5", "0")
    assert paged(f"<max>2</max><after>r0@{SERVICE}</after>") == (["r1", "r2"], "5", "2")
    assert paged("<max>2</max><before/>") == (["r2", "r3"], "5", "3")
    assert paged("<max>0</max>") == ([], "5", None)
    assert paged("<after>nowhere</after>") == ([], None, None)  # item-not-found
    monkeypatch.setattr(disco, "MAX_LISTED", 3)
    assert page("") == (["verona", "r0", "r1"], "5", "0")


def test_hidden_and_locked_rooms_are_not_listed(play: Play, romeo: Client, juliet: Client) -> None:
    play.configure(romeo, publicroom="0")
    play.enter(juliet, "juliet", VERONA.replace("verona", "mantua"))
    reply = play.reply(juliet, "get", f"<query xmlns='{ITEMS}'/>", SERVICE)
    assert [*reply.iter(f"{{{ITEMS}}}item")] == []


def test_what_a_service_and_a_room_say_of_themselves(play: Play, romeo: Client, juliet: Client) -> None:
    service = info(play, juliet, SERVICE)
    identity = service[0].find(f"{{{INFO}}}identity")
    assert identity is not None
    assert (identity.get("category"), identity.get("type")) == ("conference", "text")
    features = {each.get("var") for each in service.iter(f"{{{INFO}}}feature")}
    assert {"http://jabber.org/protocol/muc", "http://jabber.org/protocol/muc#stable_id", OCCUPANT_ID} <= features
    play.configure(romeo, membersonly="1", roomdesc="streets", passwordprotectedroom="1", roomsecret="x")
    room = info(play, romeo)
    features = {each.get("var") for each in room.iter(f"{{{INFO}}}feature")}
    assert {
        "muc_membersonly", "muc_passwordprotected", "muc_public", "muc_temporary", "muc_unmoderated",
        "muc_semianonymous", "http://jabber.org/protocol/muc#self-ping-optimization", MAM, STANZA_ID, MODERATE,
    } <= features  # fmt: skip
    told = values(room)
    assert told["muc#roominfo_occupants"] == ["1"]
    assert told["muc#roominfo_description"] == ["streets"]


def test_rooms_and_nodes_that_are_not_there(play: Play, romeo: Client) -> None:
    assert info(play, romeo, f"mantua@{SERVICE}").get("type") == "error"
    assert info(play, romeo, VERONA, "http://jabber.org/protocol/muc#traffic").get("type") == "error"
    assert info(play, romeo, VERONA, "nowhere").get("type") == "error"
