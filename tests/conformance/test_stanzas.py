"""RFC 6120 section 8: attributes, semantics and errors of stanzas."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conformance.rules import core
from tests.conformance.site import Client, Site, messages, new_name
from tests.conformance.wire import CLIENT, LANG, STANZA_ERRORS, Element, Ended, error_of

PING = "<ping xmlns='urn:xmpp:ping'/>"
remote = pytest.mark.parametrize("remote", [False, True])


def pair(site: Site, remote: bool) -> tuple[Client, Client]:
    """A sender and an online receiver, of one domain or of two."""
    return site.client(), site.online(site.there if remote else site.here)


def delivered(receiver: Client, token: str) -> Element:
    return receiver.until(lambda s: s.get("id") == token)[-1]


@core("8.1.1.1", "MUST NOT", "The 'to' of what comes from another client or server is not modified on delivery.")
@core("8.1.2.1", "MUST", "The server stamps 'from' with the full JID of the sender.")
@core("8.1.2.1", "MUST NOT", "What another entity sent is never delivered without a 'from'.")
@remote
def test_addresses(site: Site, remote: bool) -> None:
    sender, receiver = pair(site, remote)
    for to in (receiver.jid, receiver.bare):
        token = new_name()
        sender.send(f"<message to='{to}' id='{token}' type='chat'><body>hi</body></message>")
        message = delivered(receiver, token)
        assert (message.get("to"), message.get("from")) == (to, sender.jid)


@core("8.1.2.1", "MUST", "A 'from' that the client gives is checked or overridden: its own is no error.")
def test_own_from(site: Site) -> None:
    sender, receiver = pair(site, False)
    sender.send(f"<message from='{sender.jid}' to='{receiver.jid}' id='x'/>")
    assert delivered(receiver, "x").get("from") == sender.jid


@core("8.1.2.1", "MUST", "Subscription stanzas are stamped with the bare JID.")
@remote
def test_from_of_a_subscription_request(site: Site, remote: bool) -> None:
    sender, receiver = pair(site, remote)
    sender.subscription("subscribe", receiver.bare)
    assert receiver.until(lambda s: s.get("type") == "subscribe")[-1].get("from") == sender.bare


@core("8.1.2.1", "MUST", "What the server says for itself is from its domain.")
def test_from_of_the_server(site: Site) -> None:
    client = site.client()
    assert client.ask("get", PING, site.here.name).get("from") == site.here.name


@core("8.1.2.1", "MUST", "What it says for the client's account is from the bare JID, or without 'from'.")
@core("8.1.1.1", "MUST", "A 'to' on what the server itself made is the client's full JID.")
def test_from_of_the_account(site: Site) -> None:
    client = site.client()
    answer = client.ask("get", "<query xmlns='jabber:iq:roster'/>")
    assert answer.get("from") in (None, client.bare)
    assert answer.get("to") in (None, client.jid)


@core("8.1.3", "MUST", "An answer or error has the 'id' of what it answers.")
@core("8.3.1", "MUST", "The 'id' of an error is that of the stanza that it answers.")
@remote
@pytest.mark.parametrize("token", ["simple", "&lt;odd &amp; &quot;quoted&quot;&gt;", "0"])
def test_id(site: Site, token: str, remote: bool) -> None:
    sender = site.client()
    nobody = f"nobody@{(site.there if remote else site.here).name}"
    sender.send(f"<iq type='get' to='{nobody}' id='{token}'>{PING}</iq>")
    answer = sender.read()
    for escaped, plain in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        token = token.replace(escaped, plain)
    assert answer.get("id") == token


@core("8.2.1", "SHOULD", "A message with a 'to' is routed or delivered to that.")
@core("8.2.2", "SHOULD", "A presence with a 'to' is routed or delivered to that.")
@remote
def test_delivery(site: Site, remote: bool) -> None:
    sender, receiver = pair(site, remote)
    sender.available()
    sender.send(f"<presence to='{receiver.jid}' id='p'/><message to='{receiver.jid}' id='m'/>")
    assert [s.get("id") for s in receiver.until(lambda s: s.get("id") == "m")] == ["p", "m"]


@core("8.2.3", "MUST", "An iq of no known type, or of none, gets bad-request.")
@pytest.mark.parametrize("type", ["", "type='subscribe'", "type='GET'"])
def test_iq_type(site: Site, type: str) -> None:
    client = site.client()
    client.send(f"<iq id='x' {type}>{PING}</iq>")
    assert error_of(client.read()) == ("modify", "bad-request")


@core("8.2.3", "MUST", "A get or set is answered with a result or an error, exactly once.")
@pytest.mark.parametrize("type", ["get", "set"])
@pytest.mark.parametrize("to", ["", "domain", "own", "other", "nobody", "remote", "remote-nobody"])
@pytest.mark.parametrize("payload", [PING, "<query xmlns='urn:example:unknown'/>"], ids=["ping", "unknown"])
def test_every_request_is_answered_once(site: Site, type: str, to: str, payload: str) -> None:
    client = site.client()
    address = {
        "": None, "domain": site.here.name, "own": client.bare, "other": f"{site.account()}@{site.here.name}",
        "nobody": f"nobody@{site.here.name}", "remote": f"{site.account(site.there)}@{site.there.name}",
        "remote-nobody": f"nobody@{site.there.name}",
    }[to]  # fmt: skip
    answer = client.ask(type, payload, address)
    assert answer.get("type") in ("result", "error")
    assert answer.get("from") in ((None, client.bare) if to in ("", "own") else (address,))
    assert client.sync(address) == []


@core("8.2.3", "MUST NOT", "A result or error is never answered.")
@pytest.mark.parametrize("type", ["result", "error"])
@pytest.mark.parametrize("to", ["", "domain", "own", "nobody", "full-nobody", "remote-nobody"])
def test_results_are_not_answered(site: Site, type: str, to: str) -> None:
    client = site.client()
    address = {
        "": None, "domain": site.here.name, "own": client.bare, "nobody": f"nobody@{site.here.name}",
        "full-nobody": f"{site.account()}@{site.here.name}/gone", "remote-nobody": f"nobody@{site.there.name}",
    }[to]  # fmt: skip
    said = "" if address is None else f" to='{address}'"
    client.send(f"<iq type='{type}' id='x'{said}/>")
    assert client.sync(address) == []


@core("8.2.3", "MUST", "A get or set has exactly one child element: others are refused.")
@core("8.4", "MUST", "A get or set without an extension element is refused.")
@pytest.mark.parametrize("content", ["", PING + PING])
def test_number_of_children(site: Site, content: str) -> None:
    client = site.client()
    client.send(f"<iq type='get' id='x'>{content}</iq>")
    assert error_of(client.read()) == ("modify", "bad-request")


@core("8.2.3", "MUST", "A result has no child or one; an error has an <error/>.")
@core("8.3.1", "MUST", "An error stanza contains <error/>.")
@core("8.3.1", "MUST NOT", "Where the type is not error there is no <error/>.")
@core("8.3.2", "MUST", "<error/> has one defined condition, in its namespace, and one of the five types.")
@core("8.3.2", "SHOULD", "The text of an error has an xml:lang.")
def test_shape_of_answers(site: Site) -> None:
    client = site.client()
    result = client.ask("get", PING, site.here.name)
    assert result.get("type") == "result"
    assert len(result) <= 1
    assert result.find(f"{CLIENT}error") is None
    for answer in (
        client.ask("get", "<unknown xmlns='urn:example:unknown'/>"),
        client.ask("set", "<query xmlns='jabber:iq:roster'/>"),
    ):
        assert error_of(answer)[0] in ("auth", "cancel", "continue", "modify", "wait")
        assert all(text.get(LANG) for text in answer.iter(f"{STANZA_ERRORS}text"))


@core("8.3.1", "MUST", "An error in relation to an iq is answered with an error stanza.")
@core("8.3.1", "SHOULD", "An error swaps 'from' and 'to'.")
@remote
def test_error_swaps_addresses(site: Site, remote: bool) -> None:
    client = site.client()
    nobody = f"nobody@{(site.there if remote else site.here).name}"
    answer = client.ask("get", PING, nobody)
    assert (answer.get("from"), answer.get("to")) == (nobody, client.jid)


@core("8.3.1", "SHOULD", "An error in relation to a message is answered with an error stanza.")
@core("8.3.1", "MUST", "The error for a message that had an 'id' has it too.")
def test_error_of_a_message(site: Site) -> None:
    client = site.client()
    client.send(f"<message to='room@nowhere.{site.here.name}' id='x'><body>hi</body></message>")
    error = client.read()
    assert error.tag == f"{CLIENT}message"
    assert error.get("id") == "x"
    assert error_of(error)[1] in ("remote-server-not-found", "remote-server-timeout", "service-unavailable")


@core("8.3.1", "MUST NOT", "An error stanza is not answered with a further error.")
@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
@remote
def test_errors_are_not_answered(site: Site, kind: str, remote: bool) -> None:
    client = site.client()
    nobody = f"nobody@{(site.there if remote else site.here).name}"
    condition = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    client.send(f"<{kind} type='error' id='x' to='{nobody}'>{condition}</{kind}>")
    assert client.sync(nobody) == []


@core("8.3.3.8", "SHOULD", "An address that breaks the rules gets jid-malformed, of type modify.")
@pytest.mark.parametrize("to", ["@no-localpart", "a@b@c", "juliet@", "a b@{domain}", "x@{domain}/"])
def test_malformed_address(site: Site, to: str) -> None:
    client = site.client()
    client.send(f"<iq type='get' id='x' to='{to.format(domain=site.here.name)}'>{PING}</iq>")
    try:
        assert error_of(client.read()) == ("modify", "jid-malformed")
    except Ended:
        raise AssertionError(client.raw[-300:]) from None


REFUSED: dict[str, Callable[[Client], Element]] = {
    "unknown": lambda client: client.ask("get", "<unknown xmlns='urn:example:unknown'/>"),
    "nowhere": lambda client: client.ask("get", PING, "nowhere.invalid"),
    "not-listed": lambda client: client.set_item("<item jid='nobody@nowhere.invalid' subscription='remove'/>"),
    "empty-group": lambda client: client.set_item("<item jid='a@nowhere.invalid'><group></group></item>"),
    "no-item": lambda client: client.ask("set", "<query xmlns='jabber:iq:roster'/>"),
    "no-type": lambda client: client.ask("", PING),
}


@core("8.3.3.1", "SHOULD", "bad-request has the type modify.")
@core("8.3.3.7", "SHOULD", "item-not-found has the type cancel.")
@core("8.3.3.9", "SHOULD", "not-acceptable has the type modify.")
@core("8.3.3.16", "SHOULD", "remote-server-not-found has the type cancel.")
@core("8.3.3.19", "SHOULD", "service-unavailable has the type cancel.")
@pytest.mark.parametrize("what", REFUSED)
def test_types_of_conditions(site: Site, what: str) -> None:
    answer = REFUSED[what](site.client())
    usual = {
        "service-unavailable": "cancel", "bad-request": "modify", "item-not-found": "cancel", "forbidden": "auth",
        "not-acceptable": "modify", "remote-server-not-found": "cancel", "remote-server-timeout": "wait",
        "not-allowed": "cancel",
    }  # fmt: skip
    if answer.get("type") == "result":
        site.lacks("this is no error here")
    type, condition = error_of(answer)
    assert usual[condition] == type


@core("8.4", "MUST", "An iq request of an unknown namespace gets service-unavailable.")
@pytest.mark.parametrize("type", ["get", "set"])
def test_unknown_payload(site: Site, type: str) -> None:
    answer = site.client().ask(type, "<thing xmlns='urn:example:unknown'/>", site.here.name)
    assert error_of(answer) == ("cancel", "service-unavailable")


@core("8.4", "MUST", "What a server does not understand in a stanza for others is delivered unmodified.")
@core("8.4", "SHOULD", "Prefixes are maintained: what was declared in the stanza means the same when it arrives.")
@remote
def test_unknown_content(site: Site, remote: bool) -> None:
    sender, receiver = pair(site, remote)
    inner = (
        "<e:deep xmlns:e='urn:example:e' e:at='1' at='2'><e:er>text &amp; <other xmlns='urn:o'/>tail</e:er></e:deep>"
    )
    sender.send(f"<message to='{receiver.jid}' id='x' e2:own='3' xmlns:e2='urn:example:2'>{inner}</message>")
    message = delivered(receiver, "x")
    deep = message.find("{urn:example:e}deep")
    assert deep is not None
    assert dict(deep.attrib) == {"{urn:example:e}at": "1", "at": "2"}
    er = deep.find("{urn:example:e}er")
    assert er is not None
    assert er.text == "text & "
    assert er[0].tag == "{urn:o}other"
    assert er[0].tail == "tail"
    assert message.get("{urn:example:2}own") == "3"


@core("8.4", "MUST", "A presence with content of an unknown namespace is still a presence.")
def test_presence_with_unknown_content(site: Site) -> None:
    user, contact = site.friends()
    user.send("<presence><thing xmlns='urn:example:unknown'/></presence>")
    seen = contact.presence_of(None, user.jid)
    assert seen.find("{urn:example:unknown}thing") is not None


@core("13.10.1", "MUST NOT", "A client's IP address is not made public.")
def test_ip_address(site: Site) -> None:
    user, contact = site.friends()
    contact.raw = b""
    user.send(f"<presence><status>here</status></presence><message to='{contact.jid}' id='x'/>")
    contact.until(lambda s: s.get("id") == "x")
    assert b"127.0.0.1" not in contact.raw
    assert messages(user.mark(contact)) == []
