"""What of a stream is kept, and when, for the next process of the server (XEP-0198)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest
from twisted.internet.defer import Deferred, fail

from cluster.base.storage import StorageRefused
from cluster.server.sessions.persistence import REFUSED_S, REMEMBERED
from cluster.store.memory import MemorySessions, memory_store
from cluster.store.session import KeptSession, SessionChange
from cluster.xmpp.namespaces import SM
from tests.network import CAPULET, MONTAGUE, Network, at_once
from tests.phone import managed, resume
from tests.unit.modules.kept_sessions import BALCONY, CHAMBER, kept, messages
from tests.unit.modules.managed_streams import ROMEO, R, chat


class SlowSessions(MemorySessions):
    """Has it in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[tuple[Sequence[SessionChange], Deferred[None]]] | None = None

    def note(self, changes: Sequence[SessionChange]) -> Deferred[None]:
        if self.waiting is None:
            return super().note(changes)
        self.waiting.append((changes, Deferred()))
        return self.waiting[-1][1]

    def have_first(self) -> None:
        """It has the first of what it was given."""
        assert self.waiting is not None
        changes, noted = self.waiting.pop(0)
        super().note(changes)
        noted.callback(None)

    def go_on(self) -> None:
        """It has what it was given."""
        waiting, self.waiting = self.waiting or [], None
        for changes, noted in waiting:
            super().note(changes)
            noted.callback(None)


class RefusingSessions(MemorySessions):
    """Keeps nothing while it is full."""

    def __init__(self) -> None:
        super().__init__()
        self.is_full = False
        self.asked = 0

    def note(self, changes: Sequence[SessionChange]) -> Deferred[None]:
        self.asked += 1
        return fail(StorageRefused()) if self.is_full else super().note(changes)


@pytest.fixture
def refusing() -> tuple[Network, RefusingSessions]:
    """A network whose capulet.lit has a store that may be full."""
    sessions = RefusingSessions()
    return Network(stores={CAPULET: replace(memory_store(), sessions=sessions)}), sessions


@pytest.fixture
def slow() -> tuple[Network, SlowSessions]:
    """A network whose capulet.lit has a slow store."""
    sessions = SlowSessions()
    return Network(stores={CAPULET: replace(memory_store(), sessions=sessions)}), sessions


def test_a_client_gets_nothing_that_is_not_kept(slow: tuple[Network, SlowSessions]) -> None:
    network, sessions = slow
    juliet, romeo = managed(network, BALCONY), network.online(ROMEO)
    sessions.waiting = []
    network.say(romeo, chat(BALCONY, "1"))
    network.say(romeo, chat(BALCONY, "2"))
    assert messages(juliet) == []
    sessions.go_on()
    network.settle()
    assert messages(juliet) == ["1", "2"]


def test_a_client_is_told_of_nothing_that_could_be_handled_twice(slow: tuple[Network, SlowSessions]) -> None:
    network, sessions = slow
    network.online(ROMEO)
    juliet = managed(network, BALCONY)
    sessions.waiting = []
    juliet.got.clear()
    network.say(juliet, chat(ROMEO, "1") + R)
    assert juliet.got == []
    sessions.go_on()
    network.settle()
    assert juliet.last("a").get("h") == "1"


def test_what_is_kept_while_the_connection_breaks_is_sent_once(slow: tuple[Network, SlowSessions]) -> None:
    network, sessions = slow
    juliet, romeo = managed(network, BALCONY), network.online(ROMEO)
    handled = juliet.handled
    sessions.waiting = []
    network.say(romeo, chat(BALCONY, "1"))
    juliet.drop()
    network.say(romeo, chat(BALCONY, "2"))
    again = resume(network, BALCONY, juliet.sm_id, handled)
    assert again.got == []  # the count is not final yet
    sessions.go_on()
    network.settle()
    assert messages(again) == ["1", "2"]


def test_a_client_that_comes_back_is_told_of_all_that_was_handled(slow: tuple[Network, SlowSessions]) -> None:
    """Found by `xmpplab simulate`: an earlier count was on its way to the store, and the client sent the rest again."""
    network, sessions = slow
    romeo, juliet = network.online(ROMEO), managed(network, BALCONY)
    sessions.waiting = []
    network.say(juliet, chat(ROMEO, "1"))
    network.say(juliet, chat(ROMEO, "2"))
    juliet.drop()
    again = resume(network, BALCONY, juliet.sm_id, juliet.handled)
    sessions.have_first()
    network.settle()
    assert again.got == []
    sessions.go_on()
    network.settle()
    assert again.last("resumed").get("h") == "2"
    assert messages(romeo) == ["1", "2"]


def test_a_client_whose_session_ends_meanwhile_is_answered(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed: Deferred[bool] = Deferred()

    async def push(*message: object, **options: object) -> bool:
        return await pushed

    monkeypatch.setattr(network.servers[CAPULET].store.offline, "push", push)
    network.client("nurse@capulet.lit/kitchen").close()
    juliet = managed(network, BALCONY)
    network.say(juliet, chat("nurse@capulet.lit", "1"))
    juliet.drop()
    again = resume(network, BALCONY, juliet.sm_id, juliet.handled)
    assert again.got == []  # her message has not settled
    network.client(BALCONY)
    pushed.callback(True)
    network.settle()
    assert again.last("failed").get("h") == "0"


def test_a_resource_that_is_bound_meanwhile_gets_what_the_other_one_did_not(
    slow: tuple[Network, SlowSessions],
) -> None:
    network, sessions = slow
    juliet, romeo = managed(network, BALCONY), network.online(ROMEO)
    sessions.waiting = []
    network.say(romeo, chat(BALCONY, "1"))
    again = network.client(BALCONY)
    network.say(again, "<presence/>")
    sessions.go_on()
    network.settle()
    assert messages(again) == ["1"]
    assert messages(juliet) == ["1"]  # after which its stream ended
    assert juliet.is_closed
    assert kept(network)._records["juliet"] == {}


def test_what_is_written_grows_with_what_changes() -> None:
    """Not with all that the session is: a broadcast presence is kept once, an address as often as it is new."""
    written: list[int] = []

    class Watched(MemorySessions):
        def note(self, changes: Sequence[SessionChange]) -> Deferred[None]:
            written.append(len(msgspec.msgpack.encode([(each.record, each.directed, each.sent) for each in changes])))
            return super().note(changes)

    network = Network(stores={CAPULET: replace(memory_store(), sessions=Watched())})
    juliet = managed(network, BALCONY)
    network.say(juliet, f"<presence><status>{'x' * 50_000}</status></presence>")
    written.clear()
    for number in range(500):
        network.say(juliet, f"<presence to='o{number}@elsinore.lit'/>")
    assert len(written) >= 500
    assert max(written) < 200


def test_few_of_the_acknowledged_stanzas_stay_known(network: Network) -> None:
    juliet, romeo = managed(network, BALCONY), network.online(ROMEO)
    sessions = kept(network)
    for number in range(4 * REMEMBERED):
        network.say(romeo, chat(BALCONY, str(number)))
        network.say(juliet, f"<a xmlns='{SM}' h='{juliet.handled}'/>")
        assert len(sessions._sent[juliet.sm_id]) <= 2 * REMEMBERED
    network.kill(CAPULET)
    network.start(CAPULET)
    network.say(romeo, chat(BALCONY, "new"))
    assert messages(resume(network, BALCONY, juliet.sm_id, juliet.handled)) == ["new"]


def test_a_local_message_is_kept_before_it_counts_as_handled(network: Network) -> None:
    """Else whoever is killed in between has told the sender of a message that nobody has."""
    orchard = "benvolio@montague.lit/orchard"
    benvolio, romeo = managed(network, orchard), managed(network, ROMEO)
    noted: list[tuple[str, int, int]] = []
    sessions = kept(network, MONTAGUE)
    note = sessions.note

    def watch(changes: Sequence[SessionChange]) -> Deferred[None]:
        noted.extend((change.localpart, len(change.sent), change.handled) for change in changes)
        return note(changes)

    sessions.note = watch
    network.say(romeo, chat(orchard, "1"))
    assert noted == [("romeo", 0, 1), ("benvolio", 1, 0)]  # in one go; see the port for what comes first in it
    assert messages(benvolio) == ["1"]


def load(network: Network, localpart: str) -> list[KeptSession]:
    return at_once(network.servers[CAPULET].store.sessions.load(localpart))


def test_nothing_counts_as_handled_while_the_store_refuses(refusing: tuple[Network, RefusingSessions]) -> None:
    network, sessions = refusing
    chamber, juliet = managed(network, CHAMBER), managed(network, BALCONY)
    network.say(juliet, chat(CHAMBER, "0") + R)
    before = int(juliet.last("a").get("h", ""))
    sessions.is_full = True
    for number in (1, 2):
        network.say(juliet, chat(CHAMBER, str(number)) + R)
        assert int(juliet.last("a").get("h", "")) == before
    assert messages(chamber) == ["0", "1", "2"]  # they go on
    sessions.is_full = False
    network.advance(REFUSED_S)
    assert int(juliet.last("a").get("h", "")) == before + 2
    [_, *left] = next(each for each in load(network, "juliet") if each.record.jid == chamber.jid).sent[-3:]
    assert [each.stanza.tree.findtext("{jabber:client}body") for each in left] == ["1", "2"]


def test_a_session_that_began_while_the_store_refused_is_kept_with_what_it_was_sent(
    refusing: tuple[Network, RefusingSessions],
) -> None:
    network, sessions = refusing
    romeo = network.online(ROMEO)
    managed(network, CHAMBER)
    sessions.is_full = True
    network.say(romeo, chat(CHAMBER, "0"))
    juliet = managed(network, BALCONY)
    network.say(romeo, chat(BALCONY, "1"))
    assert messages(juliet) == ["1"]
    sessions.is_full = False
    network.advance(REFUSED_S)
    [session] = [each for each in load(network, "juliet") if each.record.jid == juliet.jid]
    assert session.sent[-1].stanza.tree.findtext("{jabber:client}body") == "1"


def test_what_was_refused_is_not_acknowledged_to_a_link(refusing: tuple[Network, RefusingSessions]) -> None:
    network, sessions = refusing
    juliet, romeo = managed(network, BALCONY), network.online(ROMEO)
    turn = network.servers[CAPULET].domain.persister.turn
    network.settle()
    assert turn.kept() is None
    sessions.is_full = True
    network.say(romeo, chat(BALCONY, "1"))
    assert messages(juliet) == ["1"]
    done: list[None] = []
    waiting = turn.kept()
    assert waiting is not None
    waiting.addCallback(done.append)
    network.advance(3 * REFUSED_S)
    assert done == []
    sessions.is_full = False
    network.advance(REFUSED_S)
    assert done == [None]
    assert turn.kept() is None


def test_a_store_that_refuses_is_asked_once_in_a_while(refusing: tuple[Network, RefusingSessions]) -> None:
    network, sessions = refusing
    managed(network, BALCONY)
    romeo = network.online(ROMEO)
    sessions.is_full, sessions.asked = True, 0
    for number in range(20):
        network.say(romeo, chat(BALCONY, str(number)))
    assert sessions.asked == 1


def test_a_client_comes_back_while_the_store_refuses(refusing: tuple[Network, RefusingSessions]) -> None:
    network, sessions = refusing
    juliet, romeo = managed(network, BALCONY), network.online(ROMEO)
    sessions.is_full = True
    network.say(romeo, chat(BALCONY, "1"))
    juliet.drop()
    network.say(romeo, chat(BALCONY, "2"))
    again = resume(network, BALCONY, juliet.sm_id, juliet.handled)
    assert messages(again) == ["2"]


def test_a_client_that_comes_back_meanwhile_sends_nothing_again_that_was_handled(
    refusing: tuple[Network, RefusingSessions],
) -> None:
    network, sessions = refusing
    chamber, juliet = managed(network, CHAMBER), managed(network, BALCONY)
    network.say(juliet, chat(CHAMBER, "0") + R)
    before = int(juliet.last("a").get("h", ""))
    sessions.is_full = True
    network.say(juliet, chat(CHAMBER, "1"))
    juliet.drop()
    again = resume(network, BALCONY, juliet.sm_id, juliet.handled)
    assert int(again.got[0].get("h", "")) == before + 1
    network.say(again, chat(CHAMBER, "2") + R)
    assert int(again.last("a").get("h", "")) == before + 1
    sessions.is_full = False
    network.advance(REFUSED_S)
    assert int(again.last("a").get("h", "")) == before + 2
    assert messages(chamber) == ["0", "1", "2"]
