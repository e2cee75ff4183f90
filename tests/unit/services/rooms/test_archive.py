"""The archive of a room (XEP-0313), and what is taken back from it (XEP-0424, XEP-0425)."""

from __future__ import annotations

import pytest

from cluster.xmpp.element import Element
from cluster.xmpp.extensions.muc import MODERATE, OCCUPANT_ID, RETRACT
from cluster.xmpp.namespaces import CLIENT, FORWARD, MAM, STANZA_ID
from tests.client import Client, child
from tests.unit.services.rooms.play import BENVOLIO, NURSE, ROMEO, VERONA, Play, lines


def archived(play: Play, client: Client, query: str = "") -> list[Element]:
    """The messages of the archive."""
    client.take()
    play.say(client, f"<iq to='{VERONA}' type='set' id='mam'><query xmlns='{MAM}'>{query}</query></iq>")
    return [each[0] for each in client.stanzas if each.find(f"{{{MAM}}}result") is not None]


def test_the_archive_has_what_was_said_once_and_as_it_was(play: Play, romeo: Client, juliet: Client) -> None:
    play.speak(romeo, "good morrow")
    play.speak(juliet, "hist", f"{VERONA}/romeo", "chat")
    [live] = [each for each in juliet.stanzas if each.find(f"{{{CLIENT}}}body") is not None]
    [result] = archived(play, juliet)
    message = result.find(f"{{{FORWARD}}}forwarded/{{{CLIENT}}}message")
    assert message is not None
    assert result.get("id") == child(live, "stanza-id", STANZA_ID).get("id")
    assert (message.get("from"), message.get("to")) == (f"{VERONA}/romeo", None)
    assert message.findtext(f"{{{CLIENT}}}body") == "good morrow"
    assert child(message, "occupant-id", OCCUPANT_ID).get("id") == child(live, "occupant-id", OCCUPANT_ID).get("id")
    assert ROMEO not in str(message.attrib)


def test_who_may_not_enter_may_not_read(play: Play, romeo: Client, juliet: Client) -> None:
    play.speak(romeo, "secret")
    nurse = play.online(NURSE)
    assert len(archived(play, nurse)) == 1
    play.configure(romeo, membersonly="1")
    assert archived(play, nurse) == []
    assert lines(nurse) == ["iq/error verona auth forbidden"]
    play.configure(romeo, membersonly="0", passwordprotectedroom="1", roomsecret="x")
    assert archived(play, nurse) == []
    play.configure(romeo, passwordprotectedroom="0", enablelogging="0")
    assert archived(play, nurse) == []


def test_a_moderator_takes_back_what_somebody_said(play: Play, romeo: Client, juliet: Client) -> None:
    play.speak(juliet, "magic potions")
    id = child(romeo.stanzas[-1], "stanza-id", STANZA_ID).get("id")
    request = f"<moderate xmlns='{MODERATE}' id='{id}'><retract xmlns='{RETRACT}'/><reason>spam</reason></moderate>"
    assert play.ask(juliet, "set", request) == ["iq/error verona auth forbidden"]
    play.silence(juliet)
    assert "iq/result" in play.ask(romeo, "set", request)
    [told] = juliet.stanzas
    retract = child(told, "retract", RETRACT)
    assert told.get("from") == VERONA
    assert retract.get("id") == id
    assert child(retract, "moderated", MODERATE).get("by") == f"{VERONA}/romeo"
    tombstone, *_ = archived(play, juliet)
    message = tombstone.find(f"{{{FORWARD}}}forwarded/{{{CLIENT}}}message")
    assert message is not None
    assert message.find(f"{{{CLIENT}}}body") is None
    assert message.find(f"{{{RETRACT}}}retracted") is not None
    assert not any("potions" in each for each in play.enter(play.online(BENVOLIO), "benvolio"))
    assert play.ask(romeo, "set", request.replace(str(id), "none")) == ["iq/error verona cancel item-not-found"]


def test_an_author_takes_back_what_they_said(play: Play, romeo: Client, juliet: Client) -> None:
    """XEP-0424 sections 4 and 5: all are told, and a tombstone is in place of the text."""
    play.speak(juliet, "wrong room")
    id = child(romeo.stanzas[-1], "stanza-id", STANZA_ID).get("id")
    play.silence(romeo)
    play.say(
        juliet, f"<message to='{VERONA}' type='groupchat' id='back'><retract xmlns='{RETRACT}' id='{id}'/></message>"
    )
    [told] = romeo.stanzas
    assert (told.get("from"), child(told, "retract", RETRACT).get("id")) == (f"{VERONA}/juliet", id)
    play.network.kill("montague.lit")
    play.network.start("montague.lit")
    play.network.advance(1)
    nurse = play.online(NURSE)
    assert not any("wrong room" in each for each in play.enter(nurse, "nurse"))
    inner = [each.find(f"{{{FORWARD}}}forwarded/{{{CLIENT}}}message") for each in archived(play, nurse)]
    tombstone, retraction = [each for each in inner if each is not None]
    assert tombstone.find(f"{{{CLIENT}}}body") is None
    assert child(tombstone, "retracted", RETRACT).get("id") == "back"
    assert child(tombstone, "occupant-id", OCCUPANT_ID) is not None
    assert child(retraction, "retract", RETRACT).get("id") == id


def test_an_author_does_not_replace_what_a_moderator_took_back(play: Play, romeo: Client, juliet: Client) -> None:
    play.speak(juliet, "magic potions")
    id = child(romeo.stanzas[-1], "stanza-id", STANZA_ID).get("id")
    play.ask(romeo, "set", f"<moderate xmlns='{MODERATE}' id='{id}'><retract xmlns='{RETRACT}'/></moderate>")
    play.say(juliet, f"<message to='{VERONA}' type='groupchat'><retract xmlns='{RETRACT}' id='{id}'/></message>")
    tombstone, *_ = archived(play, juliet)
    [retracted] = tombstone.iter(f"{{{RETRACT}}}retracted")
    assert child(retracted, "moderated", MODERATE).get("by") == f"{VERONA}/romeo"


@pytest.mark.parametrize("id", ["of the room", "unknown"])
def test_what_others_said_is_not_taken_back(play: Play, romeo: Client, juliet: Client, id: str) -> None:
    """Such a retraction is passed on like any message: clients compare occupant-ids (XEP-0424 section 6)."""
    play.speak(romeo, "I said it")
    if id == "of the room":
        id = child(juliet.stanzas[-1], "stanza-id", STANZA_ID).get("id") or ""
    play.silence(romeo)
    play.say(juliet, f"<message to='{VERONA}' type='groupchat'><retract xmlns='{RETRACT}' id='{id}'/></message>")
    assert [child(each, "retract", RETRACT).get("id") for each in romeo.stanzas] == [id]
    assert "romeo: I said it (before)" in play.enter(play.online(NURSE), "nurse")
