"""Roles and affiliations: the tables, and what moderators, admins and owners do (XEP-0045 sections 5, 8, 9 and 10)."""

from __future__ import annotations

import pytest

from cluster.services.rooms import privileges
from cluster.services.rooms.privileges import (
    ADMIN,
    MEMBER,
    MODERATOR,
    NOBODY,
    NONE,
    OUTCAST,
    OWNER,
    PARTICIPANT,
    VISITOR,
    Privilege,
)
from cluster.store.rooms import Affiliation, Role, RoomSettings
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions.muc import ADMIN as ADMIN_NS
from tests.client import Client
from tests.network import MONTAGUE
from tests.unit.services.rooms.play import BENVOLIO, JULIET, NURSE, SERVICE, VERONA, Play, lines


@pytest.mark.parametrize(
    ("privilege", "allowed"),
    [
        (Privilege.CHANGE_NICK, "visitor participant moderator"),
        (Privilege.SEND_PRIVATE_MESSAGES, "visitor participant moderator"),
        (Privilege.INVITE, "visitor participant moderator"),
        (Privilege.SPEAK, "participant moderator"),
        (Privilege.CHANGE_SUBJECT, "moderator"),
        (Privilege.KICK, "moderator"),
        (Privilege.GRANT_VOICE, "moderator"),
        (Privilege.REVOKE_VOICE, "moderator"),
    ],
)
def test_what_roles_may(privilege: Privilege, allowed: str) -> None:
    """Section 5.1.1."""
    may = [role.word for role in Role if privileges.may(role, privilege, RoomSettings())]
    assert may == allowed.split()


def test_initial_roles() -> None:
    """Section 5.1.2."""
    assert privileges.INITIAL_ROLES == {
        True: {NONE: VISITOR, MEMBER: PARTICIPANT, ADMIN: MODERATOR, OWNER: MODERATOR},
        False: {NONE: PARTICIPANT, MEMBER: PARTICIPANT, ADMIN: MODERATOR, OWNER: MODERATOR},
    }


CHANGES = {  # section 5.2.2: by old (rows) and new affiliation, who makes it
    OUTCAST: ["", "admin", "admin", "owner", "owner"],
    NONE: ["admin", "", "admin", "owner", "owner"],
    MEMBER: ["admin", "admin", "", "owner", "owner"],
    ADMIN: ["owner", "owner", "owner", "", "owner"],
    OWNER: ["owner", "owner", "owner", "owner", ""],
}


@pytest.mark.parametrize("old", Affiliation)
@pytest.mark.parametrize("new", Affiliation)
@pytest.mark.parametrize("actor", Affiliation)
def test_who_changes_affiliations(actor: Affiliation, old: Affiliation, new: Affiliation) -> None:
    needed = CHANGES[old][new]
    allowed = actor >= ADMIN and (not needed or actor >= Affiliation[needed.upper()])
    assert _refusal(lambda: privileges.check_change_of_affiliation(actor, old, new)) is None if allowed else True
    if not allowed:
        expected = Condition.NOT_ALLOWED if ADMIN <= actor < old else Condition.FORBIDDEN
        assert _refusal(lambda: privileges.check_change_of_affiliation(actor, old, new)) is expected


def _refusal(act) -> Condition | None:
    try:
        act()
    except StanzaError as error:
        return error.condition
    return None


@pytest.mark.parametrize(
    ("actor", "other", "new", "refusal"),
    [
        # voice (sections 8.3 and 8.4)
        ((MODERATOR, NONE), (VISITOR, NONE), PARTICIPANT, None),
        ((MODERATOR, NONE), (PARTICIPANT, NONE), VISITOR, None),
        ((MODERATOR, NONE), (PARTICIPANT, MEMBER), VISITOR, Condition.NOT_ALLOWED),
        ((MODERATOR, MEMBER), (PARTICIPANT, MEMBER), VISITOR, None),
        ((PARTICIPANT, NONE), (VISITOR, NONE), PARTICIPANT, Condition.FORBIDDEN),
        ((MODERATOR, OWNER), (MODERATOR, ADMIN), VISITOR, Condition.NOT_ALLOWED),
        # kicks (section 8.2)
        ((MODERATOR, NONE), (PARTICIPANT, NONE), NOBODY, None),
        ((MODERATOR, MEMBER), (MODERATOR, ADMIN), NOBODY, Condition.NOT_ALLOWED),
        ((MODERATOR, ADMIN), (MODERATOR, OWNER), NOBODY, Condition.NOT_ALLOWED),
        ((MODERATOR, ADMIN), (MODERATOR, NONE), NOBODY, None),
        ((MODERATOR, NONE), (MODERATOR, NONE), NOBODY, Condition.NOT_ALLOWED),
        ((VISITOR, NONE), (PARTICIPANT, NONE), NOBODY, Condition.FORBIDDEN),
        # moderators (sections 9.6 and 9.7)
        ((MODERATOR, ADMIN), (PARTICIPANT, NONE), MODERATOR, None),
        ((MODERATOR, NONE), (PARTICIPANT, NONE), MODERATOR, Condition.FORBIDDEN),
        ((MODERATOR, ADMIN), (MODERATOR, NONE), PARTICIPANT, None),
        ((MODERATOR, OWNER), (MODERATOR, ADMIN), PARTICIPANT, Condition.NOT_ALLOWED),
    ],
)
def test_who_changes_roles(
    actor: tuple[Role, Affiliation], other: tuple[Role, Affiliation], new: Role, refusal: Condition | None
) -> None:
    assert _refusal(lambda: privileges.check_change_of_role(actor, other, new)) is refusal


# --- in a room


def test_a_kick(play: Play, romeo: Client, juliet: Client) -> None:
    benvolio = play.online(BENVOLIO)
    play.enter(benvolio, "benvolio")
    play.silence(romeo, juliet)
    reason = "<reason>Avaunt!</reason>"
    query = (
        f"<query xmlns='http://jabber.org/protocol/muc#admin'><item nick='juliet' role='none'>{reason}</item></query>"
    )
    assert "iq/result" in play.ask(romeo, "set", query)
    assert lines(juliet) == ["gone juliet none none by romeo (Avaunt!) 110 307"]
    assert lines(benvolio) == ["gone juliet none none by romeo (Avaunt!) 307"]
    assert "110" in play.enter(juliet, "juliet")[2]  # it may come back (section 8.2)


def test_a_ban_and_its_end(play: Play, romeo: Client, juliet: Client) -> None:
    assert play.admin(romeo, "affiliation='outcast' jid='juliet@capulet.lit'")[-1] == "iq/result"
    assert lines(juliet) == ["gone juliet outcast none by romeo 110 301"]
    assert play.enter(juliet, "juliet") == ["presence/error juliet auth forbidden"]
    play.admin(romeo, "affiliation='none' jid='juliet@capulet.lit'")
    assert "110" in play.enter(juliet, "juliet")[1]


def test_a_whole_domain_is_banned(play: Play, romeo: Client, juliet: Client) -> None:
    play.admin(romeo, "affiliation='outcast' jid='capulet.lit'")
    assert lines(juliet) == ["gone juliet outcast none by romeo 110 301"]
    assert play.enter(play.online(NURSE), "nurse") == ["presence/error nurse auth forbidden"]


@pytest.mark.parametrize("how", ["ban", "members only"])
def test_those_who_go_together_do_not_hear_of_one_another(play: Play, romeo: Client, juliet: Client, how: str) -> None:
    """Else a thousand who go would be half a million stanzas."""
    nurse = play.online(NURSE)
    play.enter(nurse, "nurse")
    play.silence(romeo, juliet, nurse)
    if how == "ban":
        told, end = play.admin(romeo, "affiliation='outcast' jid='capulet.lit'"), "outcast none {}110 301"
    else:
        told, end = play.configure(romeo, membersonly="1"), "none none {}110 322"
    assert lines(juliet) == ["gone juliet " + end.format("by romeo " if how == "ban" else "")]
    assert lines(nurse) == ["gone nurse " + end.format("by romeo " if how == "ban" else "")]
    assert [line.split()[:2] for line in told if line.startswith("gone")] == [["gone", "juliet"], ["gone", "nurse"]]


def test_nobody_bans_themselves(play: Play, romeo: Client, juliet: Client) -> None:
    play.admin(romeo, "affiliation='owner' jid='juliet@capulet.lit'")
    got = play.admin(romeo, "affiliation='outcast' jid='romeo@montague.lit'")
    assert got == ["iq/error verona cancel conflict"]


def test_the_last_owner_stays(play: Play, romeo: Client, juliet: Client) -> None:
    reply = play.reply(
        romeo, "set",
        "<query xmlns='http://jabber.org/protocol/muc#admin'>"
        "<item affiliation='admin' jid='romeo@montague.lit'/></query>",
    )  # fmt: skip
    assert reply[-1][0].tag.endswith("}conflict")


def test_membership_brings_a_nick_and_voice(play: Play, romeo: Client, juliet: Client) -> None:
    play.configure(romeo, moderatedroom="1")
    nurse = play.online(NURSE)
    play.enter(nurse, "nurse")
    play.silence(romeo, juliet, nurse)
    play.admin(romeo, "affiliation='member' jid='nurse@capulet.lit' nick='Angelica'")
    assert lines(nurse) == ["presence nurse member participant by romeo 110"]
    assert play.enter(play.online(BENVOLIO), "angelica") == ["presence/error angelica cancel conflict"]


def test_an_admin_moderates_until_it_is_none(play: Play, romeo: Client, juliet: Client) -> None:
    play.admin(romeo, "affiliation='admin' jid='juliet@capulet.lit'")
    assert lines(juliet) == [f"presence juliet admin moderator {JULIET} by romeo 110"]
    play.admin(romeo, "affiliation='none' jid='juliet@capulet.lit'")
    assert lines(juliet) == ["presence juliet none participant by romeo 110"]


def test_all_or_nothing(play: Play, romeo: Client, juliet: Client) -> None:
    """Section 9.2, last paragraph."""
    got = play.admin(romeo, "affiliation='outcast' jid='nurse@capulet.lit'", "affiliation='king' jid='x@y.lit'")
    assert got == ["iq/error verona modify bad-request"]
    assert "110" in play.enter(play.online(NURSE), "nurse")[-2]


@pytest.mark.parametrize(
    ("item", "condition"),
    [
        ("affiliation='member' role='visitor' nick='juliet'", "bad-request"),
        ("nick='juliet'", "bad-request"),
        ("role='none'", "bad-request"),
        ("affiliation='member'", "bad-request"),
        ("role='emperor' nick='juliet'", "bad-request"),
        ("affiliation='member' jid='a@@b'", "jid-malformed"),
    ],
)
def test_what_is_no_request(play: Play, romeo: Client, juliet: Client, item: str, condition: str) -> None:
    assert play.admin(romeo, item) == [f"iq/error verona modify {condition}"]
    assert lines(juliet) == []


def test_who_may_not(play: Play, romeo: Client, juliet: Client) -> None:
    for item in ("affiliation='owner' jid='juliet@capulet.lit'", "role='moderator' nick='juliet'"):
        assert play.admin(juliet, item) == ["iq/error verona auth forbidden"]
    benvolio = play.online(BENVOLIO)
    assert play.admin(benvolio, "role='none' nick='romeo'") == ["iq/error verona auth forbidden"]
    assert lines(romeo) == []


def test_lists(play: Play, romeo: Client, juliet: Client) -> None:
    play.admin(
        romeo, "affiliation='member' jid='nurse@capulet.lit' nick='nurse'", "affiliation='outcast' jid='a@b.lit'"
    )
    query = "<query xmlns='http://jabber.org/protocol/muc#admin'><item {}/></query>"

    def items(client: Client, of: str) -> list[dict[str, str]]:
        reply = play.reply(client, "get", query.format(of))
        return [dict(each.attrib) for each in reply[0]] if reply.get("type") == "result" else []

    assert items(romeo, "affiliation='member'") == [
        {"affiliation": "member", "jid": "nurse@capulet.lit", "nick": "nurse"}
    ]
    assert items(romeo, "affiliation='outcast'") == [{"affiliation": "outcast", "jid": "a@b.lit"}]
    assert items(romeo, "role='participant'") == [
        {"nick": "juliet", "role": "participant", "affiliation": "none", "jid": JULIET}
    ]
    assert items(juliet, "affiliation='member'") == []
    assert items(juliet, "affiliation='outcast'") == []


def test_a_list_that_is_asked_for_twice_is_told_once(play: Play, romeo: Client, juliet: Client) -> None:
    play.admin(romeo, "affiliation='member' jid='nurse@capulet.lit'")
    items = "<item affiliation='member'/>" * 100 + "<item role='participant'/>" * 100
    reply = play.reply(romeo, "get", f"<query xmlns='{ADMIN_NS}'>{items}</query>")
    assert [each.get("jid") for each in reply[0]] == [JULIET, "nurse@capulet.lit"]


def test_a_nickname_is_reserved_for_one(play: Play, romeo: Client, juliet: Client) -> None:
    two = [f"affiliation='member' jid='{name}@capulet.lit' nick='{nick}'" for name, nick in (("a", "x"), ("b", "X"))]
    assert play.admin(romeo, *two) == ["iq/error verona cancel conflict"]
    assert play.admin(romeo, two[0]) == ["iq/result"]
    assert play.admin(romeo, two[1]) == ["iq/error verona cancel conflict"]


def test_voice_is_asked_for_and_granted(play: Play, romeo: Client) -> None:
    """Sections 7.13 and 8.6."""
    play.configure(romeo, moderatedroom="1")
    juliet = play.online(JULIET)
    play.enter(juliet, "juliet")
    play.silence(romeo, juliet)
    form = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>"
    form += "<value>http://jabber.org/protocol/muc#request</value></field>{}</x>"
    role = "<field var='muc#role'><value>participant</value></field>"
    play.say(juliet, f"<message to='{VERONA}'>{form.format(role)}</message>")
    [asked] = romeo.stanzas
    values = {each.get("var"): each[0].text for each in asked.iter("{jabber:x:data}field")}
    assert (values["muc#roomnick"], values["muc#jid"], values["muc#request_allow"]) == ("juliet", JULIET, "false")
    play.silence(romeo)
    granted = role + "<field var='muc#roomnick'><value>juliet</value></field>"
    granted += "<field var='muc#request_allow'><value>1</value></field>"
    play.say(juliet, f"<message to='{VERONA}'>{form.format(granted)}</message>")  # nobody grants it to themselves
    assert all("participant" not in each for each in lines(juliet))
    play.silence(romeo)
    play.say(romeo, f"<message to='{VERONA}'>{form.format(granted)}</message>")
    assert lines(juliet) == ["presence juliet none participant by romeo 110"]


def test_nothing_is_stored_of_a_room_that_ends_within_a_request(
    play: Play, juliet: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a later room of the same name would have the affiliations of this one."""
    cellar, written = f"cellar@{SERVICE}", []
    play.create(juliet, "juliet", cellar)
    store = play.network.servers[MONTAGUE].store.rooms
    note, delete = store.note, store.delete
    monkeypatch.setattr(store, "note", lambda change: (written.append("note"), note(change))[1])
    monkeypatch.setattr(store, "delete", lambda room: (written.append("delete"), delete(room))[1])
    items = "<item role='none' nick='juliet'/><item affiliation='owner' jid='nurse@capulet.lit'/>"
    assert "iq/result" in play.ask(juliet, "set", f"<query xmlns='{ADMIN_NS}'>{items}</query>", cellar)
    assert written[-1] == "delete"
