"""Entity capabilities (XEP-0115)."""

from __future__ import annotations

import pytest

from cluster.modules.caps import NS
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.caps import INFO, verification
from tests.network import MONTAGUE, Network
from tests.unit.modules.asking import ask, refused

ROMEO = "romeo@montague.lit/pda"


def advertised(network: Network, jid: str = ROMEO) -> Element:
    """The element in the stream features after the login."""
    output = network.client(jid).output.decode()
    start = output.index(f'<c xmlns="{NS}"')
    assert output.count(f'xmlns="{NS}"') == 1  # once: in the features of the restarted stream
    return xml.parse(output[start : output.index("/>", start) + 2].encode())


@pytest.mark.parametrize("admin", ["", f"escalus@{MONTAGUE}"])
def test_the_hash_is_that_of_what_the_server_says(admin: str) -> None:
    network = Network(admin=admin)  # section 6.3
    caps = advertised(network)
    assert (caps.get("hash"), bool(caps.get("node"))) == ("sha-1", True)
    node = f"{caps.get('node')}#{caps.get('ver')}"
    romeo = network.client(f"{ROMEO}2")
    query = ask(network, romeo, "get", f"<query xmlns='{INFO}' node='{node}'/>", MONTAGUE)
    assert query.get("node") == node  # section 6.2
    assert verification(query) == caps.get("ver")
    assert query.find(f"{{{INFO}}}feature[@var='{NS}']") is not None  # section 7
    plain = ask(network, romeo, "get", f"<query xmlns='{INFO}'/>", MONTAGUE)
    assert [xml.serialize(each) for each in plain] == [xml.serialize(each) for each in query]


def test_another_hash_is_no_node(network: Network) -> None:
    node = f"{advertised(network).get('node')}#QgayPKawpkPSDYmwT/WM94uAlu0="
    request = f"<query xmlns='{INFO}' node='{node}'/>"
    assert refused(network, network.client(f"{ROMEO}2"), "get", request, MONTAGUE) == "cancel item-not-found"


def test_it_is_not_among_the_items(network: Network) -> None:
    items = "<query xmlns='http://jabber.org/protocol/disco#items'/>"
    assert len(ask(network, network.client(ROMEO), "get", items, MONTAGUE)) == 0


def test_the_capabilities_of_a_client_pass(network: Network) -> None:
    network.friends("romeo@montague.lit", "juliet@capulet.lit")
    romeo, juliet = network.online(ROMEO), network.client("juliet@capulet.lit/balcony")
    network.say(juliet, f"<presence><c xmlns='{NS}' hash='sha-1' node='http://psi-im.org' ver='q07I='/></presence>")
    [presence] = [stanza for stanza in romeo.stanzas if stanza.get("from") == str(juliet.jid)]
    caps = presence.find(f"{{{NS}}}c")
    assert caps is not None
    assert caps.attrib == {"hash": "sha-1", "node": "http://psi-im.org", "ver": "q07I="}
