"""XEP-0441: whose messages the archive of a room keeps, as its owner prefers."""

from __future__ import annotations

import pytest

from tests.conformance.rooms import Room
from tests.conformance.rules import preferences
from tests.conformance.site import Client, Site
from tests.conformance.wire import Element, error_of

MAM = "urn:xmpp:mam:2"
NOBODY: tuple[str, ...] = ()


@pytest.fixture
def owner(site: Site) -> Client:
    return site.online()


@pytest.fixture
def guest(site: Site) -> Client:
    """Of the other domain."""
    return site.online(site.there)


@pytest.fixture
def room(site: Site, owner: Client, guest: Client) -> Room:
    """With both of them in it. Skips a peer whose rooms have no such preferences."""
    room = Room(site, owner)
    if owner.ask("get", f"<prefs xmlns='{MAM}'/>", room.jid).get("type") == "error":
        site.lacks("preferences of a room's archive")
    room.enter(guest, "guest")
    return room


def change(room: Room, default: str, *, always: tuple[str, ...] = NOBODY, never: tuple[str, ...] = NOBODY) -> Element:
    """The owner changes the preferences; the answer."""
    lists = "".join(
        f"<{name}>{''.join(f'<jid>{jid}</jid>' for jid in jids)}</{name}>"
        for name, jids in (("always", always), ("never", never))
    )
    return room.owner.ask("set", f"<prefs xmlns='{MAM}' default='{default}'>{lists}</prefs>", room.jid)


def shown(answer: Element) -> tuple[str | None, list[str | None], list[str | None]]:
    """The default and the two lists of an answer."""
    [prefs] = answer
    always, never = (prefs.find(f"{{{MAM}}}{name}") for name in ("always", "never"))
    assert always is not None
    assert never is not None
    return prefs.get("default"), [jid.text for jid in always], [jid.text for jid in never]


def kept(room: Room, *speakers: Client) -> list[str]:
    """Each of them says something: who of them the archive has then, by the ids of their messages."""
    for number, speaker in enumerate(speakers):
        room.say(speaker, f"{speaker.name}-{number}")
        for hearer in speakers:
            hearer.until(lambda child, id=f"{speaker.name}-{number}": child.get("id") == id)
    room.owner.ask("set", f"<query xmlns='{MAM}'/>", room.jid)
    forwarded = "{urn:xmpp:forward:0}forwarded/{jabber:client}message"
    return [
        found.get("id", "")
        for child in room.owner.before
        for found in child.iterfind(f"{{{MAM}}}result/{forwarded}")
        if found.find("{jabber:client}body") is not None
    ]


@preferences("2.1", "MUST", "The answer has the current default, and both lists, even if they are empty.")
def test_shown(room: Room, owner: Client) -> None:
    answer = owner.ask("get", f"<prefs xmlns='{MAM}'/>", room.jid)
    assert shown(answer) == ("always", [], [])


@preferences("2.1", "defined", "The answer to a change has the preferences that are applied, which stay.")
def test_applied(room: Room, owner: Client, guest: Client) -> None:
    answer = change(room, "roster", always=(guest.bare,), never=("nurse@example.com",))
    assert shown(answer) == ("roster", [guest.bare], ["nurse@example.com"])
    assert shown(owner.ask("get", f"<prefs xmlns='{MAM}'/>", room.jid)) == shown(answer)


@preferences("2.1", "defined", "Who is not authorized to change the preferences gets forbidden.")
@pytest.mark.parametrize("request_", [("get", ""), ("set", "default='never'")])
def test_not_the_owner(room: Room, guest: Client, request_: tuple[str, str]) -> None:
    type, attributes = request_
    answer = guest.ask(type, f"<prefs xmlns='{MAM}' {attributes}/>", room.jid)
    assert error_of(answer)[1] == "forbidden"


@preferences("2.1.1", "MUST", "The default is always, never or roster.")
def test_another_default(room: Room) -> None:
    assert error_of(change(room, "sometimes"))[1] == "bad-request"


@preferences("2.1.1", "defined", "With the default never, what nobody listed writes is not archived.")
@preferences("2.1.2", "SHOULD", "Messages from a listed address are always archived.")
@preferences("2.2.3", "MUST", "A message that comes in is matched by its from: the sender's own address.")
def test_always(room: Room, owner: Client, guest: Client) -> None:
    change(room, "never", always=(guest.bare,))
    assert kept(room, owner, guest) == [f"{guest.name}-1"]


@preferences("2.1.3", "SHOULD NOT", "Messages from a listed address are never archived.")
@preferences("2.2.1", "defined", "A listed bare JID stands for all its resources.")
def test_never(room: Room, owner: Client, guest: Client) -> None:
    change(room, "always", never=(guest.bare,))
    assert kept(room, owner, guest) == [f"{owner.name}-0"]


@preferences("2.2.1", "defined", "A listed full JID stands for that resource alone.")
def test_a_resource(room: Room, owner: Client, guest: Client) -> None:
    change(room, "never", always=(guest.jid, f"{owner.bare}/elsewhere"))
    assert kept(room, owner, guest) == [f"{guest.name}-1"]


@preferences("2.1.1", "defined", "With the default roster, what contacts write is archived: a room's are affiliated.")
def test_roster(room: Room, owner: Client, guest: Client) -> None:
    change(room, "roster")
    assert kept(room, owner, guest) == [f"{owner.name}-0"]
