"""What the owner of a room says to it, as bytes: nothing fails, its occupants see the same, all else goes on."""

from __future__ import annotations

from itertools import chain

from cluster.xmpp.element import Element
from cluster.xmpp.extensions.muc import ADMIN, MUC, OWNER, USER
from cluster.xmpp.namespaces import CLIENT
from tests.client import Client
from tests.network import watched_log
from tests.unit.services.rooms.play import BENVOLIO, CONFIG, JULIET, ROMEO, SERVICE, VERONA, Play, lines

STEP = b"\xff"
"""Ends what is written at once: a byte that stands in no UTF-8."""
MANTUA = f"mantua@{SERVICE}"
View = dict[str, tuple[str | None, str | None]]


def rooms(data: bytes) -> None:
    """Each step is a write of the owner's; the room next door, in which it is not, goes on as it was."""
    with watched_log() as failures:
        play = Play()
        romeo, benvolio, juliet = (play.online(each) for each in (ROMEO, BENVOLIO, JULIET))
        play.create(benvolio, "benvolio", MANTUA)
        play.enter(juliet, "juliet", MANTUA)
        play.create(romeo, "romeo")
        play.silence(benvolio, juliet)
        for client, nick in ((benvolio, "benvolio"), (juliet, "juliet")):
            play.say(client, f"<presence to='{VERONA}/{nick}'><x xmlns='{MUC}'/></presence>")
        for step in data.split(STEP):
            if not romeo.is_closed:
                play.network.say(romeo, step)
                play.network.advance(0.1)
        views = view(benvolio), view(juliet)
        if all(views):
            assert _of_others(views[0]) == _of_others(views[1])
        play.silence(juliet)
        play.speak(benvolio, "still there", MANTUA)
        assert "benvolio: still there" in lines(juliet)
    assert not failures, failures


def view(client: Client) -> View:
    """Who is in the room, with affiliation and role, as its client was told; empty once it is out."""
    found: View = {}
    for stanza in client.stanzas:
        room, _, nick = stanza.get("from", "").partition("/")
        x = stanza.find(f"{{{USER}}}x")
        if room != VERONA or stanza.tag != f"{{{CLIENT}}}presence" or x is None or stanza.get("type") == "error":
            continue
        codes = {each.get("code") for each in x.findall(f"{{{USER}}}status")}
        if stanza.get("type") != "unavailable":
            found[nick] = _item(x)
        elif "110" in codes and "303" not in codes:
            found.clear()
        else:
            assert nick in found, f"{nick} leaves, who was not there"
            del found[nick]
    return found


def _item(x: Element) -> tuple[str | None, str | None]:
    item = x.find(f"{{{USER}}}item")
    assert item is not None
    return item.get("affiliation"), item.get("role")


def _of_others(view: View) -> View:
    """One's own presence comes even where a room hides that of its role."""
    return {nick: seen for nick, seen in view.items() if nick not in ("benvolio", "juliet")}


# --- what it starts from


def _form(**fields: str) -> str:
    written = "".join(
        f"<field var='muc#roomconfig_{name}'><value>{value}</value></field>" for name, value in fields.items()
    )
    form_type = f"<field var='FORM_TYPE'><value>{CONFIG}</value></field>"
    return f"<query xmlns='{OWNER}'><x xmlns='jabber:x:data' type='submit'>{form_type}{written}</x></query>"


_ITEMS = [
    "nick='juliet' role='none'", "nick='juliet' role='visitor'", "nick='benvolio' role='moderator'",
    *(f"jid='juliet@capulet.lit' affiliation='{each}'" for each in ("owner", "admin", "member", "none", "outcast")),
    "jid='romeo@montague.lit' affiliation='none'", "jid='capulet.lit' affiliation='outcast'", "affiliation='member'",
]  # fmt: skip
_REQUESTS = [
    *(f"<query xmlns='{ADMIN}'><item {item}><reason>r</reason></item></query>" for item in _ITEMS),
    *(_form(**{name: value})
      for name in ("membersonly", "moderatedroom", "persistentroom", "enablelogging") for value in "01"),
    *(_form(maxusers=value) for value in ("1", "2", "none")), _form(whois="anyone"), _form(allowpm="none"),
    _form(presencebroadcast="moderator"), _form(passwordprotectedroom="1", roomsecret="s"), _form(roomname="n"),
    f"<query xmlns='{OWNER}'/>", f"<query xmlns='{OWNER}'><destroy jid='{MANTUA}'><reason>r</reason></destroy></query>",
    f"<query xmlns='{OWNER}'><x xmlns='jabber:x:data' type='cancel'/></query>",
    "<query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>1</max></set></query>",
    "<query xmlns='jabber:iq:register'/>", "<query xmlns='http://jabber.org/protocol/disco#info'/>",
    "<vCard xmlns='vcard-temp'><PHOTO><BINVAL>aGk=</BINVAL></PHOTO></vCard>", "<ping xmlns='urn:xmpp:ping'/>",
    "<moderate id='id1' xmlns='urn:xmpp:message-moderate:1'><retract xmlns='urn:xmpp:message-retract:1'/></moderate>",
]  # fmt: skip
_SAID = [
    *(f"<message to='{VERONA}{to}' type='{type}' id='1'><body>b</body></message>"
      for to in ("", "/juliet", "/nobody") for type in ("groupchat", "chat", "normal", "error", "headline")),
    f"<message to='{VERONA}' type='groupchat'><subject>s</subject></message>",
    f"<message to='{VERONA}'><x xmlns='{USER}'><invite to='nurse@capulet.lit'/></x></message>",
    f"<message to='{VERONA}'><x xmlns='{USER}'><decline to='juliet@capulet.lit'/></x></message>",
    f"<message to='{VERONA}'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{MUC}#request</value>"
    "</field><field var='muc#role'><value>participant</value></field></x></message>",
    f"<presence to='{VERONA}/other'/>", f"<presence to='{VERONA}/juliet'/>", f"<presence to='{VERONA}'/>",
    f"<presence to='{VERONA}/romeo' type='unavailable'/>", f"<presence to='{VERONA}/romeo' type='error'/>",
    f"<presence to='{VERONA}/romeo'><show>away</show></presence>", "<presence type='unavailable'/>",
    f"<presence to='{VERONA}/romeo'><x xmlns='{MUC}'><password>s</password><history maxstanzas='2'/></x></presence>",
    f"<presence to='{VERONA}/&#x440;omeo'><x xmlns='{MUC}'/></presence>",
]  # fmt: skip


def seeds() -> list[bytes]:
    asked = [f"<iq to='{VERONA}' type='{type}' id='1'>{each}</iq>" for each in _REQUESTS for type in ("get", "set")]
    asked += [f"<iq to='{VERONA}/juliet' type='get' id='1'>{each}</iq>" for each in _REQUESTS[-5:]]
    joined = [STEP.decode("latin-1").join(group) for group in (asked[:24], asked[24:], _SAID)]
    return [text.encode("latin-1") for text in chain(asked, _SAID, joined)]
