"""Rooms with people of two domains in them, all slixmpp (XEP-0045); their server is killed and comes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.clients import RealClient
from tests.live.running_lab import ROOT, RunningLab

pytestmark = pytest.mark.live
VERONA = "verona@conference.montague.lit"
ROMEO, BENVOLIO, JULIET = "romeo@montague.lit/pda", "benvolio@montague.lit/pc", "juliet@capulet.lit/balcony"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    yield from RunningLab(tmp_path_factory.mktemp("lab"), ROOT / "topologies" / "rooms.yaml").while_up()


def online(lab: RunningLab, jid: str) -> RealClient:
    client = lab.client(jid, script="slixmpp_rooms.py")
    client.see("session")
    client.do("presence")
    return client


def enter(client: RealClient, nick: str, room: str = VERONA, history: int | None = None) -> dict[str, object]:
    client.do("enter", room=room, nick=nick, history=history)
    return client.see("entered")


def test_the_lab_shows_its_rooms(lab: RunningLab) -> None:
    assert lab.ps()["services"] == [{"domain": "conference.montague.lit", "server": "s1", "kind": "rooms"}]
    assert "conference.montague.lit" in lab.command("ps")
    with online(lab, JULIET) as juliet:
        juliet.do("info", to=VERONA)
        info = juliet.see("info")
        assert info["identities"] == ["conference/text"]
        assert {"muc_persistent", "urn:xmpp:occupant-id:0", "urn:xmpp:mam:2"} <= set(info["features"])


def test_people_of_two_domains_talk_in_one_order(lab: RunningLab) -> None:
    with online(lab, ROMEO) as romeo, online(lab, BENVOLIO) as benvolio, online(lab, JULIET) as juliet:
        people = {"romeo": romeo, "benvolio": benvolio, "juliet": juliet}
        entered = [enter(client, nick) for nick, client in people.items()]
        assert (entered[0]["affiliation"], entered[0]["role"]) == ("owner", "moderator")
        assert entered[2]["others"] == ["romeo", "benvolio", "juliet"]
        assert entered[2]["subject"] == "where we lay our scene"
        for number in range(30):
            for nick, client in people.items():
                client.do("say", room=VERONA, body=f"{nick} {number}")
        heard = {nick: [client.see("said") for _ in range(90)] for nick, client in people.items()}
        orders = [[(each["body"], each["stanza_id"]) for each in said] for said in heard.values()]
        assert orders[0] == orders[1] == orders[2]
        assert len({body for body, _ in orders[0]}) == 90
        assert len({each["occupant_id"] for each in heard["juliet"]}) == 3
        juliet.do("is_inside", room=VERONA, nick="juliet")
        juliet.see("inside")
        juliet.do("leave", room=VERONA, nick="juliet")
        romeo.see("gone", nick="juliet")


def test_a_room_of_ones_own(lab: RunningLab) -> None:
    room = "mantua@conference.montague.lit"
    with online(lab, JULIET) as juliet, online(lab, ROMEO) as romeo:
        assert 201 in enter(juliet, "juliet", room)["codes"]
        juliet.do("configure", room=room, roomname="Mantua", moderatedroom="1")
        juliet.see("configured")
        juliet.do("people", room=room, affiliation="owner")
        assert juliet.see("people")["jids"] == ["juliet@capulet.lit"]
        assert enter(romeo, "romeo", room)["role"] == "visitor"
        juliet.do("role", room=room, nick="romeo", role="participant")
        juliet.see("role set")
        romeo.do("say", room=room, body="here's to my love")
        assert juliet.see("said")["body"] == "here's to my love"
        juliet.do("role", room=room, nick="romeo", role="none")
        assert romeo.see("gone", nick="romeo")["codes"] == [110, 307]


def test_a_room_outlives_its_server(lab: RunningLab) -> None:
    with online(lab, JULIET) as juliet:
        with online(lab, ROMEO) as romeo:
            enter(romeo, "romeo")
            enter(juliet, "juliet", history=0)
            romeo.do("subject", room=VERONA, subject="banishment")
            romeo.do("say", room=VERONA, body="farewell")
            juliet.see("said", body="farewell")
            restarts = lab.node("montague.lit")["restarts"]
            lab.command("kill", "s1")
            lab.until_running("s1", restarts + 1)
        assert juliet.see("gone", nick="juliet")["codes"] == [110, 332]
        with online(lab, ROMEO) as romeo:
            again = enter(romeo, "romeo", history=1)
            assert (again["affiliation"], again["subject"]) == ("owner", "banishment")
            assert again["history"] == ["farewell"]
            assert enter(juliet, "juliet", history=0)["others"] == ["romeo", "juliet"]
            juliet.do("archive", room=VERONA)
            assert juliet.see("archive")["bodies"][-1] == "farewell"
            romeo.do("say", room=VERONA, body="I am back")
            juliet.see("said", body="I am back")
