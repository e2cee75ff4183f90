"""Who is not logged in cannot tell an unknown account from one that there is (RFC 5802 section 9)."""

from __future__ import annotations

import itertools

import pytest

from cluster.xmpp import element as xml
from cluster.xmpp.namespaces import CLIENT, SASL, STREAMS
from cluster.xmpp.streams import sasl
from tests.network import MONTAGUE, Network

TWO = "s1-2"
HEADER = f"<stream:stream to='{MONTAGUE}' version='1.0' xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>"


def challenged(network: Network, localpart: str, mechanism: str = "SCRAM-SHA-256", at: str = MONTAGUE) -> list[str]:
    """What the server says of the account's keys: salt and iteration count; then the answer to a wrong proof."""
    connection = network.connect(at)
    network.say(connection, HEADER)
    seen = len(connection.output)
    message = sasl.encode(f"n,,n={localpart},r=abc")
    network.say(connection, f"<auth xmlns='{SASL}' mechanism='{mechanism}'>{message}</auth>")
    first = sasl.decode(xml.parse(connection.output[seen:]).text)
    seen = len(connection.output)
    nonce = first.partition(",")[0]
    proof = sasl.encode(f"c=biws,{nonce},p={'A' * (27 if mechanism == 'SCRAM-SHA-1' else 43)}=")
    network.say(connection, f"<response xmlns='{SASL}'>{proof}</response>")
    return [*first.split(",")[1:], connection.output[seen:].decode()]


@pytest.fixture
def network() -> Network:
    """montague.lit has two nodes, and accounts whose salts are as they always are: fresh for each hash."""
    network = Network(registration=True)
    salts = itertools.count()
    network.new_salt = lambda: next(salts).to_bytes(16)
    network.restart(MONTAGUE)
    network.add_node(TWO)
    assert network.login("romeo@montague.lit/pda", register=True).jid
    return network


@pytest.mark.parametrize("localpart", ["romeo", "nobody"])
def test_the_salt_is_the_same_each_time_at_each_node_and_after_a_restart(network: Network, localpart: str) -> None:
    first = challenged(network, localpart)
    assert challenged(network, localpart) == first
    assert challenged(network, localpart, at=TWO) == first
    network.restart(MONTAGUE)
    assert challenged(network, localpart) == first


def test_each_hash_has_another_salt(network: Network) -> None:
    told = [challenged(network, name, hash_name) for name in ("romeo", "nobody") for hash_name in sasl.HASHES]
    salts = [salt for salt, *_ in told]
    assert len(set(salts)) == 4
    assert len({len(salt) for salt in salts}) == 1
    assert len({tuple(rest) for _, *rest in told}) == 1  # iterations and failure
