"""The SMS gateway and a message centre that has faults, or is away."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.logger import capturedLogs

from cluster.components.connection import Overloaded
from cluster.gateways.delivery_receipts import RECEIPTS
from cluster.gateways.sms.gateway import SEND_TIMEOUT_S
from cluster.gateways.sms.outbound import MAX_WAIT_S, MAX_WAITING
from cluster.xmpp.errors import Condition, ErrorType
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import error_of
from cluster.xmpp.stanza_id import with_stanza_id
from tests.unit.gateways.sms.world import GatewayWorld, chat, refused, say

MONTAGUE = Jid("", "montague.lit")


# --- a message centre with faults


def test_a_message_centre_that_is_down(running: GatewayWorld) -> None:
    running.run(running.smsc.administration.fault_set(down=True))
    running.go()
    assert not running.gateway.bound
    say(running, chat("hi"))
    running.go(30)
    assert running.inbox() == []
    running.run(running.smsc.administration.fault_clear())
    running.go(30)
    assert running.inbox() == ["hi"]
    assert running.take_sent() == []


def test_a_message_centre_that_is_slow(running: GatewayWorld) -> None:
    running.run(running.smsc.administration.fault_set(delay_s=20.0))
    say(running, *[chat(str(number)) for number in range(25)])
    assert running.inbox() == []
    running.go(61)
    assert running.inbox() == [str(number) for number in range(25)]
    assert running.take_sent() == []


def test_a_message_centre_that_throttles(running: GatewayWorld) -> None:
    running.run(running.smsc.administration.fault_set(max_per_s=2.0))
    say(running, *[chat(str(number)) for number in range(20)])
    running.go(60)
    assert sorted(running.inbox(), key=int) == [str(number) for number in range(20)]
    assert running.take_sent() == []


@pytest.mark.parametrize(
    ("status", "condition"),
    [
        ("ESME_RINVDSTADR", "item-not-found"),
        ("ESME_RINVSRCADR", "not-allowed"),
        ("ESME_RINVMSGLEN", "not-acceptable"),
        ("ESME_RSYSERR", "undefined-condition"),
    ],
)
def test_a_message_centre_that_refuses(running: GatewayWorld, status: str, condition: str) -> None:
    running.run(running.smsc.administration.fault_set(refuse=status))
    say(running, chat("hi", id="m7"))
    (error,) = running.take_sent()
    assert (error.id, error_of(error).condition) == ("m7", condition)
    assert status in error_of(error).text
    running.run(running.smsc.administration.fault_clear())
    say(running, chat("again"))
    assert running.inbox() == ["again"]


def test_a_server_that_is_away_takes_the_error_when_it_is_back(running: GatewayWorld) -> None:
    running.run(running.smsc.administration.fault_set(refuse="ESME_RINVDSTADR"))
    running.settles = Deferred()
    with capturedLogs() as logs:
        say(running, chat("hi"))
        running.go(10 * SEND_TIMEOUT_S)
    assert logs == []
    assert len(running.take_sent()) == 1
    assert len(running.run(running.store.submissions.load())) == 1  # a crash of the gateway loses nothing
    running.settles.callback(None)
    running.go()
    assert running.run(running.store.submissions.load()) == {}


def test_an_error_that_the_server_never_took_is_told_by_the_next_process(running: GatewayWorld) -> None:
    running.run(running.smsc.administration.fault_set(refuse="ESME_RINVDSTADR"))
    running.refuse_with = Overloaded("10000 stanzas wait for the server of sms.montague.lit")
    with capturedLogs() as logs:
        say(running, chat("hi", id="m7"))
    assert [log["log_level"].name for log in logs] == ["warn"]
    running.refuse_with = None
    running.run(running.gateway.stop())
    running.start_gateway()
    (error,) = running.take_sent()
    assert (error.id, error_of(error).condition) == ("m7", "item-not-found")
    assert running.run(running.store.submissions.load()) == {}


# --- the message centre is away


def test_messages_wait_for_the_message_centre(world: GatewayWorld) -> None:
    world.start_gateway()
    say(world, *(chat(str(number)) for number in range(5)))
    world.go(30.0)
    world.start_smsc()
    world.go(20.0)
    assert world.inbox() == ["0", "1", "2", "3", "4"]
    assert world.take_sent() == []


def test_messages_survive_the_gateway(world: GatewayWorld) -> None:
    world.start_gateway()
    say(world, *(chat(str(number)) for number in range(5)))
    world.run(world.gateway.stop())
    world.start_smsc()
    world.start_gateway()
    assert world.inbox() == ["0", "1", "2", "3", "4"]
    assert world.run(world.store.submissions.load()) == {}


def test_a_message_whose_answer_never_came_is_not_doubled_by_a_restart(running: GatewayWorld) -> None:
    running.wire.connections[-1].deaf = True
    say(running, chat("a" * 200, receipt=True))
    assert running.inbox() == ["a" * 200]
    running.run(running.gateway.stop())
    running.go(10.0)
    running.start_gateway()
    assert running.inbox() == ["a" * 200]
    assert [stanza.payloads for stanza in running.take_sent()] == [(f"{RECEIPTS} received",)]


@pytest.mark.parametrize("when", ["while it waits", "when it was sent", "after a restart"])
def test_a_message_that_comes_again_is_not_sent_twice(world: GatewayWorld, when: str) -> None:
    """The server may not have heard that the gateway had it; XEP-0359 tells that it is the same."""
    world.start_gateway()
    message = with_stanza_id(chat("hi"), "1", MONTAGUE)
    say(world, message)
    if when != "while it waits":
        world.start_smsc()
        world.go(10)
        assert world.inbox() == ["hi"]
    if when == "after a restart":
        world.run(world.gateway.stop())
        world.start_gateway()
    say(world, message, with_stanza_id(chat("hi"), "2", MONTAGUE))
    if when == "while it waits":
        world.start_smsc()
        world.go(10)
    assert world.inbox() == ["hi", "hi"]
    assert world.run(world.store.submissions.load()) == {}


async def away(name: str, value: object) -> None:
    """As a table of Redis that is away."""
    raise ConnectionLost


def test_a_message_that_could_not_be_kept_may_come_again(running: GatewayWorld) -> None:
    message = with_stanza_id(chat("hi"), "1", MONTAGUE)
    put, table = running.store.submissions.put, running.store.submissions

    table.put = away
    with pytest.raises(ConnectionLost):
        say(running, message)
    table.put = put
    say(running, message)
    assert running.inbox() == ["hi"]


@pytest.mark.parametrize("failing", ["awaited.put", "done.note", "submissions.delete"])
def test_what_was_sent_is_forgotten_when_the_storage_is_back(running: GatewayWorld, failing: str) -> None:
    """Found by `xmpplab simulate`: otherwise the next process sends it again."""
    part, _, method = failing.partition(".")
    table = getattr(running.store, part)
    works, is_away = getattr(table, method), True

    async def call(*arguments: object) -> None:
        if is_away:
            raise ConnectionLost
        await works(*arguments)

    setattr(table, method, call)
    with capturedLogs() as logged:
        say(running, with_stanza_id(chat("hi"), "1", MONTAGUE))
        running.go(3)
        assert len(running.run(running.store.submissions.load())) == 1
        is_away = False
        running.go(1)
    assert running.run(running.store.submissions.load()) == {}
    assert running.inbox() == ["hi"]
    assert not [each for each in logged if "log_failure" in each]


def test_nobody_waits_for_ever(world: GatewayWorld) -> None:
    world.start_gateway()
    say(world, chat("hi"))
    world.go(MAX_WAIT_S + 1)
    (error,) = world.take_sent()
    assert error_of(error).condition is Condition.RECIPIENT_UNAVAILABLE
    assert error_of(error).type is ErrorType.WAIT
    assert "it was not sent" in error_of(error).text
    assert world.run(world.store.submissions.load()) == {}


def test_only_so_many_may_wait(world: GatewayWorld) -> None:
    world.start_gateway()
    for number in range(MAX_WAITING // 250):
        say(world, chat("a" * 153 * 250, id=str(number)))
    error = refused(world, chat("hi"))
    assert (error.condition, error.type) == (Condition.RECIPIENT_UNAVAILABLE, ErrorType.WAIT)


def test_a_message_that_is_on_its_way_is_no_failure(running: GatewayWorld) -> None:
    running.store.correspondents.put = away
    say(running, chat("hi"))
    assert running.inbox() == ["hi"]
