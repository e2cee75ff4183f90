"""What modules keep with sessions and accounts, and that nothing else of the server knows of it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cluster import modules, server
from cluster.host.state import from_store, to_store
from cluster.server.context import ModuleContext, ServerModule
from cluster.store import session as session_store
from cluster.store.memory import MemoryDocuments, memory_store
from cluster.xmpp.element import Element
from cluster.xmpp.namespaces import SM
from cluster.xmpp.stanza import Stanza
from tests.network import CAPULET, Network, at_once
from tests.phone import managed, resume
from tests.unit.modules.kept_sessions import BALCONY, kept, messages
from tests.unit.modules.managed_streams import ROMEO, chat

NS = "urn:example:mood"


class Mood(msgspec.Struct, frozen=True):
    """What a module of the tests keeps with a session."""

    name: str
    since_s: int = 0


def mood_module(type: Any = Mood, default: Any = None, **more: str) -> ServerModule:
    """A module that keeps a mood with each session, and the last one with the account."""
    module = ServerModule("mood", ns=NS)
    mood = module.session_state("now", type, default=default)
    for name, value in more.items():
        module.session_state(name, str, default=value)
    last = module.account_state(read=lambda told: told.text or "", write=_element, default="")

    @module.on_iq("set", "mood", addressed_to=("own",))
    async def feel(ctx: ModuleContext, iq: Stanza) -> Stanza:
        session = ctx.session(iq.from_)
        assert session is not None
        name = iq.payload().text or ""
        mood.set(session, Mood(name) if name else None)
        last.set(session.account, name)
        await last.save(ctx.store.documents, session.account)
        return iq.reply()

    @module.on_iq("get", "mood", addressed_to=("own",))
    def tell(ctx: ModuleContext, iq: Stanza) -> Stanza:
        session = ctx.session(iq.from_)
        assert session is not None
        now = mood.of(session)
        return iq.reply(_element(f"{now.name if now else 'none'}, last {last.of(session.account) or 'none'}"))

    return module


def _element(text: str) -> Element:
    element = Element(f"{{{NS}}}mood")
    element.text = text
    return element


_ids = itertools.count(100)


def feels(network: Network, client: Any, name: str) -> None:
    network.say(client, f"<iq type='set' id='1'><mood xmlns='{NS}'>{name}</mood></iq>")


def asked(network: Network, client: Any) -> str:
    network.say(client, f"<iq type='get' id='{next(_ids)}'><mood xmlns='{NS}'/></iq>")
    return re.findall(r">([a-z]+, last [a-z]+)<", client.output.decode())[-1]


def with_modules(*more: ServerModule) -> Network:
    return Network(loaded=[*modules.load(modules.defaults()), *more])


@pytest.mark.parametrize("how", ["kill", "restart"])
def test_both_outlive_the_process(how: str) -> None:
    network = with_modules(mood_module())
    juliet = managed(network, BALCONY)
    assert asked(network, juliet) == "none, last none"
    feels(network, juliet, "calm")
    assert asked(network, juliet) == "calm, last calm"
    if how == "kill":
        network.kill(CAPULET)
        network.start(CAPULET)
    else:
        network.restart(CAPULET)
    again = resume(network, BALCONY, juliet.sm_id, juliet.handled)
    assert asked(network, again) == "calm, last calm"
    assert asked(network, network.online("juliet@capulet.lit/chamber")) == "none, last calm"


def test_they_go_with_what_they_belong_to() -> None:
    network = with_modules(mood_module())
    juliet = network.online("juliet@capulet.lit/a")
    feels(network, juliet, "calm")
    network.say(juliet, "</stream:stream>")
    juliet = network.online("juliet@capulet.lit/a")
    assert asked(network, juliet) == "none, last calm"
    network.say(juliet, "<iq type='set' id='2'><query xmlns='jabber:iq:register'><remove/></query></iq>")
    assert asked(network, network.online("juliet@capulet.lit/a")) == "none, last none"


def test_the_default_is_not_stored() -> None:
    network = with_modules(mood_module())
    juliet = managed(network, BALCONY)
    feels(network, juliet, "calm")
    [record] = kept(network)._records["juliet"].values()
    assert {name: msgspec.msgpack.decode(value) for name, value in record.state.items()} == {
        "mood now": {"name": "calm", "since_s": 0}
    }
    feels(network, juliet, "")
    [record] = kept(network)._records["juliet"].values()
    assert record.state == {}
    documents = network.servers[CAPULET].store.documents
    assert at_once(documents.get("juliet", NS)) is None


@pytest.mark.parametrize(
    "later",
    [
        pytest.param([], id="the module is taken out"),
        pytest.param([mood_module(type=int, default=None)], id="its type is another one"),
        pytest.param([mood_module(note="")], id="it keeps more"),
    ],
)
def test_what_another_version_stored_loses_nothing_else(later: list[ServerModule]) -> None:
    network = with_modules(mood_module())
    juliet = managed(network, BALCONY)
    feels(network, juliet, "calm")
    network.say(juliet, "<iq type='set' id='2'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
    network.kill(CAPULET)
    network._loaded = [*modules.load(modules.defaults()), *later]
    network.start(CAPULET)
    again = resume(network, BALCONY, juliet.sm_id, juliet.handled)
    assert again.last("resumed").get("previd") == juliet.sm_id
    network.say(network.online("juliet@capulet.lit/chamber"), chat(ROMEO, "hi"))
    assert messages(again) == ["juliet@capulet.lit"]  # a carbon


def test_a_module_may_change_it_at_any_time() -> None:
    """Not only within a request of that session: what is stored follows."""
    module = mood_module()
    [mood] = module.session_states
    network = with_modules(module)
    managed(network, BALCONY)
    session = network.servers[CAPULET].domain.accounts.online["juliet"].sessions["balcony"]
    mood.set(session, Mood("wild", 3))
    network.settle()
    [record] = kept(network)._records["juliet"].values()
    assert from_store([mood], record.state) == {mood: Mood("wild", 3)} == from_store([mood], to_store(session.state))


def test_a_value_is_declared_once() -> None:
    with pytest.raises(ValueError, match="module mood keeps now twice with a session"):
        mood_module().session_state("now", str, default="")
    with pytest.raises(ValueError, match="module mood declares the state of accounts twice"):
        mood_module().account_state(read=lambda told: "", write=_element, default="")


# --- the server without them

STATEFUL = [
    name
    for name, module in zip(modules.names(), modules.load(modules.names()), strict=True)
    if module.session_states or module.account_states
]
WORDS = {
    "archive": ["archiving", "mam", "313", "441"],
    "avatars": ["avatar", "photo", "398"],
    "blocking": ["blocking", "blocklist", "blocked", "follows", "191"],
    "carbons": ["carbon", "280"],
    "csi": ["csi", "inactive", "352"],
    "last": ["iq:last", "last_activity"],
    "offline": ["msgoffline", "160"],
    "roster": [],
}
"""How one would find a module in what is none of its business. The pushes of the roster are the server's own, see
server/im/subscriptions.py."""


def test_each_of_them_is_looked_for() -> None:
    assert set(WORDS) == set(STATEFUL)


@pytest.mark.parametrize("left_out", STATEFUL)
def test_without_a_module_a_session_still_outlives_its_server(left_out: str) -> None:
    network = Network(loaded=modules.load(tuple(name for name in modules.defaults() if name != left_out)))
    network.friends("juliet@capulet.lit", "romeo@montague.lit")
    juliet, romeo = managed(network, BALCONY), network.online(ROMEO)
    network.say(juliet, "<presence/>")
    network.say(romeo, chat("juliet@capulet.lit", "1"))
    assert messages(juliet) == ["1"]
    network.kill(CAPULET)
    network.say(romeo, chat("juliet@capulet.lit", "2"))
    network.start(CAPULET)
    again = resume(network, BALCONY, juliet.sm_id, juliet.handled)
    assert messages(again) == ["2"]
    network.say(again, f"<a xmlns='{SM}' h='{juliet.handled + 1}'/>" + chat(ROMEO, "3"))
    assert messages(romeo) == ["3"]


@pytest.mark.parametrize(("name", "word"), [(name, word) for name, words in WORDS.items() for word in words])
def test_nothing_of_it_is_in_the_server(name: str, word: str) -> None:
    rooms = [*Path(server.__path__[0]).glob("*.py"), Path(session_store.__file__)]
    found = [
        f"{path.name}: {line}"
        for path in rooms
        for line in path.read_text().splitlines()
        if re.search(rf"(?<![a-zA-Z0-9]){word}", line)
    ]
    assert found == []


class Counted(MemoryDocuments):
    """Documents whose reads are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Sequence[str]] = []

    async def get(self, localpart: str, name: str) -> bytes | None:
        return (await self.several(localpart, [name]))[0]

    async def several(self, localpart: str, names: Sequence[str]) -> list[bytes | None]:
        self.asked.append(names)
        return await super().several(localpart, names)


def test_the_storage_is_asked_once_for_what_all_modules_keep_of_an_account() -> None:
    documents = Counted()
    network = Network(stores={CAPULET: replace(memory_store(), documents=documents)})
    network.account(BALCONY)
    juliet = network.login(BALCONY)
    states = [state for module in modules.load(modules.defaults()) for state in module.account_states]
    assert [len(names) for names in documents.asked] == [len(states)]
    assert len(states) > 1
    assert str(juliet.jid) == BALCONY
