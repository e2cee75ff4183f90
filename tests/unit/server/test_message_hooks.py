"""The points on a message's way where modules act."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost

from cluster.base.settled import Settled, both
from cluster.modules import load
from cluster.server.context import ModuleContext, ServerModule
from cluster.server.im.accounts import LocalAccount
from cluster.server.sessions.session import Session
from cluster.xmpp import element as xml
from cluster.xmpp.stanza import Stanza, make
from tests.network import CAPULET, Network

ROMEO, JULIET = "romeo@montague.lit/pda", "juliet@capulet.lit/balcony"


class Notebook:
    """Two modules that write down what they see; what they keep is safe when `safe` fires."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.safe: list[Deferred[None]] = []
        self.modules: list[ServerModule] = []
        for name in ("first", "second"):
            module: ServerModule = ServerModule(name, ns=f"urn:test:{name}")
            module.on_message("sent")(self._sent(name))
            module.on_message("arriving")(self._arriving(name))
            module.on_message("delivered")(self._delivered(name))
            self.modules.append(module)

    def _kept(self) -> Deferred[None]:
        self.safe.append(Deferred())
        return self.safe[-1]

    def _sent(self, name: str):
        def handler(ctx: ModuleContext, session: Session, copy: Stanza) -> tuple[Stanza, Settled]:
            self.lines.append(f"{ctx.domain} {name} sent {session.jid} {body(copy)}")
            return marked(copy, name), self._kept()

        return handler

    def _arriving(self, name: str):
        def handler(ctx: ModuleContext, account: LocalAccount, stanza: Stanza) -> Stanza:
            self.lines.append(f"{ctx.domain} {name} arriving {account.jid} {body(stanza)}")
            return marked(stanza, name)

        return handler

    def _delivered(self, name: str):
        def handler(ctx: ModuleContext, account: LocalAccount, stanza: Stanza, sessions: Sequence[Session]) -> Settled:
            resources = [session.jid.resourcepart for session in sessions]
            self.lines.append(f"{ctx.domain} {name} delivered {resources} {body(stanza)}")
            return self._kept()

        return handler

    def take(self) -> list[str]:
        lines, self.lines = self.lines, []
        return lines


def body(stanza: Stanza) -> str:
    return stanza.tree.findtext("{jabber:client}body") or ""


def marked(stanza: Stanza, name: str) -> Stanza:
    tree = stanza.tree
    child = tree.find("{jabber:client}body")
    assert child is not None
    child.text = f"{child.text}+{name}"
    return Stanza(stanza.kind, stanza.to, stanza.from_, stanza.id, stanza.type, stanza.payloads, xml.serialize(tree))


def chat(to: str, kind: str = "chat") -> str:
    return f"<message to='{to}' type='{kind}'><body>hi</body></message>"


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
def watched(notebook: Notebook) -> Network:
    """A network whose only modules are those, and the offline store."""
    return Network(loaded=[*notebook.modules, *load(("offline",))])


def test_a_message_of_a_room_concerns_its_receiver_alone(notebook: Notebook, watched: Network) -> None:
    """Only its sender may be told what it sent."""
    romeo, juliet = watched.online(ROMEO, roster=False), watched.online(JULIET, roster=False)
    watched.say(romeo, chat(JULIET, "groupchat"))
    assert [body.findtext("{jabber:client}body") for body in juliet.stanzas[-1:]] == ["hi"]
    assert [line.split()[2] for line in notebook.take()] == ["sent", "sent"]


def test_each_handler_sees_what_the_one_before_it_made(notebook: Notebook, watched: Network) -> None:
    romeo, juliet = watched.online(ROMEO, roster=False), watched.online(JULIET, roster=False)
    watched.say(romeo, chat(JULIET))
    assert notebook.take() == [
        f"montague.lit first sent {ROMEO} hi",
        f"montague.lit second sent {ROMEO} hi+first",
        "capulet.lit first arriving juliet@capulet.lit hi",
        "capulet.lit second arriving juliet@capulet.lit hi+first",
        "capulet.lit first delivered ['balcony'] hi+first+second",
        "capulet.lit second delivered ['balcony'] hi+first+second",
    ]
    assert juliet.take() == [f"message/chat {ROMEO}: hi+first+second"]  # and nothing of the sender's own copy


def test_who_got_it(notebook: Notebook, watched: Network) -> None:
    romeo = watched.online(ROMEO, roster=False)
    watched.account(JULIET)

    def delivered(to: str, kind: str = "chat") -> list[str]:
        watched.say(romeo, chat(to, kind))
        for each in notebook.safe:
            if not each.called:
                each.callback(None)
        watched.settle()
        return [line.split(" ", 3)[3] for line in notebook.take() if line.startswith("capulet.lit first delivered")]

    assert delivered("juliet@capulet.lit") == ["[] hi+first+second"]  # kept for later
    assert delivered(JULIET, "normal") == []  # RFC 6121 section 8.5.3.2.1: refused
    assert delivered("juliet@capulet.lit", "headline") == []  # ignored
    assert delivered("nobody@capulet.lit") == []
    watched.online(JULIET, roster=False)
    watched.online("juliet@capulet.lit/chamber", roster=False)
    assert delivered("juliet@capulet.lit") == ["['balcony', 'chamber'] hi+first+second"]


def test_what_came_before_does_not_arrive_again(notebook: Notebook, watched: Network) -> None:
    romeo, juliet = watched.online(ROMEO, roster=False), watched.online(JULIET, roster=False)
    juliet.reading = False
    watched.say(romeo, chat(JULIET).replace("hi", "x" * 100_000))
    watched.say(romeo, chat(JULIET))
    notebook.take()
    juliet.drop()
    watched.settle()
    assert notebook.take() == []
    again = watched.client(JULIET)
    watched.say(again, "<presence/>")
    assert [line for line in again.take() if "hi" in line] == [f"message/chat {ROMEO}: hi+first+second"]


def test_a_message_has_settled_when_all_that_is_kept_of_it_is_safe(notebook: Notebook, watched: Network) -> None:
    watched.online(JULIET, roster=False)
    juliet = watched.servers[CAPULET].domain.context.accounts.online["juliet"].sessions["balcony"]
    stanza = make("message", from_=juliet.jid, to=juliet.jid, type="chat", payload=[xml.Element("{jabber:client}body")])
    settled = watched.servers[CAPULET].domain.ingress.from_session(juliet, stanza)
    assert settled is not None
    assert len(notebook.safe) == 4
    for each in notebook.safe:
        assert not settled.called
        each.callback(None)
    assert settled.called


def test_without_modules_nothing_is_waited_for() -> None:
    network = Network(loaded=[])
    network.online(JULIET, roster=False)
    juliet = network.servers[CAPULET].domain.context.accounts.online["juliet"].sessions["balcony"]
    stanza = make("message", from_=juliet.jid, to=juliet.jid, type="chat")
    assert network.servers[CAPULET].domain.ingress.from_session(juliet, stanza) is None


def test_both() -> None:
    one: Deferred[None] = Deferred()
    other: Deferred[None] = Deferred()
    assert both(None, None) is None
    assert both(one, None) is one
    assert both(None, other) is other
    settled = both(one, other)
    assert settled is not None
    one.callback(None)
    assert not settled.called
    other.callback(None)
    assert settled.called


def test_both_fail_as_the_first_that_fails() -> None:
    one: Deferred[None] = Deferred()
    other: Deferred[None] = Deferred()
    settled = both(one, other)
    assert settled is not None
    failures: list[object] = []
    settled.addErrback(lambda failure: failures.append(failure.value))
    other.errback(ConnectionLost("away"))
    assert isinstance(failures[0], ConnectionLost)  # by which a link knows that it has to read again
    one.errback(ConnectionLost("away"))


def test_a_hook_is_taken_once() -> None:
    module: ServerModule = ServerModule("twice", ns="urn:test")
    module.on_message("sent")(lambda ctx, session, copy: (copy, None))
    with pytest.raises(ValueError, match="module twice hooks sent twice"):
        module.on_message("sent")(lambda ctx, session, copy: (copy, None))
