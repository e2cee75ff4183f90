"""Avatars in the vCard and at the nodes of an account (XEP-0398): each place has what the other has, once."""

from __future__ import annotations

import base64
import hashlib

import pytest

from cluster.modules.avatars import DATA, METADATA, NS, with_hash
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.caps import INFO
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import make
from tests.client import Client
from tests.network import Network, watched_log
from tests.pubsub import Asked, Wanting, publication
from tests.unit.modules.asking import ask

JULIET, ROMEO = "juliet@capulet.lit", "romeo@montague.lit"
IMAGE, OTHER = b"\x89PNG one", b"\x89PNG another"
VCARD = "vcard-temp"


def sha1(image: bytes) -> str:
    return hashlib.sha1(image).hexdigest()


def data(image: bytes) -> str:
    text = base64.encodebytes(image).decode()  # with a line break (XEP-0084 section 4.1)
    return f"<data xmlns='{DATA}'>{text}</data>"


def metadata(image: bytes, **attributes: str) -> str:
    more = "".join(f" {name}='{value}'" for name, value in attributes.items())
    info = f"<info bytes='{len(image)}' id='{sha1(image)}' type='image/png'{more}/>"
    return f"<metadata xmlns='{METADATA}'>{info}</metadata>"


def vcard(image: bytes | None) -> str:
    photo = (
        ""
        if image is None
        else f"<PHOTO><TYPE>image/webp</TYPE><BINVAL>{base64.b64encode(image).decode()}</BINVAL></PHOTO>"
    )
    return f"<vCard xmlns='{VCARD}'><FN>Juliet</FN>{photo}</vCard>"


@pytest.fixture
def network() -> Network:
    network = Network()
    network.friends(JULIET, ROMEO)
    return network


@pytest.fixture
def juliet(network: Network) -> Client:
    return network.online(f"{JULIET}/balcony")


@pytest.fixture
def romeo(network: Network, juliet: Client) -> Wanting:
    romeo = Wanting(network, f"{ROMEO}/orchard", METADATA).come()
    network.forget()
    return romeo


def publish(network: Network, client: Client, image: bytes, access: str = "open") -> None:
    """As clients do: the data first, then what tells of it."""
    asked = Asked(network)
    asked.publish(client, DATA, sha1(image), data(image), access_model=access)
    asked.publish(client, METADATA, sha1(image), metadata(image), access_model=access)


def hashes(client: Client) -> list[str]:
    """What the presence that a client got since it was last asked says of avatars."""
    found = [each for each in client.stanzas if each.tag.endswith("presence") and each.get("type") is None]
    client.stanzas = [each for each in client.stanzas if each not in found]
    return [each.findtext("{vcard-temp:x:update}x/{vcard-temp:x:update}photo", "none") for each in found]


def photo(network: Network, reader: Client) -> tuple[str, bytes] | None:
    """The photo in Juliet's vCard."""
    shown = ask(network, reader, "get", f"<vCard xmlns='{VCARD}'/>", JULIET).find(f"{{{VCARD}}}PHOTO")
    if shown is None:
        return None
    image = base64.b64decode(shown.findtext(f"{{{VCARD}}}BINVAL", ""))
    return shown.findtext(f"{{{VCARD}}}TYPE", ""), image


def test_the_account_says_that_it_converts(network: Network, juliet: Client) -> None:
    query = ask(network, juliet, "get", f"<query xmlns='{INFO}'/>", JULIET)
    assert NS in {feature.get("var") for feature in query}


# --- from the nodes to the vCard (section 3.1)


def test_a_published_avatar_is_in_the_vcard_and_in_presence_once(
    network: Network, juliet: Client, romeo: Wanting
) -> None:
    ask(network, juliet, "set", vcard(None))
    publish(network, juliet, IMAGE)
    network.advance(0.1)
    assert romeo.told() == [f"{METADATA}: +{sha1(IMAGE)} metadata"]
    assert hashes(romeo.client) == [sha1(IMAGE)]
    assert photo(network, juliet) == ("image/png", IMAGE)
    assert ask(network, juliet, "get", f"<vCard xmlns='{VCARD}'/>").findtext(f"{{{VCARD}}}FN") == "Juliet"
    publish(network, juliet, IMAGE)
    network.advance(0.1)
    assert hashes(romeo.client) == []


def test_an_avatar_that_is_not_for_everybody_is_not_in_the_vcard(
    network: Network, juliet: Client, romeo: Wanting
) -> None:
    publish(network, juliet, IMAGE, access="presence")
    network.advance(0.1)
    assert hashes(romeo.client) == []
    network.say(juliet, f"<iq type='get' id='v'><vCard xmlns='{VCARD}'/></iq>")
    assert juliet.take()[-1] == "iq/error v: cancel item-not-found"


@pytest.mark.parametrize("wrong", ["no data", "other data", "elsewhere", "no base64", "other letters"])
def test_what_is_no_avatar_is_not_converted(network: Network, juliet: Client, wrong: str) -> None:
    asked = Asked(network)
    shown = {
        "other data": data(OTHER), "no base64": f"<data xmlns='{DATA}'>!</data>",
        "other letters": f"<data xmlns='{DATA}'>é</data>",
    }.get(wrong, data(IMAGE))  # fmt: skip
    if wrong != "no data":
        asked.publish(juliet, DATA, sha1(IMAGE), shown, access_model="open")
    more = {"url": "https://montague.lit/a.png"} if wrong == "elsewhere" else {}
    with watched_log() as failures:
        asked.publish(juliet, METADATA, sha1(IMAGE), metadata(IMAGE, **more))
    network.say(juliet, f"<iq type='get' id='v'><vCard xmlns='{VCARD}'/></iq>")
    assert juliet.take()[-1] == "iq/error v: cancel item-not-found"
    assert not failures


@pytest.mark.parametrize("node", [METADATA, DATA])
def test_an_item_without_a_payload_is_no_avatar(network: Network, juliet: Client, node: str) -> None:
    asked = Asked(network)
    publish(network, juliet, IMAGE)
    asked.configure(juliet, node, deliver_payloads="0")
    with watched_log() as failures:
        asked.done(juliet, f"<publish node='{node}'><item id='{sha1(OTHER)}'/></publish>")
        if node == DATA:
            asked.publish(juliet, METADATA, sha1(OTHER), metadata(OTHER))
    network.say(juliet, f"<iq type='get' id='v'><vCard xmlns='{VCARD}'/></iq>")
    assert juliet.take()[-1] == "iq/result v: vCard"
    assert not failures


def test_a_photo_that_is_not_base64_is_kept_as_it_is(network: Network, juliet: Client) -> None:
    with watched_log() as failures:
        asked = ask(network, juliet, "set", f"<vCard xmlns='{VCARD}'><PHOTO><BINVAL>é</BINVAL></PHOTO></vCard>")
    assert asked.get("type") == "result"
    assert not failures


@pytest.mark.parametrize("how", ["disabled", "retracted"])
def test_an_avatar_that_is_removed_is_removed_from_the_vcard(
    network: Network, juliet: Client, romeo: Wanting, how: str
) -> None:
    ask(network, juliet, "set", vcard(None))
    publish(network, juliet, IMAGE)
    asked = Asked(network)
    if how == "disabled":  # XEP-0084 section 3.5
        asked.done(juliet, publication(METADATA, "x", f"<metadata xmlns='{METADATA}'/>"))
    else:
        asked.done(juliet, f"<retract node='{METADATA}'><item id='{sha1(IMAGE)}'/></retract>")
    network.advance(0.1)
    assert photo(network, juliet) is None
    assert hashes(romeo.client) == [sha1(IMAGE), ""]


# --- from the vCard to the nodes (section 3.2)


def test_the_photo_of_a_vcard_is_published_once(network: Network, juliet: Client, romeo: Wanting) -> None:
    ask(network, juliet, "set", vcard(IMAGE))
    ask(network, juliet, "set", vcard(IMAGE))
    network.advance(0.1)
    assert romeo.told() == [f"{METADATA}: +{sha1(IMAGE)} metadata"]
    assert hashes(romeo.client) == [sha1(IMAGE)]
    answer = Asked(network).done(romeo.client, f"<items node='{METADATA}'/>", type="get", to=JULIET)
    info: Element = answer[0][0][0][0]
    assert info.attrib == {"bytes": str(len(IMAGE)), "id": sha1(IMAGE), "type": "image/webp"}
    answer = Asked(network).done(
        romeo.client, f"<items node='{DATA}'><item id='{sha1(IMAGE)}'/></items>", type="get", to=JULIET
    )
    assert base64.b64decode(answer[0][0][0].text or "") == IMAGE
    assert photo(network, romeo.client) == ("image/webp", IMAGE)


def test_a_photo_that_is_taken_away_is_no_avatar_any_more(network: Network, juliet: Client, romeo: Wanting) -> None:
    ask(network, juliet, "set", vcard(IMAGE))
    ask(network, juliet, "set", vcard(None))
    network.advance(0.1)
    assert hashes(romeo.client) == [sha1(IMAGE), ""]
    answer = Asked(network).done(romeo.client, f"<items node='{METADATA}'/>", type="get", to=JULIET)
    assert len(answer[0][0][0]) == 0


def test_a_vcard_without_a_photo_leaves_an_avatar_that_was_never_in_it(network: Network, juliet: Client) -> None:
    publish(network, juliet, IMAGE, access="presence")
    ask(network, juliet, "set", vcard(None))
    assert Asked(network).items(juliet, METADATA) == [sha1(IMAGE)]


# --- in presence (section 4)


def test_a_client_need_not_tell_of_the_avatar_itself(network: Network, juliet: Client, romeo: Wanting) -> None:
    publish(network, juliet, IMAGE)
    network.say(juliet, f"<presence to='{ROMEO}/orchard'><show>away</show></presence>")
    network.advance(0.1)
    assert hashes(romeo.client) == [sha1(IMAGE)] * 2
    chamber = network.client(f"{JULIET}/chamber")
    network.say(chamber, "<presence/>")
    network.advance(0.1)
    assert hashes(romeo.client) == [sha1(IMAGE)]
    network.say(chamber, "<presence><x xmlns='vcard-temp:x:update'><photo/></x></presence>")
    network.advance(0.1)
    assert hashes(romeo.client) == [""]  # it is not ready to show it


def test_it_outlives_a_crash(network: Network, juliet: Client, romeo: Wanting) -> None:
    publish(network, juliet, IMAGE)
    network.kill("capulet.lit")
    network.start("capulet.lit")
    network.forget()
    network.online(f"{JULIET}/balcony")
    network.say(romeo.client, "<presence/>")
    network.advance(0.1)
    again = network.client(f"{JULIET}/chamber")
    network.say(again, "<presence/>")
    assert sha1(IMAGE) in hashes(romeo.client)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("", "abc"), ("<show>away</show>", "abc"), ("<x xmlns='vcard-temp:x:update'/>", "abc"),
        ("<x xmlns='vcard-temp:x:update'><photo/></x>", ""),
        ("<x xmlns='vcard-temp:x:update'><photo>old</photo></x>", "abc"),
    ],
)  # fmt: skip
def test_where_the_hash_is_put(payload: str, expected: str) -> None:
    tree = xml.parse(f"<presence>{payload}</presence>".encode())
    presence = make("presence", from_=Jid.parse("juliet@capulet.lit/x"), payload=[*tree])
    told = with_hash(presence, "abc")
    assert told.tree.findtext("{vcard-temp:x:update}x/{vcard-temp:x:update}photo") == expected
    assert told.payloads == tuple(" ".join(xml.split(child.tag)) for child in told.tree)
    assert [child.tag for child in told.tree][: len(tree)] == [child.tag for child in tree]
