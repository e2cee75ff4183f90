"""The blocking command (XEP-0191): the list, and what it does to messages and requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cluster.modules import blocking
from cluster.store.limits import Limit
from cluster.store.memory import memory_store
from cluster.store.port import DocumentStore
from cluster.xmpp import element as xml
from cluster.xmpp.jid import Jid
from tests.network import CAPULET, Network
from tests.unit.modules.asking import ask, iq, refused
from tests.unit.modules.blocklists import JULIET, LIST, NS, ROMEO, block, blocked, command, unblock

BODY = "<body>Can you hear me now?</body>"


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


def test_the_list_has_an_end_in_bytes(network: Network) -> None:
    juliet = network.client(f"{JULIET}/balcony")
    long = [f"a{number}@x.lit/{'x' * 1_000}" for number in range(200)]
    block(network, juliet, *long[:100])
    assert refused(network, juliet, "set", command("block", *long[100:])) == "wait resource-constraint"
    assert len(blocked(network, juliet)) == 100


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

    async def several(self, localpart: str, names: Sequence[str]) -> list[bytes | None]:
        self.reads += 1
        return await self._documents.several(localpart, names)

    async def put(self, localpart: str, name: str, document: bytes, limit: Limit | None = None) -> bool:
        return await self._documents.put(localpart, name, document, limit)
