"""The module host: what modules register, and what follows from it."""

from __future__ import annotations

import pytest

from cluster import modules
from cluster.host.module import Module
from cluster.host.module_host import ModuleHost
from cluster.server.context import ModuleContext
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.stanza import Stanza
from tests.network import Network, watched_log

NS = "urn:example:echo"
ASK = f"<iq type='get' id='1' to='capulet.lit'><echo xmlns='{NS}'/></iq>"


def answering(name: str) -> Module:
    module = Module(name, ns=NS)

    @module.on_iq("get", "echo", addressed_to=("domain", "own"))
    def answer(ctx: ModuleContext, iq: Stanza) -> Stanza:
        return iq.reply(iq.payload())

    return module


def failing(error: Exception, later: bool) -> Module:
    module = Module("failing", ns=NS)

    async def answer_later(ctx: ModuleContext, iq: Stanza) -> Stanza:
        raise error

    def answer(ctx: ModuleContext, iq: Stanza) -> Stanza:
        raise error

    module.on_iq("get", "echo", addressed_to=("domain",))(answer_later if later else answer)
    return module


def test_two_modules_for_the_same_request_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"modules one and two both handle .*echo.*leave one of them out"):
        ModuleHost([answering("one"), answering("two")])


def test_one_module_cannot_register_twice() -> None:
    module = answering("one")

    def again(ctx: ModuleContext, iq: Stanza) -> Stanza:
        return iq.reply()

    with pytest.raises(ValueError, match=r"module one handles .* twice"):
        module.on_iq("get", "echo", addressed_to=("domain",))(again)

    async def kept(*_: object) -> bool:
        return True

    module.on("store")(kept)
    with pytest.raises(ValueError, match=r"module one hooks store twice"):
        module.on("store")(kept)


def test_an_unknown_module_is_told_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"no module carrier-pigeon, smoke \(modules: .*disco, .*ping.*version"):
        modules.load(("smoke", "ping", "carrier-pigeon"))


def test_the_folder_is_the_registry() -> None:
    assert {module.name for module in modules.load(modules.names())} == set(modules.names())


@pytest.mark.parametrize("left_out", modules.names())
def test_without_a_module_its_features_are_gone(left_out: str) -> None:
    loaded = modules.load(tuple(name for name in modules.names() if name != left_out))
    [gone] = modules.load((left_out,))
    host = ModuleHost(loaded)
    assert not gone.features & host.features
    assert not [key for key in gone.iq_handlers if host.iq_handler(key.type, key.payload, key.addressed_to)]
    network = Network(loaded=loaded)
    romeo = network.client("romeo@montague.lit/pda")
    for key in gone.iq_handlers:
        namespace, _, name = key.payload.partition(" ")
        network.say(romeo, f"<iq type='{key.type}' id='1' to='capulet.lit'><{name} xmlns='{namespace}'/></iq>")
        assert romeo.take() == ["iq/error capulet.lit 1: cancel service-unavailable"]


def test_a_handler_answers_where_it_is_registered() -> None:
    network = Network(loaded=[answering("echo")])
    romeo = network.client("romeo@montague.lit/pda")
    network.account("juliet@capulet.lit")
    network.say(romeo, ASK + ASK.replace(" to='capulet.lit'", "") + ASK.replace("capulet", "juliet@capulet"))
    assert sorted(romeo.take()) == [
        "iq/error juliet@capulet.lit 1: auth forbidden",
        "iq/result 1: echo",
        "iq/result capulet.lit 1: echo",
    ]


@pytest.mark.parametrize("later", [False, True])
def test_a_refusal_becomes_an_error_stanza(later: bool) -> None:
    network = Network(loaded=[failing(StanzaError(Condition.FORBIDDEN), later)])
    romeo = network.client("romeo@montague.lit/pda")
    network.say(romeo, ASK)
    assert romeo.take() == ["iq/error capulet.lit 1: auth forbidden"]


@pytest.mark.parametrize("later", [False, True])
def test_a_handlers_mistake_is_logged_and_answered(later: bool) -> None:
    network = Network(loaded=[failing(KeyError("oh"), later)])
    romeo = network.client("romeo@montague.lit/pda")
    with watched_log() as failures:
        network.say(romeo, ASK)
    assert [failure["log_failure"].type for failure in failures] == [KeyError]
    assert romeo.take() == ["iq/error capulet.lit 1: cancel internal-server-error"]
