"""The blocking command (XEP-0191): the list, and what it does to stanzas."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.modules import blocking
from cluster.store.memory import memory_store
from cluster.store.port import DocumentStore
from cluster.xmpp import element as xml
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import make
from tests.client import Client
from tests.network import CAPULET, ELSINORE, Network
from tests.unit.modules.asking import ask, iq, refused

NS = "urn:xmpp:blocking"
JULIET, ROMEO = "juliet@capulet.lit", "romeo@montague.lit"
LIST = f"<blocklist xmlns='{NS}'/>"
BODY = "<body>Can you hear me now?</body>"


def command(name: str, *jids: str) -> str:
    items = "".join(f"<item jid='{jid}'/>" for jid in jids)
    return f"<{name} xmlns='{NS}'>{items}</{name}>"


def block(network: Network, client: Client, *jids: str) -> None:
    ask(network, client, "set", command("block", *jids))


def unblock(network: Network, client: Client, *jids: str) -> None:
    ask(network, client, "set", command("unblock", *jids))


def blocked(network: Network, client: Client) -> list[str | None]:
    return [item.get("jid") for item in ask(network, client, "get", LIST)]


def test_the_list(network: Network) -> None:
    juliet = network.client(f"{JULIET}/balcony")
    assert blocked(network, juliet) == []  # section 3.2
    block(network, juliet, "Romeo@Montague.lit", "capulet.lit/x", "sms.montague.lit")
    block(network, juliet, ROMEO, "tybalt@capulet.lit/x")
    assert blocked(network, juliet) == ["capulet.lit/x", "sms.montague.lit", ROMEO, "tybalt@capulet.lit/x"]
    unblock(network, juliet, ROMEO, "nobody@capulet.lit")
    assert blocked(network, juliet) == ["capulet.lit/x", "sms.montague.lit", "tybalt@capulet.lit/x"]
    unblock(network, juliet)  # section 3.5
    assert blocked(network, juliet) == []


@pytest.mark.parametrize(
    ("content", "condition"),
    [
        (command("block"), "modify bad-request"),  # section 3.3
        (command("block", "@"), "modify jid-malformed"),
        (command("block", ROMEO, ""), "modify jid-malformed"),
        (command("unblock", "@"), "modify jid-malformed"),
    ],
)
def test_what_is_refused(network: Network, content: str, condition: str) -> None:
    juliet = network.client(f"{JULIET}/balcony")
    assert refused(network, juliet, "set", content) == condition
    assert blocked(network, juliet) == []


def test_nobody_elses_list(network: Network) -> None:
    network.account(JULIET)
    romeo = network.client(f"{ROMEO}/pda")
    for type, content in (("get", LIST), ("set", command("block", "nurse@capulet.lit"))):
        assert refused(network, romeo, type, content, JULIET) == "auth forbidden"


def test_the_list_has_an_end(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "MAX_BLOCKED", 2)
    juliet = network.client(f"{JULIET}/balcony")
    block(network, juliet, "a@x.lit", "b@x.lit")
    block(network, juliet, "b@x.lit")
    assert refused(network, juliet, "set", command("block", "c@x.lit")) == "wait resource-constraint"
    assert blocked(network, juliet) == ["a@x.lit", "b@x.lit"]


def test_the_resources_that_asked_hear_of_changes(network: Network) -> None:
    balcony, chamber = network.client(f"{JULIET}/balcony"), network.client(f"{JULIET}/chamber")
    other = network.client(f"{JULIET}/other")
    for client in (balcony, chamber):
        ask(network, client, "get", LIST)
    changes = [command("block", ROMEO, "a@x.lit"), command("unblock", ROMEO), command("unblock")]
    for change in changes:
        ask(network, balcony, "set", change)
    for client in (balcony, chamber):  # sections 3.3 to 3.5
        pushes = [stanza for stanza in client.stanzas if stanza.get("type") == "set"]
        assert len({push.get("id") for push in pushes}) == 3
        told = [sorted(item.get("jid", "") for item in push[0]) for push in pushes]
        assert told == [["a@x.lit", ROMEO], [ROMEO], []]
        assert [xml.split(push[0].tag) for push in pushes] == [(NS, "block"), (NS, "unblock"), (NS, "unblock")]
        assert {push.get("to") for push in pushes} == {str(client.jid)}
    assert other.stanzas == []


MATCHES = {
    # section 5
    "the resource": f"{ROMEO}/pda",
    "the account": ROMEO,
    "the domain": "montague.lit",
}


@pytest.mark.parametrize("entry", MATCHES.values(), ids=MATCHES)
def test_messages_come_back_as_if_nobody_was_there(network: Network, entry: str) -> None:
    balcony, romeo = network.online(f"{JULIET}/balcony"), network.online(f"{ROMEO}/pda")
    block(network, balcony, entry)
    for to in (JULIET, f"{JULIET}/balcony"):
        for type in ("chat", "normal", "headline", "groupchat"):
            network.say(romeo, f"<message to='{to}' type='{type}'>{BODY}</message>")
            assert romeo.take() == [f"message/error {to}: cancel service-unavailable"]
        network.say(romeo, f"<message to='{to}' type='error'>{BODY}</message>")
    assert (balcony.take(), romeo.take()) == ([], [])


OTHERS = {
    "another resource": f"{ROMEO}/phone",
    "another account": "mercutio@montague.lit",
    "another domain": "lit",
    "the domain's own resource": "montague.lit/pda",
}


@pytest.mark.parametrize("entry", OTHERS.values(), ids=OTHERS)
def test_everybody_else_is_heard(network: Network, entry: str) -> None:
    balcony, romeo = network.online(f"{JULIET}/balcony"), network.online(f"{ROMEO}/pda")
    block(network, balcony, entry)
    network.say(romeo, f"<message to='{JULIET}' type='chat'>{BODY}</message>")
    network.say(balcony, f"<message to='{ROMEO}' type='chat'>{BODY}</message>")
    assert balcony.take() == [f"message/chat {ROMEO}/pda: Can you hear me now?"]
    assert romeo.take() == [f"message/chat {JULIET}/balcony: Can you hear me now?"]


@pytest.mark.parametrize("blocker", [f"{JULIET}/balcony", "benvolio@montague.lit/x"])
def test_requests_are_unavailable(network: Network, blocker: str) -> None:
    client, romeo = network.online(blocker), network.client(f"{ROMEO}/pda")
    block(network, client, ROMEO)
    bare = str(Jid.parse(blocker).bare)
    for to in (blocker, bare):
        for type in ("get", "set"):
            assert refused(network, romeo, type, "<ping xmlns='urn:xmpp:ping'/>", to) == "cancel service-unavailable"
        for type in ("result", "error"):
            network.say(romeo, iq(type, "", to))
    assert (client.take(), romeo.take()) == ([], [])


def test_presence_vanishes(network: Network) -> None:
    network.friends(JULIET, ROMEO)  # section 3.3
    balcony, romeo = network.online(f"{JULIET}/balcony"), network.online(f"{ROMEO}/pda")
    block(network, balcony, ROMEO)
    network.forget()
    network.say(romeo, "<presence><show>away</show></presence>")
    network.say(romeo, f"<presence to='{JULIET}/balcony'/><presence to='{JULIET}' type='unsubscribe'/>")
    network.say(romeo, f"<presence to='{JULIET}' type='subscribe'/>")
    romeo.take()
    network.abroad.send(
        make("presence", to=Jid.parse(JULIET), from_=Jid.parse(f"hamlet@{ELSINORE}"), type="probe"),
    )
    network.settle()
    assert balcony.take() == []
    item = network.item(JULIET, ROMEO)
    assert item is not None
    assert item.subscription == "both"  # section 4: polite blocking
    for _ in range(2):  # a probe is not answered, neither now nor when nobody is there
        late = network.client(f"{ROMEO}/late")
        network.say(late, "<presence/>")
        assert [line for line in late.take() if JULIET in line] == []
        late.close()
        balcony.close()
        network.settle()


def test_nothing_goes_out_either(network: Network) -> None:
    network.account(ROMEO)
    romeo, balcony = network.online(f"{ROMEO}/pda"), network.online(f"{JULIET}/balcony")
    block(network, balcony, ROMEO)
    for to in (ROMEO, f"{ROMEO}/pda"):
        for sent in (
            f"<message id='1' to='{to}' type='chat'>{BODY}</message>",
            f"<iq id='1' to='{to}' type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
            f"<presence id='1' to='{to}'/>",
            f"<presence id='1' to='{to}' type='subscribe'/>",
        ):
            network.say(balcony, sent)
            [error] = balcony.stanzas
            assert (error.get("from"), error.get("type")) == (to, "error")
            assert balcony.take()[0].endswith("cancel not-acceptable")
            assert error.find("{jabber:client}error/{urn:xmpp:blocking:errors}blocked") is not None
        network.say(balcony, iq("result", "", to) + f"<message to='{to}' type='error'>{BODY}</message>")
    assert (balcony.take(), romeo.take()) == ([], [])
    assert network.item(JULIET, ROMEO) is None


def test_who_is_blocked_sees_one_go_and_come(network: Network) -> None:
    network.friends(JULIET, ROMEO)
    network.contact(JULIET, "mercutio@montague.lit", subscription="from")
    network.contact(JULIET, "benvolio@montague.lit", subscription="to")
    network.contact("benvolio@montague.lit", JULIET, subscription="from")
    romeo, mercutio = network.online(f"{ROMEO}/pda"), network.online("mercutio@montague.lit/x")
    benvolio = network.online("benvolio@montague.lit/x")
    chamber, balcony = network.online(f"{JULIET}/chamber"), network.online(f"{JULIET}/balcony", priority=5)
    gone = [f"presence/unavailable {JULIET}/chamber", f"presence/unavailable {JULIET}/balcony"]
    back = [f"presence {JULIET}/chamber", f"presence {JULIET}/balcony: 5"]

    block(network, balcony, ROMEO, "benvolio@montague.lit")  # section 3.3
    assert (romeo.take(), mercutio.take(), benvolio.take()) == (gone, [], [])
    block(network, balcony, "montague.lit")
    assert (romeo.take(), mercutio.take(), benvolio.take()) == ([], gone, [])
    network.say(chamber, "<presence><show>away</show></presence><presence/>")
    assert (romeo.take(), mercutio.take()) == ([], [])
    network.forget()

    unblock(network, balcony, "montague.lit")  # section 3.4
    assert (romeo.take(), mercutio.take(), benvolio.take()) == ([], back, [])
    unblock(network, balcony)  # section 3.5
    assert (romeo.take(), mercutio.take(), benvolio.take()) == (back, [], [])
    for client in (chamber, balcony):  # and sees them again
        seen = [line for line in client.take() if line.startswith("presence")]
        assert sorted(set(seen)) == ["presence benvolio@montague.lit/x", f"presence {ROMEO}/pda"]


def test_one_resource_of_a_contact(network: Network) -> None:
    network.friends(JULIET, ROMEO)
    pda, phone = network.online(f"{ROMEO}/pda"), network.online(f"{ROMEO}/phone")
    balcony = network.online(f"{JULIET}/balcony")
    block(network, balcony, f"{ROMEO}/pda")
    assert (pda.take(), phone.take()) == ([f"presence/unavailable {JULIET}/balcony"], [])
    unblock(network, balcony, f"{ROMEO}/pda")
    assert (pda.take(), phone.take()) == ([f"presence {JULIET}/balcony"], [])


def test_directed_presence_is_taken_back(network: Network) -> None:
    romeo, balcony = network.client(f"{ROMEO}/pda"), network.online(f"{JULIET}/balcony")
    network.say(balcony, f"<presence to='{ROMEO}/pda'/>")
    network.forget()
    block(network, balcony, ROMEO)
    assert romeo.take() == [f"presence/unavailable {JULIET}/balcony"]
    balcony.close()
    network.settle()
    assert romeo.take() == []


def test_a_login_tells_and_asks_nobody_who_is_blocked(network: Network) -> None:
    network.contact(JULIET, f"hamlet@{ELSINORE}", subscription="both")
    balcony = network.client(f"{JULIET}/balcony")
    block(network, balcony, f"hamlet@{ELSINORE}")
    network.say(balcony, "<presence/>")
    balcony.close()
    network.settle()
    assert network.abroad.take() == []


def test_a_request_that_waits_is_not_shown_while_its_sender_is_blocked(network: Network) -> None:
    network.account(JULIET)
    romeo = network.online(f"{ROMEO}/pda")
    network.say(romeo, f"<presence to='{JULIET}' type='subscribe'/>")
    balcony = network.client(f"{JULIET}/balcony")
    block(network, balcony, ROMEO)
    network.say(balcony, "<presence/>")
    assert balcony.take() == [f"presence {JULIET}/balcony"]
    unblock(network, balcony, ROMEO)
    network.say(balcony, "<presence type='unavailable'/><presence/>")
    assert f"presence/subscribe {ROMEO}" in balcony.take()


@pytest.mark.parametrize("entry", [JULIET, f"{JULIET}/chamber", "capulet.lit"])
def test_an_account_hears_itself(network: Network, entry: str) -> None:
    balcony, chamber = network.online(f"{JULIET}/balcony"), network.online(f"{JULIET}/chamber")
    network.forget()
    block(network, balcony, entry)  # section 5
    assert (balcony.take(), chamber.take()) == ([], [])
    network.say(balcony, f"<message to='{JULIET}/chamber'>{BODY}</message><presence><show>dnd</show></presence>")
    assert chamber.take() == [f"message {JULIET}/balcony: Can you hear me now?", f"presence {JULIET}/balcony: dnd"]
    assert blocked(network, balcony) == [entry]
    unblock(network, balcony)


def test_it_holds_while_nobody_is_there_and_after_a_restart(network: Network) -> None:
    store = memory_store()
    for number in range(2):
        again = Network(stores={CAPULET: store})
        if not number:
            balcony = again.client(f"{JULIET}/balcony")
            block(again, balcony, ROMEO)
            balcony.close()
        romeo = again.client(f"{ROMEO}/pda")
        again.say(romeo, f"<message to='{JULIET}' type='chat'>{BODY}</message>" + iq("get", LIST, JULIET))
        assert romeo.take() == [
            f"message/error {JULIET}: cancel service-unavailable",
            f"iq/error {JULIET} 1: cancel service-unavailable",
        ]
        assert [line for line in again.online(f"{JULIET}/chamber").take() if "message" in line] == []


def test_the_next_account_of_the_name_blocks_nobody(network: Network) -> None:
    balcony, romeo = network.client(f"{JULIET}/balcony"), network.client(f"{ROMEO}/pda")
    block(network, balcony, ROMEO)
    network.say(balcony, "<iq type='set' id='1'><query xmlns='jabber:iq:register'><remove/></query></iq>")
    newcomer = network.online(f"{JULIET}/balcony")
    network.say(romeo, f"<message to='{JULIET}' type='chat'>{BODY}</message>")
    assert newcomer.take() == [f"message/chat {ROMEO}/pda: Can you hear me now?"]


def test_without_a_list_nothing_is_asked_of_the_store_for_a_message() -> None:
    store = memory_store()
    counted = Counted(store.documents)
    network = Network(stores={CAPULET: replace(store, documents=counted)})
    network.online(f"{JULIET}/balcony")
    romeo = network.client(f"{ROMEO}/pda")
    before = counted.reads
    for _ in range(10):
        network.say(romeo, f"<message to='{JULIET}' type='chat'>{BODY}</message>")
    assert counted.reads == before


class Counted:
    """A store of documents that counts who reads."""

    def __init__(self, documents: DocumentStore) -> None:
        self.reads = 0
        self._documents = documents

    async def get(self, localpart: str, name: str) -> bytes | None:
        self.reads += 1
        return await self._documents.get(localpart, name)

    async def put(self, localpart: str, name: str, document: bytes, limit: int | None = None) -> bool:
        return await self._documents.put(localpart, name, document, limit)

    async def delete(self, localpart: str) -> None:
        await self._documents.delete(localpart)
