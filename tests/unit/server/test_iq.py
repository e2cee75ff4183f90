"""Requests and replies: RFC 6120 section 8.2.3, RFC 6121 section 8.5."""

from __future__ import annotations

import pytest

from tests.helpers import HEADER
from tests.network import Network
from tests.unit.xmpp.spoken import PLAIN, bind

PING = "<ping xmlns='urn:xmpp:ping'/>"
UNKNOWN = "<query xmlns='urn:example:unknown'/>"
ROMEO = "romeo@montague.lit/pda"
ASKERS = (ROMEO, "nurse@capulet.lit/house")


def iq(to: str | None, type: str = "get", payload: str = PING, id: str = "1") -> str:
    address = f" to='{to}'" if to else ""
    return f"<iq type='{type}' id='{id}'{address}>{payload}</iq>"


@pytest.mark.parametrize("type", ["get", "set", "result", "error"])
@pytest.mark.parametrize("asker", ASKERS)
def test_a_full_jid_gets_it_as_it_is(network: Network, asker: str, type: str) -> None:
    network.friends(asker.partition("/")[0], "juliet@capulet.lit")
    juliet, client = network.client("juliet@capulet.lit/balcony"), network.client(asker)
    payload = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    network.say(client, iq(str(juliet.jid), type, payload if type == "error" else UNKNOWN))
    said = "cancel gone" if type == "error" else "query"
    assert juliet.take() == [f"iq/{type} {asker} 1: {said}"]
    assert client.take() == []


@pytest.mark.parametrize("type", ["get", "set"])
@pytest.mark.parametrize("asker", ASKERS)
def test_a_stranger_is_not_told_who_is_there(network: Network, asker: str, type: str) -> None:
    """RFC 6121 section 8.5.3.1: not before it has had directed presence, and no more after that was taken back."""
    juliet, client = network.client("juliet@capulet.lit/balcony"), network.client(asker)
    answers = []
    for presence in ("", f"<presence to='{asker}'/>", f"<presence to='{asker}' type='unavailable'/>"):
        network.say(juliet, presence)
        client.take()
        for to in (str(juliet.jid), "juliet@capulet.lit/gone"):
            network.say(client, iq(to, type, UNKNOWN))
        asked = bool(juliet.take())
        answers.append((asked, [line.rpartition("1: ")[2] for line in client.take()]))
    refused = "cancel service-unavailable"
    assert answers == [(False, [refused] * 2), (True, [refused]), (False, [refused] * 2)]


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize(
    "to",
    [
        "juliet@capulet.lit/gone",  # RFC 6121 section 8.5.3.2.3
        "nobody@capulet.lit/x",  # section 8.5.1
        "nobody@capulet.lit",
    ],
)
@pytest.mark.parametrize("payload", [PING, UNKNOWN])
def test_nobody_is_unavailable(network: Network, asker: str, to: str, payload: str) -> None:
    network.online("juliet@capulet.lit/balcony")
    client = network.client(asker)
    network.say(client, iq(to, payload=payload) + iq(to, "result") + iq(to, "error"))
    assert client.take() == [f"iq/error {to} 1: cancel service-unavailable"]


@pytest.mark.parametrize("asker", ASKERS)
def test_the_server_answers_for_its_account(network: Network, asker: str) -> None:
    juliet = network.online("juliet@capulet.lit/balcony")  # RFC 6121 section 8.5.2.1.3
    network.account("tybalt@capulet.lit")
    client = network.client(asker)
    for to in ("juliet@capulet.lit", "tybalt@capulet.lit"):
        network.say(client, iq(to) + iq(to, payload=UNKNOWN, id="2") + iq(to, "result"))
        assert client.take() == [f"iq/result {to} 1", f"iq/error {to} 2: cancel service-unavailable"]
    assert juliet.take() == []


@pytest.mark.parametrize("to", ["montague.lit", "capulet.lit", "capulet.lit/x"])
def test_the_server_answers_for_itself(network: Network, to: str) -> None:
    romeo = network.client(ROMEO)
    network.say(romeo, iq(to) + iq(to, payload=UNKNOWN, id="2") + iq(to, "result") + iq(to, "error"))
    assert romeo.take() == [f"iq/result {to} 1", f"iq/error {to} 2: cancel service-unavailable"]


@pytest.mark.parametrize("to", [None, "romeo@montague.lit"])
def test_no_address_and_the_own_account_are_the_same(network: Network, to: str | None) -> None:
    romeo = network.client(ROMEO)  # RFC 6120 section 10.3.3
    from_ = f" {to}" if to else ""
    network.say(romeo, iq(to) + iq(to, payload=UNKNOWN, id="2") + iq(to, "result") + iq(to, "error"))
    assert romeo.take() == [f"iq/result{from_} 1", f"iq/error{from_} 2: cancel service-unavailable"]


@pytest.mark.parametrize("to", [None, "romeo@montague.lit", "capulet.lit", "juliet@capulet.lit/balcony"])
@pytest.mark.parametrize(
    ("bad", "id"),
    [
        (f"<iq id='7'%s>{PING}</iq>", "7"),  # section 8.1.4
        (f"<iq id='7' type='put'%s>{PING}</iq>", "7"),
        (f"<iq id='7' type='get'%s>{PING}{PING}</iq>", "7"),  # section 8.2.3
        ("<iq id='7' type='set'%s/>", "7"),
        ("<iq id='7' type='get'%s>text</iq>", "7"),
    ],
)
def test_what_no_iq_is(network: Network, to: str | None, bad: str, id: str) -> None:
    juliet = network.client("juliet@capulet.lit/balcony")
    romeo = network.client(ROMEO)
    network.say(romeo, (bad % (f" to='{to}'" if to else "")) + iq("capulet.lit", id="still here"))
    refused, answer = sorted(romeo.take(), key=lambda line: "still" in line)
    assert refused.endswith(f" {id}: modify bad-request")
    assert refused.startswith("iq/error" + (f" {to}" if to else ""))
    assert answer == "iq/result capulet.lit still here"
    assert juliet.take() == []


@pytest.mark.parametrize("strict", [False, True])
def test_an_iq_without_an_id(strict: bool) -> None:
    """RFC 6120 section 8.1.3 forbids it, and old clients do it: it is refused only where somebody wants that."""
    network = Network(strict=strict)
    network.friends("romeo@montague.lit", "juliet@capulet.lit")
    romeo, juliet = network.client(ROMEO), network.client("juliet@capulet.lit/balcony")
    journal = network.servers["montague.lit"].journal
    journal.clear()
    for _ in range(2):
        network.say(romeo, f"<iq type='get'>{PING}</iq>")
        [answer] = romeo.stanzas
        assert (answer.get("type"), answer.get("id")) == (("error", None) if strict else ("result", ""))
        romeo.take()
    noted = [hop.kind for hop in journal if "without an id" in hop.detail]
    assert noted == ([] if strict else ["iq"])
    network.say(romeo, f"<iq type='get' to='{juliet.jid}'>{UNKNOWN}</iq>")
    assert [stanza.get("id") for stanza in juliet.stanzas] == ([] if strict else [""])
    if not strict:
        network.say(juliet, f"<iq type='result' id='' to='{ROMEO}'/>")
        assert romeo.take() == [f"iq/result {juliet.jid} "]


@pytest.mark.parametrize("strict", [False, True])
def test_a_request_before_the_login_without_an_id(strict: bool) -> None:
    network = Network(strict=strict, registration=True)
    connection = network.connect()
    network.say(connection, HEADER + "<iq type='get'><query xmlns='jabber:iq:register'/></iq>")
    answer = '<iq type="error"><error' if strict else '<iq id="" type="result">'
    assert answer.encode() in connection.output


@pytest.mark.parametrize("strict", [False, True])
def test_a_stream_that_says_it_is_of_somebody_else(strict: bool) -> None:
    network = Network(strict=strict)
    network.account("romeo@montague.lit")
    connection = network.connect()
    connection._protocol.secured()  # only TLS makes it the client's own word
    network.say(connection, HEADER.replace(" to=", " from='benvolio@montague.lit' to=") + PLAIN)
    if strict:
        assert b"<invalid-from " in connection.output
        return
    network.say(connection, HEADER + bind("pda"))
    assert b"<jid>romeo@montague.lit/pda</jid>" in connection.output
    [note] = [hop for hop in network.servers["montague.lit"].journal if hop.kind == "stream"]
    assert (note.from_, note.to) == ("benvolio@montague.lit", "romeo@montague.lit/pda")
    assert "from" in note.detail


def test_a_reply_finds_its_way_back(network: Network) -> None:
    network.friends("romeo@montague.lit", "juliet@capulet.lit")
    romeo, juliet = network.client(ROMEO), network.client("juliet@capulet.lit/balcony")
    network.say(romeo, iq(str(juliet.jid)))
    network.say(juliet, iq(ROMEO, "result", ""))
    assert romeo.take() == [f"iq/result {juliet.jid} 1"]


def test_an_error_carries_what_was_sent(network: Network) -> None:
    romeo = network.client(ROMEO)  # RFC 6120 section 8.3.1
    network.say(romeo, iq("nobody@capulet.lit", payload=UNKNOWN))
    [error] = romeo.stanzas
    assert [part.tag for part in error] == ["{urn:example:unknown}query", "{jabber:client}error"]
