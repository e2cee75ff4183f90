"""vcard-temp (XEP-0054), and the avatars that are kept in it (XEP-0153)."""

from __future__ import annotations

import pytest

from cluster.modules.vcard import MAX_BYTES
from cluster.xmpp import element as xml
from tests.network import Network
from tests.unit.modules.asking import ask, iq, refused

NS = "vcard-temp"
GET = f"<vCard xmlns='{NS}'/>"
VCARD = (
    f"<vCard xmlns='{NS}'><FN>Juliet &amp; C.</FN><PHOTO><TYPE>image/png</TYPE><BINVAL>aGk=\n</BINVAL></PHOTO></vCard>"
)
ROMEO, JULIET = "romeo@montague.lit/pda", "juliet@capulet.lit"


@pytest.mark.parametrize("to", ["", JULIET])
def test_it_is_published_and_read_by_everybody(network: Network, to: str) -> None:
    juliet = network.client(f"{JULIET}/balcony")
    network.say(juliet, iq("set", VCARD, to))
    assert juliet.take() == [f"iq/result {to} 1" if to else "iq/result 1"]
    juliet.close()  # section 3.3: the server answers, whoever is there
    for reader in (ROMEO, "nurse@capulet.lit/x", f"{JULIET}/chamber"):
        vcard = ask(network, network.client(reader), "get", GET, JULIET)
        assert xml.serialize(vcard) == xml.serialize(xml.parse(VCARD.encode()))


def test_a_new_one_takes_the_place_of_the_old_one(network: Network) -> None:
    juliet = network.client(f"{JULIET}/balcony")  # section 3.2
    ask(network, juliet, "set", VCARD)
    ask(network, juliet, "set", f"<vCard xmlns='{NS}'><DESC>gone</DESC></vCard>")
    assert [part.tag for part in ask(network, juliet, "get", GET)] == [f"{{{NS}}}DESC"]


def test_without_one(network: Network) -> None:
    network.account(JULIET)
    romeo = network.client(ROMEO)
    assert refused(network, romeo, "get", GET) == "cancel item-not-found"  # section 3.1
    for to in (JULIET, "nobody@capulet.lit"):  # section 3.3: nobody can tell them apart
        assert refused(network, romeo, "get", GET, to) == "cancel service-unavailable"


@pytest.mark.parametrize("to", [JULIET, "benvolio@montague.lit"])
def test_nobody_publishes_for_another(network: Network, to: str) -> None:
    network.account(to)
    romeo = network.client(ROMEO)
    assert refused(network, romeo, "set", VCARD, to) == "auth forbidden"  # section 3.2
    assert refused(network, romeo, "get", GET, to) == "cancel service-unavailable"


def test_the_limit(network: Network) -> None:
    romeo = network.client(ROMEO)
    around = len(xml.serialize(xml.parse(f"<vCard xmlns='{NS}'><FN></FN></vCard>".encode()))) + len("</FN>") - 2
    fits = f"<vCard xmlns='{NS}'><FN>{'x' * (MAX_BYTES - around - 3)}</FN></vCard>"
    ask(network, romeo, "set", fits)
    assert refused(network, romeo, "set", fits.replace("</FN>", "xxx</FN>")) == "modify policy-violation"
    assert len(ask(network, romeo, "get", GET)[0].text or "") == MAX_BYTES - around - 3


def test_the_hash_of_an_avatar_passes_in_presence(network: Network) -> None:
    network.friends("romeo@montague.lit", JULIET)  # XEP-0153 section 3.1
    romeo, juliet = network.online(ROMEO), network.client(f"{JULIET}/balcony")
    network.say(juliet, "<presence><x xmlns='vcard-temp:x:update'><photo>01b87f</photo></x></presence>")
    [presence] = [stanza for stanza in romeo.stanzas if stanza.get("from") == f"{JULIET}/balcony"]
    assert presence.findtext("{vcard-temp:x:update}x/{vcard-temp:x:update}photo") == "01b87f"


def test_a_removed_account_leaves_none(network: Network) -> None:
    juliet = network.client(f"{JULIET}/balcony")
    ask(network, juliet, "set", VCARD)
    network.say(juliet, "<iq type='set' id='1'><query xmlns='jabber:iq:register'><remove/></query></iq>")
    network.account(JULIET)
    assert refused(network, network.client(ROMEO), "get", GET, JULIET) == "cancel service-unavailable"
