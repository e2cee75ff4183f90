"""XEP-0045: what occupants, moderators, admins and owners of a room can rely on."""

from __future__ import annotations

import pytest

from tests.conformance.rooms import MUC, USER, Room, codes, is_subject, item, own
from tests.conformance.rules import muc
from tests.conformance.site import Client, Site
from tests.conformance.wire import CLIENT, Element, error_of


@pytest.fixture
def owner(site: Site) -> Client:
    return site.online()


@pytest.fixture
def guest(site: Site) -> Client:
    """Of the other domain."""
    return site.online(site.there)


@pytest.fixture
def room(site: Site, owner: Client) -> Room:
    return Room(site, owner)


def condition(answer: Element) -> str:
    return error_of(answer)[1]


@muc("7.1", "MUST", "Others' presence, then one's own, then history, then the subject, then what is live.")
@muc("7.2.2", "MUST", "A new occupant gets the presence of all that are in the room.")
@muc("7.2.2", "MUST", "Its own presence has status 110, and comes after that of all others.")
@muc("7.2.2", "MUST", "All occupants get the presence of the new one, with role and affiliation.")
@muc("7.2.13", "MUST", "History is stamped with delays from the room.")
@muc("7.2.15", "defined", "The subject is sent after the history, in a message without a body.")
def test_order_of_events(room: Room, owner: Client, guest: Client) -> None:
    room.say(owner, "hello")
    owner.until(lambda child: child.get("id") == "hello")
    got = room.enter(guest, "guest")
    first, second = own(got, "owner"), own(got, "guest")
    said = next(each for each in got if each.findtext(f"{CLIENT}body") == "hello")
    assert got.index(first) < got.index(second) < got.index(said) < len(got) - 1
    assert "110" in codes(second)
    assert "110" not in codes(first)
    delay = said.find("{urn:xmpp:delay}delay")
    assert delay is not None
    assert delay.get("from") == room.jid
    assert is_subject(got[-1])
    seen = room.presence(owner, "guest")
    assert (item(seen).get("affiliation"), item(seen).get("role")) == ("none", "participant")


@muc("7.2.1", "MUST", "Who enters without a nickname gets jid-malformed.")
def test_no_nickname(room: Room, guest: Client) -> None:
    guest.send(f"<presence to='{room.jid}'><x xmlns='{MUC}'/></presence>")
    assert condition(guest.until(lambda child: child.get("type") == "error")[-1]) == "jid-malformed"


@muc("7.2.4", "MUST", "In a semi-anonymous room only moderators get the real addresses.")
def test_semi_anonymous(site: Site, room: Room, owner: Client, guest: Client) -> None:
    room.enter(guest, "guest")
    assert item(room.presence(owner, "guest")).get("jid") == guest.jid
    other = site.online(site.there)
    room.enter(other, "other")
    assert item(room.presence(guest, "other")).get("jid") is None


@muc("7.2.3", "MUST", "In a non-anonymous room all get the real addresses, and who enters is warned by status 100.")
def test_non_anonymous(site: Site, owner: Client, guest: Client) -> None:
    room = Room(site, owner, whois="anyone")
    got = room.enter(guest, "guest")
    assert item(own(got, "owner")).get("jid") == owner.jid
    assert "100" in codes(own(got, "guest"))


@muc("7.2.5", "MUST", "Without the password of the room, who enters gets not-authorized.")
def test_password(site: Site, owner: Client, guest: Client) -> None:
    room = Room(site, owner, passwordprotectedroom="1", roomsecret="wherefore")
    assert condition(room.enter(guest, "guest")[-1]) == "not-authorized"
    assert condition(room.enter(guest, "guest", "<password>no</password>")[-1]) == "not-authorized"
    assert is_subject(room.enter(guest, "guest", "<password>wherefore</password>")[-1])


@muc("7.2.6", "MUST", "Into a members-only room only members are let; others get registration-required.")
def test_members_only(site: Site, owner: Client, guest: Client) -> None:
    room = Room(site, owner, membersonly="1")
    assert condition(room.enter(guest, "guest")[-1]) == "registration-required"
    assert room.admin(owner, f"affiliation='member' jid='{guest.bare}'").get("type") == "result"
    assert is_subject(room.enter(guest, "guest")[-1])


@muc("7.2.7", "MUST", "A banned user gets forbidden.")
@muc("9.1", "MUST", "A banned user who is in the room leaves it, with status 301, and the others are told.")
def test_ban(site: Site, room: Room, owner: Client, guest: Client) -> None:
    room.enter(guest, "guest")
    assert room.admin(owner, f"affiliation='outcast' jid='{guest.bare}'").get("type") == "result"
    assert "301" in codes(room.presence(guest, "guest", "unavailable"))
    assert condition(room.enter(guest, "guest")[-1]) == "forbidden"


@muc("7.2.8", "MUST", "A nickname that somebody else has is refused with conflict.")
def test_conflict(room: Room, guest: Client) -> None:
    assert condition(room.enter(guest, "owner")[-1]) == "conflict"


@muc("7.2.8", "SHOULD", "Another client of the same account may enter with the same nickname.")
@muc("7.2.8", "MUST", "What is said in the room reaches all clients of such an occupant.")
def test_several_clients(site: Site, room: Room, owner: Client, guest: Client) -> None:
    room.enter(guest, "guest")
    second = site.online(site.there, name=guest.name)
    assert is_subject(room.enter(second, "guest")[-1])
    room.say(owner, "hello")
    for client in (guest, second):
        client.until(lambda child: child.get("id") == "hello")


@muc("7.2.9", "MUST", "A room that is full refuses others with service-unavailable.")
def test_full(site: Site, owner: Client, guest: Client) -> None:
    room = Room(site, owner, maxusers="1")
    assert condition(room.enter(guest, "guest")[-1]) == "service-unavailable"


@muc("7.2.10", "MUST", "Into a room that is not configured yet nobody is let: item-not-found.")
def test_locked(site: Site, owner: Client, guest: Client) -> None:
    room = Room.__new__(Room)
    room.jid, room.owner = f"locked{owner.name}@{site.rooms}", owner
    room.enter(owner, "owner")
    assert condition(room.enter(guest, "guest")[-1]) == "item-not-found"


@muc("7.2.14", "MUST", "No more history is sent than was asked for.")
@pytest.mark.parametrize(
    ("wanted", "expected"), [("maxchars='0'", []), ("maxstanzas='1'", ["two"]), ("maxstanzas='9'", ["one", "two"])]
)
def test_history(room: Room, owner: Client, guest: Client, wanted: str, expected: list[str]) -> None:
    for body in ("one", "two"):
        room.say(owner, body)
        owner.until(lambda child, body=body: child.get("id") == body)
    got = room.enter(guest, "guest", f"<history {wanted}/>")
    bodies = [child.findtext(f"{CLIENT}body") for child in got]
    assert [body for body in bodies if body] == expected


@muc("7.2.18", "defined", "Presence of who is not in the room is answered with a kick: 110, 307 and 333.")
def test_presence_of_a_stranger(room: Room, guest: Client) -> None:
    guest.send(f"<presence to='{room.jid}/guest'/>")
    assert {"110", "307", "333"} <= codes(room.presence(guest, "guest", "unavailable"))


@muc("7.4", "MUST", "A message comes from the occupant's address, and goes to the full JID of each occupant.")
@muc("7.4", "SHOULD", "It has the id that its sender gave it.")
def test_groupchat(room: Room, owner: Client, guest: Client) -> None:
    room.enter(guest, "guest")
    room.say(guest, "hello")
    for client in (owner, guest):
        got = client.until(lambda child: child.get("id") == "hello")[-1]
        assert (got.get("from"), got.get("to"), got.get("type")) == (f"{room.jid}/guest", client.jid, "groupchat")


@muc("7.4", "MUST", "Who has no voice gets forbidden, and nobody gets the message.")
@muc("5.1.2", "SHOULD", "In a moderated room who has no affiliation is a visitor.")
@muc("8.3", "MUST", "A moderator grants voice, and all are told.")
def test_voice(site: Site, owner: Client, guest: Client) -> None:
    room = Room(site, owner, moderatedroom="1")
    assert item(own(room.enter(guest, "guest"), "guest")).get("role") == "visitor"
    room.say(guest, "hello")
    assert condition(guest.until(lambda child: child.get("type") == "error")[-1]) == "forbidden"
    assert room.admin(owner, "nick='guest' role='participant'").get("type") == "result"
    assert item(room.presence(guest, "guest")).get("role") == "participant"
    room.say(guest, "again")
    assert owner.until(lambda child: child.get("type") == "groupchat")[-1].get("id") == "again"


@muc("7.4", "SHOULD", "Who is not in the room gets not-acceptable.")
def test_message_of_a_stranger(room: Room, guest: Client) -> None:
    room.say(guest, "hello")
    assert condition(guest.until(lambda child: child.get("type") == "error")[-1]) == "not-acceptable"


@muc("7.5", "defined", "A private message comes from the sender's occupant address, to the receiver alone.")
@muc("7.5", "MUST", "To an occupant that is not there it is refused with item-not-found.")
@muc("7.5", "MUST", "Of type groupchat it is refused with bad-request.")
def test_private_message(room: Room, owner: Client, guest: Client) -> None:
    room.enter(guest, "guest")
    room.say(guest, "hist", "owner", "chat")
    got = owner.until(lambda child: child.get("id") == "hist")[-1]
    assert (got.get("from"), got.get("to"), got.get("type")) == (f"{room.jid}/guest", owner.jid, "chat")
    for to, type, expected in (("nobody", "chat", "item-not-found"), ("owner", "groupchat", "bad-request")):
        room.say(guest, f"{to}{type}", to, type)
        answer = guest.until(lambda child: child.get("type") == "error")[-1]
        assert condition(answer) == expected


@muc("7.5", "MUST", "A private message of who is not in the room is refused with not-acceptable.")
def test_private_message_of_a_stranger(room: Room, guest: Client) -> None:
    room.say(guest, "hist", "owner", "chat")
    assert condition(guest.until(lambda child: child.get("type") == "error")[-1]) == "not-acceptable"


@muc("7.6", "MUST", "A change of nickname is told by unavailable presence with the new one and status 303.")
@muc("7.6", "MUST", "To a nickname that somebody has it is refused with conflict.")
def test_nickname(room: Room, owner: Client, guest: Client) -> None:
    room.enter(guest, "guest")
    guest.send(f"<presence to='{room.jid}/visitor'/>")
    gone = room.presence(owner, "guest", "unavailable")
    assert "303" in codes(gone)
    assert item(gone).get("nick") == "visitor"
    assert item(room.presence(owner, "visitor")).get("role") == "participant"
    guest.send(f"<presence to='{room.jid}/owner'/>")
    assert condition(guest.until(lambda child: child.get("type") == "error")[-1]) == "conflict"


@muc("7.7", "defined", "A change of presence reaches all occupants, with role and affiliation.")
@muc("17.3", "MUST NOT", "What an occupant says of roles and affiliations is not reflected.")
def test_availability(room: Room, owner: Client, guest: Client) -> None:
    room.enter(guest, "guest")
    room.presence(owner, "guest")
    forged = f"<x xmlns='{MUC}#user'><item affiliation='owner' role='moderator'/></x>"
    guest.send(f"<presence to='{room.jid}/guest'><show>away</show>{forged}</presence>")
    seen = room.presence(owner, "guest")
    assert seen.findtext(f"{CLIENT}show") == "away"
    assert [each.get("affiliation") for each in seen.iter(f"{USER}item")] == ["none"]


@muc("7.8.2", "MUST", "The room forwards an invitation with who it is from.")
def test_invitation(site: Site, room: Room, owner: Client, guest: Client) -> None:
    x = f"<x xmlns='{MUC}#user'><invite to='{guest.bare}'><reason>come</reason></invite></x>"
    owner.send(f"<message to='{room.jid}'>{x}</message>")
    got = guest.until(lambda child: child.find(f"{USER}x/{USER}invite") is not None)[-1]
    invite = got.find(f"{USER}x/{USER}invite")
    assert invite is not None
    assert got.get("from") == room.jid
    assert (invite.get("from") or "").partition("/")[0] in (owner.bare, room.jid)


@muc("7.12", "MUST", "Who has no reserved nickname gets an empty answer at x-roomuser-item.")
def test_reserved_nickname(site: Site, room: Room, guest: Client) -> None:
    query = "<query xmlns='http://jabber.org/protocol/disco#info' node='x-roomuser-item'/>"
    answer = guest.ask("get", query, room.jid)
    if answer.get("type") == "error":
        site.lacks("the node x-roomuser-item")
    assert len(answer[0]) == 0


@muc("7.14", "MUST", "Who leaves gets unavailable presence with status 110, and the others get it.")
@muc("17.3", "MUST", "Unavailable presence of who is not in the room is ignored.")
def test_leaving(room: Room, owner: Client, guest: Client) -> None:
    room.enter(guest, "guest")
    room.leave(guest, "guest")
    assert "110" in codes(room.presence(guest, "guest", "unavailable"))
    assert item(room.presence(owner, "guest", "unavailable")).get("role") == "none"
    room.leave(guest, "guest")
    assert guest.sync() == []


@muc("8.1", "MUST", "Who may not change the subject gets forbidden.")
@muc("8.1", "defined", "A change of the subject reaches all.")
def test_subject(room: Room, owner: Client, guest: Client) -> None:
    room.enter(guest, "guest")
    guest.send(f"<message to='{room.jid}' type='groupchat'><subject>hate</subject></message>")
    refused = guest.until(lambda child: child.tag == f"{CLIENT}message")[-1]
    if refused.get("type") != "error":
        pytest.skip("occupants may change the subject by default")
    assert condition(refused) == "forbidden"
    owner.send(f"<message to='{room.jid}' type='groupchat'><subject>love</subject></message>")
    assert guest.until(is_subject)[-1].findtext(f"{CLIENT}subject") == "love"


@muc("8.2", "MUST", "Who is kicked gets unavailable presence with status 307, and so do the others.")
@muc("8.2", "MUST", "The moderator is told of success.")
@muc("8.2", "MUST", "Nobody is kicked by a moderator of a lower affiliation: not-allowed.")
def test_kick(site: Site, room: Room, owner: Client, guest: Client) -> None:
    room.enter(guest, "guest")
    assert room.admin(owner, f"affiliation='admin' jid='{guest.bare}'").get("type") == "result"
    assert condition(room.admin(guest, "nick='owner' role='none'")) == "not-allowed"
    other = site.online()
    room.enter(other, "other")
    assert room.admin(guest, "nick='other' role='none'").get("type") == "result"
    assert {"110", "307"} <= codes(room.presence(other, "other", "unavailable"))
    assert "307" in codes(room.presence(owner, "other", "unavailable"))


@muc("9", "MUST", "Who is no admin and changes affiliations gets forbidden.")
@muc("9.1", "MUST", "Nobody bans themselves: conflict.")
def test_who_may_not_ban(room: Room, owner: Client, guest: Client) -> None:
    room.enter(guest, "guest")
    assert condition(room.admin(guest, "affiliation='outcast' jid='nurse@example.org'")) == "forbidden"
    assert room.admin(owner, f"affiliation='owner' jid='{guest.bare}'").get("type") == "result"
    assert condition(room.admin(owner, f"affiliation='outcast' jid='{owner.bare}'")) == "conflict"


@muc("9.3", "MUST", "Who becomes a member is told so with all others.")
@muc("9.2", "MUST", "The list of those with an affiliation has their addresses.")
def test_membership(room: Room, owner: Client, guest: Client) -> None:
    room.enter(guest, "guest")
    room.presence(owner, "guest")
    assert room.admin(owner, f"affiliation='member' jid='{guest.bare}'").get("type") == "result"
    assert item(room.presence(guest, "guest")).get("affiliation") == "member"
    listed = owner.ask("get", f"<query xmlns='{MUC}#admin'><item affiliation='member'/></query>", room.jid)
    assert [each.get("jid") for each in listed[0]] == [guest.bare]


@muc("10.1.1", "MUST", "Who makes a room is its owner and gets status 201.")
def test_creation(site: Site, room: Room) -> None:
    entered = own(room.entered, "owner")
    assert (item(entered).get("affiliation"), item(entered).get("role")) == ("owner", "moderator")
    assert {"110", "201"} <= codes(entered)


@muc("10.2", "MUST", "Who is no owner and asks for the configuration gets forbidden.")
@muc("10.2", "MUST", "An owner gets the form.")
def test_configuration(room: Room, owner: Client, guest: Client) -> None:
    query = f"<query xmlns='{MUC}#owner'/>"
    assert condition(guest.ask("get", query, room.jid)) == "forbidden"
    form = owner.ask("get", query, room.jid)
    names = {each.get("var") for each in form.iter("{jabber:x:data}field")}
    assert {"muc#roomconfig_roomname", "muc#roomconfig_persistentroom", "muc#roomconfig_whois"} <= names


@muc("10.2", "MUST", "When a room becomes members-only, others leave it with status 322.")
def test_becoming_members_only(room: Room, guest: Client) -> None:
    room.enter(guest, "guest")
    room.configure(membersonly="1")
    assert "322" in codes(room.presence(guest, "guest", "unavailable"))


@muc("10.2.1", "MUST", "When a room becomes non-anonymous, all get status 172.")
def test_notification(room: Room, guest: Client) -> None:
    room.enter(guest, "guest")
    room.configure(whois="anyone")
    told = guest.until(lambda child: child.find(f"{USER}x/{USER}status") is not None and child.tag.endswith("}message"))
    assert "172" in codes(told[-1])


@muc("10.4", "MUST NOT", "The last owner cannot stop being one: conflict.")
def test_last_owner(room: Room, owner: Client) -> None:
    assert condition(room.admin(owner, f"affiliation='admin' jid='{owner.bare}'")) == "conflict"


@muc("10.9", "MUST", "When a room is destroyed, all get unavailable presence with the alternate venue.")
@muc("10.9", "MUST", "Who is no owner and destroys it gets forbidden.")
def test_destruction(site: Site, room: Room, owner: Client, guest: Client) -> None:
    room.enter(guest, "guest")
    destroy = f"<query xmlns='{MUC}#owner'><destroy jid='other@{site.rooms}'><reason>war</reason></destroy></query>"
    assert condition(guest.ask("set", destroy, room.jid)) == "forbidden"
    assert owner.ask("set", destroy, room.jid).get("type") == "result"
    gone = room.presence(guest, "guest", "unavailable").find(f"{USER}x/{USER}destroy")
    assert gone is not None
    assert gone.get("jid") == f"other@{site.rooms}"


@muc("17.4", "MUST", "A change of role and affiliation of one item is refused with bad-request.")
def test_two_changes(room: Room, owner: Client, guest: Client) -> None:
    room.enter(guest, "guest")
    answer = room.admin(owner, f"affiliation='member' role='visitor' nick='guest' jid='{guest.bare}'")
    assert condition(answer) == "bad-request"


@muc("18.1.2", "SHOULD", "Who is gone without a word leaves when an error comes back for them.")
@muc("11.1", "MUST", "The others are told with status 333, where that is supported.")
def test_ghost(site: Site, room: Room, owner: Client, guest: Client) -> None:
    room.enter(guest, "guest")
    room.presence(owner, "guest")
    error = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    guest.send(f"<message to='{room.jid}/owner' type='error'><body>x</body>{error}</message>")
    assert "333" in codes(room.presence(owner, "guest", "unavailable"))


@muc("6.6", "MUST", "Who is not in the room and asks an occupant for disco information gets bad-request.")
def test_disco_of_an_occupant(room: Room, guest: Client) -> None:
    answer = guest.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", f"{room.jid}/owner")
    assert condition(answer) == "bad-request"


@muc("6.4", "defined", "A room that is configured to have a publish-subscribe node tells its URI.")
def test_node_of_a_room(site: Site, room: Room, owner: Client, guest: Client) -> None:
    form = owner.ask("get", f"<query xmlns='{MUC}#owner'/>", room.jid)
    if not any(field.get("var") == "muc#roomconfig_pubsub" for field in form.iter()):
        site.lacks("the field muc#roomconfig_pubsub")
    uri = f"xmpp:pubsub.{site.here.name}?;node=the-coven-node"
    room.configure(pubsub=uri)
    answer = guest.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", room.jid)
    [told] = [each for each in answer.iter() if each.get("var") == "muc#roomconfig_pubsub"]
    assert [value.text for value in told] == [uri]


@muc("6.4", "MUST", "A room says what it is: conference/text.")
def test_disco_of_a_room(room: Room, guest: Client) -> None:
    answer = guest.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", room.jid)
    identities = [(each.get("category"), each.get("type")) for each in answer[0] if each.tag.endswith("}identity")]
    assert ("conference", "text") in identities
