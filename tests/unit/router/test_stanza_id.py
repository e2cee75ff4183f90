import pytest

from cluster.router.stanza_id import StanzaIds, stanza_id, with_stanza_id, without_claims
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

OURS = '<stanza-id xmlns=\'urn:xmpp:sid:0\' by="juliet@capulet.lit" id="m:1-0:0"/>'
OPENING = '<message from="romeo@montague.lit/pda"'


def marked(raw: str, payloads: tuple[str, ...] = ("jabber:client body",)) -> Stanza:
    message = Stanza(
        "message", Jid.parse("juliet@capulet.lit/balcony"), Jid.parse("romeo@montague.lit/pda"), "i", "chat", payloads,
        raw.encode(), "t",
    )  # fmt: skip
    return with_stanza_id(message, "m:1-0:0", {"capulet.lit", "rooms.capulet.lit"})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{OPENING}><body>hi</body></message>", f"{OPENING}><body>hi</body>{OURS}</message>"),
        (f"{OPENING}/>", f"{OPENING}>{OURS}</message>"),
        (f"{OPENING}><body/></message\n>", f"{OPENING}><body/>{OURS}</message>"),
        (f"{OPENING}><body>a &#38; b</body></message>", f"{OPENING}><body>a &amp; b</body>{OURS}</message>"),
    ],
    ids=["usual", "empty element", "space in the end tag", "character reference"],
)
def test_it_is_the_last_child(before: str, after: str) -> None:
    assert marked(before).raw.decode() == after


def test_the_header_stays_and_knows_of_it() -> None:
    message = marked(f"{OPENING}><body>hi</body></message>")
    assert (message.id, message.type, message.trace_id) == ("i", "chat", "t")
    assert message.payloads == ("jabber:client body", "urn:xmpp:sid:0 stanza-id")


@pytest.mark.parametrize("by", ["capulet.lit", "juliet@capulet.lit", "rooms.capulet.lit", "", "@"])
@pytest.mark.parametrize("namespace", ["urn:xmpp:sid:0", "urn:xmpp:sid&#58;0", "&#117;rn:xmpp:sid:0"])
def test_what_claims_to_be_ours_is_removed(by: str, namespace: str) -> None:
    message = marked(f"{OPENING}><body>hi</body><stanza-id xmlns='{namespace}' by='{by}' id='forged'/></message>")
    assert message.raw.decode() == f"{OPENING}><body>hi</body>{OURS}</message>"
    assert message.payloads == ("jabber:client body", "urn:xmpp:sid:0 stanza-id")


@pytest.mark.parametrize("by", ["montague.lit", "room@rooms.montague.lit", "evilcapulet.lit", "a@nested.capulet.lit"])
def test_the_id_of_another_domain_stays(by: str) -> None:
    message = marked(f"{OPENING}><stanza-id xmlns='urn:xmpp:sid:0' by='{by}' id='theirs'/></message>")
    ids = [(child.get("by"), child.get("id")) for child in message.tree]
    assert ids == [(by, "theirs"), ("juliet@capulet.lit", "m:1-0:0")]
    assert message.payloads == ("urn:xmpp:sid:0 stanza-id",) * 2


def test_an_origin_id_stays() -> None:  # XEP-0359 section 3
    message = marked(f"{OPENING}><origin-id xmlns='urn:xmpp:sid:0' id='o'/></message>")
    assert message.payloads == ("urn:xmpp:sid:0 origin-id", "urn:xmpp:sid:0 stanza-id")


def test_an_address_that_needs_escaping() -> None:
    message = Stanza("message", Jid("o'brien", "capulet.lit"), Jid.parse("a@m.lit"), None, None, (), b"<message/>")
    [child] = with_stanza_id(message, "x", {"capulet.lit"}).tree
    assert child.get("by") == "o'brien@capulet.lit"


def test_the_id_is_read_as_it_was_given() -> None:
    message = Stanza("message", Jid("o'brien", "c.lit"), Jid.parse("a@m.lit"), None, None, (), b"<message/>")
    assert stanza_id(message) is None
    assert stanza_id(with_stanza_id(message, "m:1-0.0", {"c.lit"})) == "m:1-0.0"


def test_an_id_of_ones_own_archive() -> None:
    message = Stanza("message", Jid.parse("a@m.lit"), Jid.parse("b@c.lit/x"), None, None, (), b"<message/>")
    [child] = with_stanza_id(message, "x", {"c.lit"}, Jid.parse("b@c.lit")).tree
    assert child.get("by") == "b@c.lit"


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
