"""RFC 6120 section 10 (and 13.10): in which order, and where stanzas go."""

from __future__ import annotations

import pytest

from tests.conformance.rules import core, not_kept
from tests.conformance.site import Site, messages, new_name
from tests.conformance.wire import CLIENT, error_of

PING = "<ping xmlns='urn:xmpp:ping'/>"
remote = pytest.mark.parametrize("remote", [False, True])


@core("10.1", "MUST", "Stanzas between two entities are processed in order, bare and full JID alike.")
@remote
def test_order(site: Site, remote: bool) -> None:
    sender, receiver = site.client(), site.online(site.there if remote else site.here)
    sent = [f"m{number}" for number in range(100)]
    for number, token in enumerate(sent):
        to = receiver.jid if number % 3 else receiver.bare
        sender.send(f"<message to='{to}' id='{token}' type='chat'><body>{number}</body></message>")
    seen = receiver.until(lambda s: s.get("id") == sent[-1])
    assert [s.get("id") for s in messages(seen)] == sent


@core("10.1", "MUST", "Requests of one client are answered in the order of their effects.")
def test_order_of_effects(site: Site) -> None:
    client = site.client()
    for number in range(20):
        item = f"<item jid='c{number}@{site.there.name}' name='n{number}'/>"
        client.send(f"<iq type='set' id='s{number}'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
    roster = client.roster()
    assert {item.get("name") for item in roster.values()} == {f"n{number}" for number in range(20)}


@core("10.3", "MUST", "A stanza without 'to' is handled by the server on behalf of its sender.")
@core("10.3.1", "MUST", "A message without 'to' is treated as one to the sender's bare JID.")
def test_message_without_to(site: Site) -> None:
    client = site.online()
    client.send("<message id='x' type='chat'><body>note to self</body></message>")
    assert client.until(lambda s: s.get("id") == "x")[-1].get("from") == client.jid


@core("10.3.2", "MUST", "A presence without 'to' is broadcast to the subscribers.")
def test_presence_without_to(site: Site) -> None:
    user, contact = site.friends()
    user.send("<presence id='here'/>")
    assert contact.presence_of(None, user.jid).get("id") == "here"


@core("10.3.3", "MUST", "An iq without 'to' is handled as if the server were the sender's bare JID.")
def test_iq_without_to(site: Site) -> None:
    client = site.client()
    assert client.ask("get", "<query xmlns='jabber:iq:roster'/>").get("type") == "result"


@core("10.3.3", "MUST", "Without 'to', an unknown payload gets service-unavailable.")
@pytest.mark.parametrize("type", ["get", "set"])
def test_unknown_iq_without_to(site: Site, type: str) -> None:
    answer = site.client().ask(type, "<thing xmlns='urn:example:unknown'/>")
    assert error_of(answer)[1] == "service-unavailable"


@core("10.3.3", "MUST", "A result or error without 'to' that belongs to nothing is ignored.")
@pytest.mark.parametrize("type", ["result", "error"])
def test_stray_result(site: Site, type: str) -> None:
    client = site.client()
    client.send(f"<iq type='{type}' id='stray'/>")
    assert client.sync() == []


@core("10.4", "SHOULD", "A stanza for a domain that is not served here is routed to that domain.")
@core("10.4.1", "SHOULD", "An existing stream to the other domain is used again.")
def test_remote_domain(site: Site) -> None:
    client = site.client()
    for _ in range(3):
        answer = client.ask("get", PING, site.there.name)
        assert (answer.get("type"), answer.get("from")) == ("result", site.there.name)


@core("10.4.3", "MUST", "Where routing fails, the sender gets an error.")
@core("10.4.3", "MUST", "Where the domain is not resolved, it is remote-server-not-found.")
@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
def test_unknown_domain(site: Site, kind: str) -> None:
    client = site.online()
    content = {"message": "><body>hi</body>", "presence": " type='subscribe'>", "iq": f" type='get'>{PING}"}[kind]
    client.send(f"<{kind} to='somebody@nowhere.invalid' id='x'{content}</{kind}>")
    *_, error = client.until(lambda s: s.get("type") == "error")
    assert error.tag == f"{CLIENT}{kind}"
    assert error_of(error)[1] == "remote-server-not-found"


@core("10.4.3", "MUST", "Where the remote server cannot deliver, its error comes back to the sender.")
def test_remote_error(site: Site) -> None:
    nobody = f"nobody@{site.there.name}"
    answer = site.client().ask("get", "<thing xmlns='urn:example:unknown'/>", nobody)
    assert (answer.get("from"), error_of(answer)[1]) == (nobody, "service-unavailable")


@core("10.5.1", "MUST", "A stanza to the bare domain is handled, or returned with an error.")
@pytest.mark.parametrize("kind", ["message", "iq"])
@remote
def test_domain(site: Site, kind: str, remote: bool) -> None:
    client, domain = site.client(), (site.there if remote else site.here).name
    content = "><body>hi</body>" if kind == "message" else " type='get'><thing xmlns='urn:example:unknown'/>"
    client.send(f"<{kind} to='{domain}' id='x'{content}</{kind}>")
    seen = client.sync(domain)
    if kind == "iq":
        assert error_of(seen[0])[1] == "service-unavailable"
    else:
        assert [s.get("type") for s in seen] in ([], ["error"])


@core("10.5.2", "MUST", "A stanza to domain/resource is handled, or returned with an error.")
@remote
def test_domain_and_resource(site: Site, remote: bool) -> None:
    to = f"{(site.there if remote else site.here).name}/somewhere"
    assert site.client().ask("get", "<thing xmlns='urn:example:unknown'/>", to).get("from") == to


@core("10.5.3.1", "MUST", "An iq for no such user gets service-unavailable.")
@remote
@pytest.mark.parametrize("payload", [PING, "<thing xmlns='urn:example:unknown'/>"], ids=["ping", "unknown"])
def test_iq_for_nobody(site: Site, remote: bool, payload: str) -> None:
    answer = site.client().ask("get", payload, f"nobody@{(site.there if remote else site.here).name}")
    assert error_of(answer)[1] == "service-unavailable"


@core("10.5.3.1", "MUST", "A message for no such user is ignored or gets service-unavailable.")
@core("10.5.3.1", "SHOULD", "A presence for no such user is ignored.")
@remote
def test_no_such_user(site: Site, remote: bool) -> None:
    client, nobody = site.client(), f"nobody@{(site.there if remote else site.here).name}"
    client.send(f"<message to='{nobody}' id='m'><body>hi</body></message><presence to='{nobody}' id='p'/>")
    seen = client.sync(nobody)
    assert [(s.get("id"), error_of(s)[1]) for s in seen] in ([], [("m", "service-unavailable")])


@core("10.5.3.2", "SHOULD", "A message for a bare JID is delivered to at least one connected resource.")
@core("10.5.3.2", "SHOULD", "A presence for a bare JID is delivered to the resources with a presence session.")
@core("10.5.3.2", "MUST", "An iq for a bare JID is handled by the server on behalf of the account.")
@remote
def test_user_exists(site: Site, remote: bool) -> None:
    client, receiver = site.client(), site.online(site.there if remote else site.here)
    client.send(
        f"<message to='{receiver.bare}' id='m'><body>hi</body></message><presence to='{receiver.bare}' id='p'/>"
    )
    client.ask("get", "<thing xmlns='urn:example:unknown'/>", receiver.bare)
    assert [s.get("id") for s in client.mark(receiver)] == ["m", "p"]


@core("10.5.3.2", "MUST", "Without a connected resource a message is stored, or gets service-unavailable.")
@remote
def test_user_offline(site: Site, remote: bool) -> None:
    domain = site.there if remote else site.here
    name, client = site.account(domain), site.client()
    client.send(f"<message to='{name}@{domain.name}' id='m' type='chat'><body>hi</body></message>")
    errors = [error_of(s)[1] for s in client.sync(f"{name}@{domain.name}")]
    if not errors:
        late = site.client(domain, name=name)
        late.send("<presence/>")
        late.until(lambda s: s.get("id") == "m")
    else:
        assert errors == ["service-unavailable"]


@core("10.5.4", "MUST", "A stanza for the full JID of a connected resource is delivered to that.")
@remote
def test_full_jid(site: Site, remote: bool) -> None:
    domain = site.there if remote else site.here
    client, receiver = site.client(), site.online(domain)
    other = site.online(domain, name=receiver.name, priority=5)
    token = new_name()
    client.send(f"<message to='{receiver.jid}' id='{token}' type='chat'><body>hi</body></message>")
    receiver.until(lambda s: s.get("id") == token)
    assert messages(client.mark(other)) == []


@core("13.10.2", "MUST NOT", "Errors do not tell whether a resource exists: a bare JID and a full one get the same.")
@core("8.3.3.19", "MUST", "service-unavailable is given where anything else would tell strangers about a presence.")
@remote
def test_presence_leak_by_errors(site: Site, remote: bool) -> None:
    domain = site.there if remote else site.here
    stranger, user = site.client(), site.online(domain)
    payload = "<thing xmlns='urn:example:unknown'/>"
    answers = [stranger.ask("get", payload, to) for to in (user.bare, f"{user.bare}/gone", f"nobody@{domain.name}")]
    assert {error_of(answer) for answer in answers} == {("cancel", "service-unavailable")}


@core("13.12", "SHOULD", "A client that sends to too many recipients in a given time gets policy-violation.")
@not_kept("no such limit: a lab is there to be loaded; a flooding client meets back-pressure instead")
def test_too_many_recipients(site: Site) -> None:
    client = site.client()
    for number in range(500):
        client.send(f"<message to='r{number}@{site.here.name}' id='{number}' type='headline'/>")
    assert any("policy-violation" in str(error_of(s)) for s in client.sync() if s.get("type") == "error")
