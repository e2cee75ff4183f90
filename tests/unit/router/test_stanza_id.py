import pytest

from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.stanza_id import StanzaIds, marked, stanza_id, with_id_of_mark, with_stanza_id, without_claims

MARK = "<delivery xmlns='urn:xmpplab:delivery:0' id=\"m:1-0:0\"/>"
OURS = '<stanza-id xmlns=\'urn:xmpp:sid:0\' by="juliet@capulet.lit" id="m:1-0:0"/>'
JULIET = Jid.parse("juliet@capulet.lit")
OPENING = '<message from="romeo@montague.lit/pda"'


def arrived(raw: str, payloads: tuple[str, ...] = ("jabber:client body",)) -> Stanza:
    message = Stanza(
        "message", Jid.parse("juliet@capulet.lit/balcony"), Jid.parse("romeo@montague.lit/pda"), "i", "chat", payloads,
        raw.encode(), "t",
    )  # fmt: skip
    return marked(message, "m:1-0:0", {"capulet.lit", "rooms.capulet.lit"})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{OPENING}><body>hi</body></message>", f"{OPENING}><body>hi</body>{MARK}</message>"),
        (f"{OPENING}/>", f"{OPENING}>{MARK}</message>"),
        (f"{OPENING}><body/></message\n>", f"{OPENING}><body/>{MARK}</message>"),
        (f"{OPENING}><body>a &#38; b</body></message>", f"{OPENING}><body>a &amp; b</body>{MARK}</message>"),
    ],
    ids=["usual", "empty element", "space in the end tag", "character reference"],
)
def test_it_is_the_last_child(before: str, after: str) -> None:
    assert arrived(before).raw.decode() == after


def test_the_header_stays_and_knows_of_it() -> None:
    message = arrived(f"{OPENING}><body>hi</body></message>")
    assert (message.id, message.type, message.trace_id) == ("i", "chat", "t")
    assert message.payloads == ("jabber:client body", "urn:xmpplab:delivery:0 delivery")


@pytest.mark.parametrize("by", ["capulet.lit", "juliet@capulet.lit", "rooms.capulet.lit", "", "@"])
@pytest.mark.parametrize("namespace", ["urn:xmpp:sid:0", "urn:xmpp:sid&#58;0", "&#117;rn:xmpp:sid:0"])
def test_what_claims_to_be_ours_is_removed(by: str, namespace: str) -> None:
    message = arrived(f"{OPENING}><body>hi</body><stanza-id xmlns='{namespace}' by='{by}' id='forged'/></message>")
    assert message.raw.decode() == f"{OPENING}><body>hi</body>{MARK}</message>"
    assert message.payloads == ("jabber:client body", "urn:xmpplab:delivery:0 delivery")


@pytest.mark.parametrize("by", ["montague.lit", "room@rooms.montague.lit", "evilcapulet.lit", "a@nested.capulet.lit"])
def test_the_id_of_another_domain_stays(by: str) -> None:
    message = arrived(f"{OPENING}><stanza-id xmlns='urn:xmpp:sid:0' by='{by}' id='theirs'/></message>")
    ids = [(child.get("by"), child.get("id")) for child in message.tree]
    assert ids == [(by, "theirs"), (None, "m:1-0:0")]
    assert message.payloads == ("urn:xmpp:sid:0 stanza-id", "urn:xmpplab:delivery:0 delivery")


def test_what_ends_like_a_message_of_a_room_is_checked_itself() -> None:
    """Of the copies for many, what follows the addresses is checked once."""
    addresses = f'{OPENING} to="juliet@capulet.lit/balcony"'
    end = "><body>hi</body><stanza-id xmlns='urn:xmpp:sid:0' by='room@rooms.montague.lit' id='theirs'/></message>"
    copy = arrived(f"{addresses}{end}", ("urn:xmpp:sid:0 stanza-id",))
    assert copy.raw.decode() == f"{addresses}{end.removesuffix('</message>')}{MARK}</message>"
    forged = "<stanza-id xmlns='urn:xmpp:sid:0' by='capulet.lit' id='forged'/"
    for before in (f"{OPENING}>{forged}", f"{addresses}>{forged}"):
        assert b"forged" not in arrived(f"{before}{end}", ("urn:xmpp:sid:0 stanza-id",)).raw


@pytest.mark.parametrize("before", ["", "<body>hi</body>"])
def test_a_message_of_a_room_of_another_domain_is_passed_on_as_it_is(before: str) -> None:
    room = "<stanza-id xmlns='urn:xmpp:sid:0' by='room@rooms.montague.lit' id='theirs'/>"
    message = arrived(f"{OPENING} >{before}{room}</message>", ("urn:xmpp:sid:0 stanza-id",))
    assert message.raw.decode() == f"{OPENING} >{before}{room}{MARK}</message>"
    assert message.payloads == ("urn:xmpp:sid:0 stanza-id", "urn:xmpplab:delivery:0 delivery")


@pytest.mark.parametrize(
    "forged",
    [
        "<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@capulet.lit' id='forged'/>",
        "<delivery xmlns='urn:xmpplab:delivery:0' id='forged'/>",
        "<x:stanza-id xmlns:x='urn:xmpp:sid&#58;0' by='capulet.lit' id='forged'/>",
    ],
)
def test_nor_does_a_room_hide_what_claims_to_be_ours(forged: str) -> None:
    room = "<stanza-id xmlns='urn:xmpp:sid:0' by='room@rooms.montague.lit' id='theirs'/>"
    message = arrived(f"{OPENING}>{forged}{room}</message>", ("urn:xmpp:sid:0 stanza-id",))
    assert "forged" not in message.raw.decode()
    assert "theirs" in message.raw.decode()


def test_an_origin_id_stays() -> None:  # XEP-0359 section 3
    message = arrived(f"{OPENING}><origin-id xmlns='urn:xmpp:sid:0' id='o'/></message>")
    assert message.payloads == ("urn:xmpp:sid:0 origin-id", "urn:xmpplab:delivery:0 delivery")


def test_what_is_kept_has_a_stanza_id_in_the_place_of_the_mark() -> None:
    message = arrived(f"{OPENING}><body>hi</body></message>")
    kept = with_id_of_mark(message, JULIET)
    assert kept is not None
    assert kept.raw.decode() == f"{OPENING}><body>hi</body>{OURS}</message>"
    assert kept.payloads == ("jabber:client body", "urn:xmpp:sid:0 stanza-id")
    assert (kept.id, kept.type, kept.trace_id) == ("i", "chat", "t")


@pytest.mark.parametrize("account", [JULIET, Jid("o'brien", "c.lit"), Jid('o"b', "c.lit")], ids=str)
def test_the_id_is_read_as_it_was_given(account: Jid) -> None:
    message = Stanza("message", account, Jid.parse("a@m.lit"), None, None, (), b"<message/>")
    assert stanza_id(message, account) is None
    kept = with_stanza_id(message, "m:1-0.0", account)
    assert stanza_id(kept, account) == "m:1-0.0"
    assert stanza_id(kept, Jid.parse("else@c.lit")) is None
    assert with_id_of_mark(marked(message, "m:1-0.0", {"c.lit"}), account) == kept
    [child] = kept.tree
    assert child.get("by") == str(account)


@pytest.mark.parametrize("text", [MARK, OURS, MARK + "</message>", OURS + "</message>"])
@pytest.mark.parametrize("last", ["urn:xmpp:sid:0 stanza-id", "urn:xmpplab:delivery:0 delivery"])
def test_text_is_no_id(text: str, last: str) -> None:
    raw = f"{OPENING}><body><![CDATA[{text}]]></body><else/></message>".encode()
    message = Stanza("message", JULIET, None, None, None, ("jabber:client body", last), raw)
    assert stanza_id(message, JULIET) is None
    assert with_id_of_mark(message, JULIET) is None


def test_claims_are_removed_and_nothing_is_added() -> None:
    raw = "<message><stanza-id xmlns='urn:xmpp:sid:0' by='{}' id='x'/></message>"
    message = Stanza("message", None, None, None, None, ("urn:xmpp:sid:0 stanza-id",), raw.format("a@m.lit").encode())
    assert without_claims(message, {"m.lit"}).payloads == ()
    assert without_claims(message, {"c.lit"}).payloads == message.payloads


def test_ids_of_places_are_the_same_again_and_nobody_elses_to_know() -> None:
    places = [f"capulet.lit:{entry}-0:{index}" for entry in range(3) for index in range(3)]
    ids, again, others = StanzaIds(b"secret"), StanzaIds(b"secret"), StanzaIds(b"other secret")
    assert [ids(place) for place in places] == [again(place) for place in places]
    assert len({ids(place) for place in places} | {others(place) for place in places}) == 2 * len(places)
