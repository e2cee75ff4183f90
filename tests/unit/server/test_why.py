"""Each decision of a server about a stanza is one that `xmpplab why` knows: the code, its rule and its remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.error import ConnectionLost

from cluster.base import reasons
from cluster.base.storage import StorageRefused
from cluster.trace.why import explain
from cluster.xmpp.jid import Jid
from cluster.xmpp.limits import ENTERING_BYTES
from cluster.xmpp.stanza import make
from tests.network import CAPULET, MONTAGUE, Network, watched_log
from tests.unit.server.component_network import PHONE, SECRET, SMS, text

ROMEO, JULIET = "romeo@montague.lit/pda", "juliet@capulet.lit"
HERE = f"{JULIET}/balcony"
ENABLE = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"


@pytest.fixture
def network() -> Iterator[Network]:
    with watched_log() as failures:
        yield Network(components={SMS: SECRET})
    assert not failures


def say(network: Network, what: str, who: str = ROMEO) -> str:
    """The code of the reason for what became of a stanza."""
    client = network.online(who)
    network.forget()
    network.say(client, what)
    hops = [hop for server in network.servers.values() for hop in server.journal if hop.from_.startswith(who)]
    answer = explain(hops, {})
    assert not answer.reason or reasons.ALL[answer.reason].remedy
    return answer.reason


def block(network: Network, who: str, whom: str) -> None:
    client = network.client(who)
    network.say(client, f"<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='{whom}'/></block></iq>")
    client.drop()
    network.settle()


def with_account(network: Network) -> None:
    network.account(JULIET)


def online(network: Network) -> None:
    network.online(HERE)


def negative(network: Network) -> None:
    network.online(HERE, priority=-1)


def blocked(network: Network) -> None:
    network.account(JULIET)
    block(network, f"{JULIET}/x", "romeo@montague.lit")


def blocking(network: Network) -> None:
    network.account(ROMEO)
    block(network, "romeo@montague.lit/x", JULIET)


def inactive(network: Network) -> None:
    network.say(network.online(HERE), "<inactive xmlns='urn:xmpp:csi:0'/>")


def hibernating(network: Network) -> None:
    juliet = network.online(HERE)
    network.say(juliet, ENABLE)
    juliet.drop()
    network.settle()


def nothing(network: Network) -> None:
    pass


PING = "<ping xmlns='urn:xmpp:ping'/>"
COMPOSING = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
BIG = f"<![CDATA[{'&' * (ENTERING_BYTES // 5)}]]>"


@pytest.mark.parametrize(
    ("before", "said", "reason"),
    [
        (online, text(HERE), ""),
        (online, text(JULIET), ""),
        (nothing, text("nobody@capulet.lit"), "no-account"),
        (nothing, f"<iq type='get' id='1' to='nobody@capulet.lit'>{PING}</iq>", "no-account"),
        (nothing, f"<iq type='get' id='1' to='nobody@capulet.lit/x'>{PING}</iq>", "no-account"),
        (nothing, text("bianca@padua.lit"), "no-domain"),
        (nothing, text("rosaline@fax.capulet.lit"), "no-domain"),
        (nothing, text(PHONE), "component-away"),
        (with_account, text(JULIET), "offline"),
        (negative, text(JULIET), "negative-priority"),
        (with_account, f"<message to='{JULIET}/gone'><body>hi</body></message>", "resource-gone"),
        (with_account, f"<iq type='get' id='1' to='{HERE}'>{PING}</iq>", "no-resource"),
        (online, f"<iq type='get' id='1' to='{HERE}'>{PING}</iq>", "not-visible"),
        (online, f"<message type='groupchat' to='{JULIET}'><body>hi</body></message>", "not-a-room"),
        (with_account, f"<message type='headline' to='{JULIET}'><body>hi</body></message>", "ignored"),
        (with_account, f"<message type='chat' to='{JULIET}'>{COMPOSING}</message>", "chat-state"),
        (blocked, text(JULIET), "receiver-blocks"),
        (blocked, f"<iq type='get' id='1' to='{HERE}'>{PING}</iq>", "receiver-blocks"),
        (blocking, text(JULIET), "sender-blocks"),
        (nothing, text(CAPULET), "server-itself"),
        (online, text(HERE, BIG), "too-large"),
        (inactive, text(HERE), "client-inactive"),
        (hibernating, text(HERE), "hibernating"),
        (hibernating, text(JULIET), "hibernating"),
    ],
)  # fmt: skip
def test_each_decision_has_its_reason(
    network: Network, before: Callable[[Network], None], said: str, reason: str
) -> None:
    before(network)
    assert say(network, said) == reason


def test_a_message_that_nothing_stores() -> None:
    network = Network(loaded=())
    network.account(JULIET)
    assert say(network, text(JULIET)) == "not-stored"


def test_a_domain_to_which_no_link_leads(network: Network) -> None:
    network.links.is_linked = lambda from_, to: (from_, to) != (MONTAGUE, CAPULET)
    assert say(network, text(JULIET)) == "no-link"


def test_a_link_that_is_full(network: Network) -> None:
    network.links.max_backlog = 0
    assert say(network, text(JULIET)) == "link-full"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StorageRefused("full"), "storage-refuses"),
        (ConnectionLost(), "redis-away"),
        (RuntimeError("broken"), "internal-error"),
    ],
)
def test_a_storage_that_fails(monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str) -> None:
    network = Network()
    network.account("mercutio@montague.lit")

    async def push(*args: Any, **options: Any) -> bool:
        raise error

    monkeypatch.setattr(network.servers[MONTAGUE].store.offline, "push", push)
    with watched_log() as failures:
        assert say(network, text("mercutio@montague.lit")) == reason
    assert len(failures) == (reason == "internal-error")


def test_a_subdomain_that_is_nobodys(network: Network) -> None:
    server = network.servers[MONTAGUE]
    stranger = make("message", to=Jid.parse("x@fax.montague.lit"), from_=Jid.parse("hamlet@elsinore.lit"))
    server.server.routing.from_link(stranger, "")
    assert [hop.reason for hop in server.journal] == ["no-component"]
