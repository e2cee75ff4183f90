"""The points on the way of presence where modules act."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred

from cluster import modules
from cluster.base.settled import Settled
from cluster.server.c2s.client_stream import MAX_UNSETTLED
from cluster.server.context import ModuleContext, ServerModule
from cluster.server.im.accounts import LocalAccount
from cluster.server.sessions.session import Session
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, make
from tests.network import CAPULET, ELSINORE, Network, watched_log
from tests.phone import managed
from tests.told import told
from tests.unit.modules.managed_streams import R

ROMEO, JULIET = "romeo@montague.lit/pda", "juliet@capulet.lit/balcony"


class Notebook:
    """A module that writes down what it sees."""

    def __init__(self, answer: Callable[[], Settled] = lambda: None) -> None:
        self._lines: list[str] = []
        self.module = ServerModule("notebook", ns="urn:test:notebook")

        @self.module.on_presence("sent")
        def sent(ctx: ModuleContext, session: Session, stanza: Stanza) -> Settled:
            assert session.presence is stanza
            self._lines.append(f"sent {told(stanza.tree)}")
            return answer()

        @self.module.on_presence("received")
        def received(ctx: ModuleContext, account: LocalAccount, stanza: Stanza) -> Settled:
            self._lines.append(f"received {told(stanza.tree)} for {stanza.to}")
            return answer()

        @self.module.on_presence("gone")
        def gone(ctx: ModuleContext, account: LocalAccount, stanza: Stanza) -> Settled:
            self._lines.append(f"gone {told(stanza.tree)} for {account.jid}")
            return answer()

    def take(self) -> list[str]:
        """What it saw since it was last asked."""
        lines, self._lines = self._lines, []
        return lines


def friends(*loaded: ServerModule) -> Network:
    without = [name for name in modules.defaults() if name != "pep"]
    network = Network(loaded=[*modules.load(without), *loaded])
    network.friends("romeo@montague.lit", "juliet@capulet.lit")
    return network


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
def network(notebook: Notebook) -> Network:
    return friends(notebook.module)


def test_what_a_session_broadcasts_is_seen_by_both_ends(network: Network, notebook: Notebook) -> None:
    juliet = network.online(JULIET)
    assert notebook.take() == [
        f"sent presence {JULIET}",
        f"received presence {JULIET} for romeo@montague.lit",
        "gone presence/unavailable romeo@montague.lit for juliet@capulet.lit",  # says its answer to her probe
    ]
    network.say(juliet, "<presence><show>away</show></presence>")
    assert notebook.take() == [
        f"sent presence {JULIET}: away",
        f"received presence {JULIET}: away for romeo@montague.lit",
    ]
    network.say(juliet, "<presence type='unavailable'/>")
    assert notebook.take() == [
        f"gone presence/unavailable {JULIET} for juliet@capulet.lit",
        f"gone presence/unavailable {JULIET} for romeo@montague.lit",
    ]
    network.say(juliet, "<presence type='unavailable'/>")  # it is gone already
    assert notebook.take() == []


@pytest.mark.parametrize("how", ["closed", "lost"])
def test_a_stream_that_is_over_is_gone(network: Network, notebook: Notebook, how: str) -> None:
    juliet = network.online(JULIET)
    notebook.take()
    if how == "closed":
        juliet.send("</stream:stream>")
    else:
        juliet.drop()
    network.settle()
    assert notebook.take() == [
        f"gone presence/unavailable {JULIET} for juliet@capulet.lit",
        f"gone presence/unavailable {JULIET} for romeo@montague.lit",
    ]


def test_a_session_that_was_never_available_is_not_gone(network: Network, notebook: Notebook) -> None:
    network.client(JULIET).drop()
    network.settle()
    assert notebook.take() == []


def test_presence_for_one_resource(network: Network, notebook: Notebook) -> None:
    romeo = network.online(ROMEO)
    notebook.take()
    nurse = network.client("nurse@capulet.lit/x")
    network.say(nurse, f"<presence to='{ROMEO}'/>")
    assert notebook.take() == [f"received presence {nurse.jid} for {ROMEO}"]
    assert romeo.take() == [f"presence {nurse.jid}"]
    network.say(nurse, f"<presence to='{ROMEO}' type='unavailable'/>")
    assert notebook.take() == [f"gone presence/unavailable {nurse.jid} for romeo@montague.lit"]


def test_an_error_says_that_nobody_is_there(network: Network, notebook: Notebook) -> None:
    network.online(ROMEO)
    notebook.take()
    bounced = make("presence", from_=Jid.parse("romeo@montague.lit"), to=Jid.parse(f"hamlet@{ELSINORE}"))
    network.abroad.send(bounced.error(StanzaError(Condition.REMOTE_SERVER_NOT_FOUND)))
    network.settle()
    [line] = notebook.take()
    assert line.startswith(f"gone presence/error hamlet@{ELSINORE}")
    assert line.endswith("for romeo@montague.lit")


@pytest.mark.parametrize("kind", ["subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe"])
def test_questions_about_presence_are_none(network: Network, notebook: Notebook, kind: str) -> None:
    network.online(ROMEO)
    notebook.take()
    sender, account = Jid.parse(f"hamlet@{ELSINORE}"), Jid.parse("romeo@montague.lit")
    network.abroad.send(make("presence", from_=sender, to=account, type=kind))
    network.settle()
    assert notebook.take() == []


def test_what_is_blocked_does_not_come(network: Network, notebook: Notebook) -> None:
    romeo = network.online(ROMEO)
    network.say(
        romeo, "<iq type='set' id='1'><block xmlns='urn:xmpp:blocking'><item jid='juliet@capulet.lit'/></block></iq>"
    )
    notebook.take()
    network.online(JULIET)
    assert notebook.take() == [f"sent presence {JULIET}"]


def test_it_reaches_accounts_at_further_nodes(network: Network, notebook: Notebook) -> None:
    """Where the account is, or would be."""
    network.add_node("second", "montague.lit")
    network.online(ROMEO, at="second")
    notebook.take()
    network.online(JULIET)
    assert f"received presence {JULIET} for romeo@montague.lit" in notebook.take()


def test_without_a_hook_no_account_is_loaded_for_presence(network: Network) -> None:
    read: list[str] = []
    plain = friends()
    for each in (network, plain):
        documents = each.servers["montague.lit"].store.documents
        several = documents.several
        documents.several = lambda localpart, names, several=several: (
            read.append(localpart),
            several(localpart, names),
        )[1]
    juliet = plain.online(JULIET)
    read.clear()
    plain.say(juliet, "<presence/>")
    assert read == []
    network.online(JULIET)
    assert "romeo" in read


# --- what they keep


def test_a_presence_is_handled_when_its_hooks_have_settled() -> None:
    waiting: list[Deferred[None]] = []

    def keep() -> Settled:
        waiting.append(Deferred())
        return waiting[-1]

    network = friends(Notebook(keep).module)
    juliet = managed(network, JULIET)
    network.say(juliet, "<presence><show>dnd</show></presence>" + R)
    assert juliet.last("a").get("h") == "0"
    for each in waiting:
        each.callback(None)
    network.say(juliet, R)
    assert juliet.last("a").get("h") == "1"


def test_a_flood_of_presence_is_paused_until_it_is_safe() -> None:
    waiting: list[Deferred[None]] = []

    def keep() -> Settled:
        waiting.append(Deferred())
        return waiting[-1]

    network = Network(loaded=[*modules.load(modules.defaults()), Notebook(keep).module])
    juliet, other = network.client(JULIET), network.client("nurse@capulet.lit/x")
    for _ in range(MAX_UNSETTLED + 1):
        network.say(juliet, "<presence/>")
    assert juliet.wire.producerState == "paused"
    assert len(waiting) == MAX_UNSETTLED
    network.say(other, "<iq type='get' id='1' to='montague.lit'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert other.take() == ["iq/result montague.lit 1"]
    while waiting:
        waiting.pop(0).callback(None)
        network.settle()
    assert juliet.wire.producerState == "producing"


def test_a_module_that_fails_changes_nothing_for_anybody_else() -> None:
    def fail() -> Settled:
        raise KeyError("oh")

    after = Notebook()
    after.module.name = "zebra"
    network = friends(Notebook(fail).module, after.module)
    romeo = network.client(ROMEO)
    network.say(romeo, "<presence/>")
    after.take()
    romeo.take()
    with watched_log() as failures:
        juliet = network.online(JULIET)
        juliet.drop()
        network.settle()
    assert {failure["log_failure"].type for failure in failures} == {KeyError}
    assert [line.partition(" ")[0] for line in after.take() if JULIET in line] == ["sent", "received", "gone", "gone"]
    assert network.servers[CAPULET].domain.accounts.online == {}
