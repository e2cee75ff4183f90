"""Much work for one client is done in turns with that for the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cluster.server.sessions.pace import MANY
from tests.client import Client
from tests.network import Network

ROMEO = "romeo@montague.lit"
COUNT = 10
ROSTER = "<iq type='get' id='{}'><query xmlns='jabber:iq:roster'/></iq>"
BLOCKED = "<iq type='get' id='{}'><blocklist xmlns='urn:xmpp:blocking'/></iq>"
PRESENCE = "<presence id='{}'/>"


class Turns:
    """The turns of a reactor, which a test moves on."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []

    def callLater(self, delay: float, call: Callable[[], None]) -> None:
        self.due.append(call)

    def run(self) -> bool:
        """One of them; False where nothing is due."""
        due, self.due = self.due, []
        assert len(due) <= 1
        for call in due:
            call()
        return bool(due)

    def run_all(self) -> None:
        """Until nothing is due."""
        while self.run():
            pass


@pytest.fixture
def turns(network: Network) -> Turns:
    turns = Turns()
    pace: Any = network.servers["montague.lit"].domain.ingress._pace
    pace._clock = turns
    return turns


def large(network: Network, jid: str) -> Client:
    """A client whose account has many contacts."""
    for number in range(MANY + 1):
        network.contact(jid.partition("/")[0], f"c{number}@elsinore.lit", pending_out=True, subscription="from")
    client = network.online(jid, roster=False)
    network.forget()
    return client


@pytest.mark.parametrize("what", [ROSTER, BLOCKED, PRESENCE])
def test_one_piece_of_much_work_is_done_in_each_turn(network: Network, turns: Turns, what: str) -> None:
    one, other = large(network, f"{ROMEO}/pda"), large(network, "benvolio@montague.lit/x")
    small = network.online("mercutio@montague.lit/x")
    turns.run_all()

    def done(client: Client) -> int:
        network.settle()
        return len(client.stanzas)

    everything = "".join(what.format(number) for number in range(COUNT))
    for client in (one, other, small):
        network.say(client, everything)
    assert [done(client) for client in (one, other, small)] == [1, 1, COUNT]
    for turn in range(2, 2 * COUNT):
        turns.run()
        assert done(one) + done(other) <= turn + 1
    turns.run_all()
    assert [done(client) for client in (one, other)] == [COUNT, COUNT]
    if what != PRESENCE:
        assert [stanza.get("id") for stanza in one.stanzas] == [str(number) for number in range(COUNT)]


def test_what_comes_behind_keeps_its_place(network: Network, turns: Turns) -> None:
    romeo, juliet = large(network, f"{ROMEO}/pda"), network.online("juliet@capulet.lit/x")
    turns.run_all()
    message = "<message to='juliet@capulet.lit/x'><body>{}</body></message>"
    network.say(romeo, message.format(1) + PRESENCE.format(1) + message.format(2))
    network.say(romeo, message.format(3))
    assert juliet.take() == [f"message {ROMEO}/pda: 1"]
    turns.run()
    network.settle()
    assert juliet.take() == [f"message {ROMEO}/pda: {number}" for number in (2, 3)]


def test_who_hangs_up_meanwhile_has_sent_its_messages_and_does_not_come_back(network: Network, turns: Turns) -> None:
    romeo, juliet = large(network, f"{ROMEO}/pda"), network.online("juliet@capulet.lit/x")
    turns.run_all()
    romeo.send(
        PRESENCE.format(1) + "<message to='juliet@capulet.lit/x'><body>bye</body></message>" + PRESENCE.format(2)
    )
    romeo.close()
    network.settle()
    network.forget()
    turns.run_all()
    network.settle()
    assert juliet.take() == [f"message {ROMEO}/pda: bye"]
    assert network.abroad.take() == []
