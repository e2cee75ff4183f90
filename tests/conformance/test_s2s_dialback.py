"""XEP-0220: server dialback, in each of its three roles; in clear, so that nothing else proves a domain."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.conformance.beginnings import PING, called, ids
from tests.conformance.federation import ERRORS, KEY, RESULT, VERIFY, Peer, ServerWire, conditions_of
from tests.conformance.rules import dialback
from tests.conformance.site import Client, Site
from tests.conformance.wire import SERVER, Element, error_of

FEATURE = "{urn:xmpp:features:dialback}dialback"


def result_of(wire: ServerWire) -> Element:
    """The server's verdict on a key."""
    return wire.until(lambda child: child.tag == RESULT and child.get("type") is not None)[-1]


# --- as the initiating server


@dialback("2.1.1", "MUST", "The key is sent in <db:result/> from the sender domain to the target domain.")
@dialback("2", "MUST", "Elements of dialback have the prefix that the server's header declares.")
@dialback("2.4.1", "defined", "The server's own header declares the namespace of dialback.")
def test_key(site: Site) -> None:
    _, wire = called(site)
    header = wire.welcome()
    assert "jabber:server:dialback" in wire.prefixes.values()
    key = wire.read()
    assert (key.tag, key.get("from"), key.get("to")) == (RESULT, header.get("from"), header.get("to"))
    assert (key.text or "").strip()
    prefix = next(name for name, namespace in wire.prefixes.items() if namespace == "jabber:server:dialback")
    assert f"<{prefix}:result".encode() in wire.raw


@dialback("2.1.1", "defined", "The key is another one for another stream and for another pair (XEP-0185).")
def test_keys_differ(site: Site) -> None:
    keys = []
    for id in ("one", "one", "two"):
        _, wire = called(site)
        wire.welcome(id=id)
        keys.append(wire.read().text)
    assert len(set(keys)) == 3  # each is for another domain, too


@dialback("2.1.1", "MUST NOT", "Stanzas are not sent before the receiving server has taken the key.")
@dialback("2.1.1", "MUST", "They are queued until then, and sent.")
def test_queue(site: Site) -> None:
    client, wire = called(site)
    wire.welcome()
    key = wire.read()
    client.send(f"<message to='nurse@{key.get('to')}' id='m2'/>")
    client.sync()
    assert b"<message" not in wire.raw
    wire.answer(key, "valid")
    assert ids([wire.stanza(), wire.stanza()]) == ["m1", "m2"]


@dialback("2.1.1", "MUST NOT", "Where the key is invalid, what is queued is not sent.")
@dialback("2.1.1", "MUST", "It comes back to its sender.")
def test_invalid_key(site: Site) -> None:
    assert _what_a_refused_key_comes_to(site, "invalid")


@dialback("2.1.1", "MUST", "The error for what is queued where the key is invalid is internal-server-error.")
def test_condition_for_an_invalid_key(site: Site) -> None:
    assert _what_a_refused_key_comes_to(site, "invalid") == "internal-server-error"


def _what_a_refused_key_comes_to(site: Site, *verdict: str) -> str:
    client, wire = called(site)
    wire.welcome()
    wire.accept_key(*verdict)
    answer = client.until(lambda stanza: stanza.get("id") == "m1")[-1]
    assert b"<message" not in wire.raw
    return error_of(answer)[1]


@dialback("2.1.1", "MUST", "Where dialback fails with an error, what is queued comes back.")
@dialback("2.5", "MUST", "The error for that is remote-server-timeout.")
def test_error_of_dialback(site: Site) -> None:
    assert _what_a_refused_key_comes_to(site, "error", "item-not-found") == "remote-server-timeout"


@dialback("2.1.1", "MUST", "A verdict that is not about the pair that was asked for is not taken.")
@pytest.mark.parametrize("wrong", ["from", "to"])
def test_verdict_on_another_pair(site: Site, wrong: str) -> None:
    client, wire = called(site)
    wire.welcome()
    key = wire.read()
    other = Element(RESULT, {**key.attrib, {"from": "to", "to": "from"}[wrong]: "nowhere.invalid"})
    wire.answer(other, "valid")
    client.sync()
    client.sync()
    assert b"<message" not in wire.raw
    assert not wire.has(f"{SERVER}message")


@dialback("2.4.1", "defined", "A server that offers no features, only the namespace, is dialled back to.")
def test_server_of_before_xmpp_1(site: Site) -> None:
    _, wire = called(site)
    wire.welcome(version=None)
    wire.accept_key()
    assert wire.stanza().get("id") == "m1"


# --- as the receiving server


@dialback("2.4.1", "defined", "The response header declares the namespace of dialback.")
@dialback("2.4.2", "MUST", "A server that knows errors of dialback says so in its features, with <errors/>.")
def test_advertisement(site: Site) -> None:
    wire = site.peer().opened(site.here)
    assert "jabber:server:dialback" in wire.prefixes.values()
    feature = wire.features.find(FEATURE)
    if feature is None or feature.find("{urn:xmpp:features:dialback}errors") is None:
        site.lacks("this server does not say that it knows the errors of dialback")


@dialback("2.1.2", "MUST", "The key is verified with <db:verify/> from the target domain to the sender domain.")
@dialback("2.1.2", "MUST", "Its id is that of the response stream, its text the key.")
@dialback("2.2.1", "MUST", "The verdict is <db:result/> from the target domain to the sender domain, with a type.")
def test_verification(site: Site) -> None:
    peer = site.peer()
    wire = peer.opened(site.here)
    wire.dial(site.here.name)
    _, question = peer.verify()
    assert (question.get("from"), question.get("to")) == (site.here.name, peer.name)
    assert question.get("id") == wire.header().get("id")
    assert (question.text or "").strip() == KEY
    result = result_of(wire)
    assert (result.get("from"), result.get("to"), result.get("type")) == (site.here.name, peer.name, "valid")


@dialback("2.2.1", "MUST", "The identity is verified before stanzas are taken.")
@dialback("2.2.1", "MUST NOT", "Stanzas are not taken where the key is invalid.")
@dialback("2.2.1", "SHOULD", "The verdict on an invalid key of the first pair is 'invalid'.")
def test_forged_key(site: Site) -> None:
    receiver, peer = site.online(), site.peer()
    wire = peer.opened(site.here)
    wire.dial(site.here.name)
    peer.verify("invalid")
    assert result_of(wire).get("type") == "invalid"
    with suppress(OSError):
        wire.send(f"<message from='juliet@{peer.name}' to='{receiver.jid}' id='forged'/>")
    assert "forged" not in ids(receiver.sync())


@dialback("2.2.1", "MUST", "An invalid key of the first pair closes the stream.")
def test_end_of_a_stream_with_a_forged_key(site: Site) -> None:
    peer = site.peer()
    wire = peer.opened(site.here)
    wire.dial(site.here.name)
    peer.verify("invalid")
    wire.expect_end()


@dialback("2.2.1", "MUST NOT", "A key for a domain that is not served does not close the stream.")
@dialback("2.5", "MUST", "An error of dialback has <error/> with a condition of RFC 6120.")
def test_unknown_target(site: Site) -> None:
    peer = site.peer()
    wire = peer.opened(site.here)
    wire.dial("nowhere.invalid")
    result = result_of(wire)
    assert (result.get("type"), result.get("from"), result.get("to")) == ("error", "nowhere.invalid", peer.name)
    assert result.find(f"{SERVER}error") is not None
    assert len(conditions_of(result)) == 1
    wire.dial(site.here.name)
    peer.verify()
    assert result_of(wire).get("type") == "valid"


@dialback("2.5", "defined", "The error for a key for a domain that is not served is item-not-found.")
def test_condition_for_an_unknown_target(site: Site) -> None:
    wire = site.peer().opened(site.here)
    wire.dial("nowhere.invalid")
    assert conditions_of(result_of(wire)) == ["item-not-found"]


@dialback("2.5", "defined", "Where the authoritative server cannot be reached, that is an error and no verdict.")
def test_authoritative_server_that_is_away(site: Site) -> None:
    peer = site.peer()
    wire = peer.opened(site.here)
    peer.place.listening.close()
    wire.dial(site.here.name)
    assert conditions_of(_refusal(wire)) in (
        ["remote-connection-failed"],
        ["remote-server-timeout"],
        ["remote-server-not-found"],
    )


def _refusal(wire: ServerWire) -> Element:
    result = result_of(wire)
    assert result.get("type") == "error"
    return result


@dialback("2.1.2", "SHOULD", "Where the authoritative server closes the stream unasked, that is an error too.")
def test_authoritative_server_that_hangs_up(site: Site) -> None:
    peer = site.peer()
    wire = peer.opened(site.here)
    wire.dial(site.here.name)
    asking = peer.accept()
    asking.welcome()
    asking.question()
    asking.close()
    peer.place.listening.close()
    assert conditions_of(_refusal(wire))


@dialback("2.5", "MUST", "Where the authoritative server answers with an error, the verdict is an error:"
          " remote-server-not-found.")  # fmt: skip
def test_error_of_the_authoritative_server(site: Site) -> None:
    peer = site.peer()
    wire = peer.opened(site.here)
    wire.dial(site.here.name)
    peer.verify("error", "item-not-found")
    assert conditions_of(_refusal(wire)) == ["remote-server-not-found"]


@dialback("2.1.2", "MUST", "An answer of the authoritative server to what was not asked on its stream is not taken.")
@pytest.mark.parametrize("changed", ["id", "from", "to"])
def test_answer_to_another_question(site: Site, changed: str) -> None:
    receiver, peer = site.online(), site.peer()
    wire = peer.opened(site.here)
    wire.dial(site.here.name)
    asking = peer.accept()
    asking.welcome()
    question = asking.question()
    asking.answer(Element(VERIFY, {**question.attrib, changed: "nowhere.invalid"}), "valid")
    wire.send(f"<message from='juliet@{peer.name}' to='{receiver.jid}' id='early'/>")
    assert "early" not in ids(receiver.sync())
    assert not wire.has(RESULT)


@dialback("3.1", "defined", "A verdict that comes over the stream on which the key came proves nothing.")
@pytest.mark.parametrize("name", ["result", "verify"])
def test_unsolicited_verdict(site: Site, name: str) -> None:
    receiver, peer = site.online(), site.peer()
    wire = peer.opened(site.here)
    id = f" id='{wire.header().get('id')}'" if name == "verify" else ""
    wire.send(f"<db:{name} from='{peer.name}' to='{site.here.name}'{id} type='valid'/>")
    wire.send(f"<message from='juliet@{peer.name}' to='{receiver.jid}' id='forged'/>")
    assert "forged" not in ids(receiver.sync())


@dialback("2.2.1", "MUST", "Nobody proves with a key to be the domain of the server itself.")
def test_key_of_the_server_itself(site: Site) -> None:
    receiver, peer = site.online(), site.peer()
    wire = peer.opened(site.here)
    wire.dial(site.here.name, from_=site.here.name)
    wire.send(f"<message from='romeo@{site.here.name}' to='{receiver.jid}' id='forged'/>")
    assert "forged" not in ids(receiver.sync())


# --- several pairs on one stream


def second_pair(site: Site) -> tuple[Client, Peer, Peer, ServerWire]:
    """A stream that is authenticated for the first peer, and says that it speaks for the second one too."""
    receiver, first, second = site.online(), site.peer(), site.peer()
    wire = first.speaking(site.here)
    wire.dial(site.here.name, from_=second.name)
    return receiver, first, second, wire


@dialback("2.6.1", "defined", "A stream may be authenticated for a second sender domain, without further negotiation.")
def test_second_sender_domain(site: Site) -> None:
    receiver, first, second, wire = second_pair(site)
    second.verify()
    assert result_of(wire).get("type") == "valid"
    for peer in (second, first):
        wire.send(f"<message from='juliet@{peer.name}' to='{receiver.jid}' id='{peer.name}'/>")
        receiver.until(lambda stanza, peer=peer: stanza.get("id") == peer.name)


@dialback("2.2.1", "MUST", "While a second pair is being verified, stanzas of the first one are taken.")
def test_stanzas_while_a_pair_is_verified(site: Site) -> None:
    receiver, first, second, wire = second_pair(site)
    wire.send(f"<message from='juliet@{first.name}' to='{receiver.jid}' id='between'/>")
    receiver.until(lambda stanza: stanza.get("id") == "between")
    second.verify()
    assert result_of(wire).get("type") == "valid"


@dialback("2.2.1", "defined", "Stanzas of a second pair are not taken before it is verified.")
def test_second_pair_before_it_is_verified(site: Site) -> None:
    receiver, _, second, wire = second_pair(site)
    wire.send(f"<message from='juliet@{second.name}' to='{receiver.jid}' id='early'/>")
    assert "early" not in ids(receiver.sync())


@dialback("2.5", "defined", "An error about a second pair does not end the stream of the first one.")
def test_second_pair_that_fails(site: Site) -> None:
    receiver, first, second, wire = second_pair(site)
    second.verify("error", "item-not-found")
    assert result_of(wire).get("type") == "error"
    wire.send(f"<message from='juliet@{first.name}' to='{receiver.jid}' id='still'/>")
    receiver.until(lambda stanza: stanza.get("id") == "still")


# --- as the authoritative server


def own_key(site: Site) -> tuple[Peer, str, str]:
    """A key that the server has sent, and the id of the stream that it is for."""
    peer, client = site.peer(), site.client()
    wire = peer.receiving(client, f"<message to='juliet@{peer.name}' id='m1'/>")
    wire.welcome(ERRORS, id="stream-of-the-key")
    return peer, (wire.read().text or "").strip(), "stream-of-the-key"


@dialback("2.2.2", "MUST", "Asked for a key of its own, the server answers 'valid', with swapped addresses and the id.")
def test_own_key(site: Site) -> None:
    peer, key, id = own_key(site)
    answer = peer.opened(site.here).ask(site.here.name, id, key)
    assert (answer.get("from"), answer.get("to")) == (site.here.name, peer.name)
    assert (answer.get("id"), answer.get("type")) == (id, "valid")


@dialback("2.2.2", "MUST", "Asked for a key that is not its own, it answers 'invalid'.")
@pytest.mark.parametrize("changed", ["key", "id"])
def test_key_of_somebody_else(site: Site, changed: str) -> None:
    peer, key, id = own_key(site)
    asked = {"key": (id, f"{key[:-1]}{'0' if key[-1] != '0' else '1'}"), "id": ("another-stream", key)}[changed]
    assert peer.opened(site.here).ask(site.here.name, *asked).get("type") == "invalid"


@dialback("2.2.2", "defined", "A key is of one pair: for another one it is 'invalid'.")
def test_key_of_another_pair(site: Site) -> None:
    _, key, id = own_key(site)
    assert site.peer().opened(site.here).ask(site.here.name, id, key).get("type") == "invalid"


@dialback("2.2.2", "MUST NOT", "Asked for a domain that it does not serve, the server does not close the stream.")
def test_question_for_an_unknown_domain(site: Site) -> None:
    peer = site.peer()
    wire = peer.opened(site.here)
    answer = wire.ask("nowhere.invalid", "x", KEY)
    assert answer.get("type") != "valid"
    assert wire.ask(site.here.name, "x", KEY).get("type") == "invalid"


@dialback("2.5", "defined", "Asked for a domain that it does not serve, it answers with the error item-not-found.")
def test_condition_for_an_unknown_domain(site: Site) -> None:
    answer = site.peer().opened(site.here).ask("nowhere.invalid", "x", KEY)
    assert answer.get("type") == "error"
    assert conditions_of(answer) == ["item-not-found"]


@dialback("2.3", "defined", "Dialback proves one direction: answers go over a stream of the server's own.")
def test_other_direction(site: Site) -> None:
    peer = site.peer()
    wire = peer.speaking(site.here)
    wire.send(f"<iq type='get' from='juliet@{peer.name}/x' to='{site.here.name}' id='p1'>{PING}</iq>")
    assert peer.answering().stanza().get("id") == "p1"
    assert not wire.has(f"{SERVER}iq")
