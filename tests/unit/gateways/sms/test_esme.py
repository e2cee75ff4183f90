"""The gateway's ESME against the lab's message centre: throttled, slow, down, and with a wrong password."""

from __future__ import annotations

import pytest
from twisted.logger import LogEvent, globalLogPublisher

from cluster.gateways.sms.esme import REFUSED_RETRY_S, WINDOW, Login
from cluster.protocols.smpp.constants import CommandStatus
from cluster.protocols.smpp.window import NotAnswered, Refused
from tests.unit.gateways.sms.world import PHONE, Answers, Delivered, World


@pytest.fixture
def world() -> World:
    return World()


def test_a_message_reaches_a_phone(world: World) -> None:
    world.start_smsc()
    esme = world.esme(Delivered())
    answers = Answers(esme)
    answers.submit("But soft! What light through yonder window breaks? 🌹")
    world.go()
    assert world.inbox() == ["But soft! What light through yonder window breaks? 🌹"]
    assert answers.all == ["id1"]
    assert esme.unanswered == 0


def test_no_more_than_a_window_is_unanswered(world: World) -> None:
    smsc = world.start_smsc()
    world.run(smsc.administration.fault_set(delay_s=1.0))
    esme = world.esme(Delivered())
    answers = Answers(esme)
    for number in range(2 * WINDOW + 1):
        answers.submit(str(number))
    for taken in (WINDOW, 2 * WINDOW, 2 * WINDOW + 1):
        world.go(1.0)
        assert len(answers.all) == taken
    assert world.inbox() == [str(number) for number in range(2 * WINDOW + 1)]


def test_throttling_is_waited_for(world: World) -> None:
    smsc = world.start_smsc()
    world.run(smsc.administration.fault_set(max_per_s=2.0))
    esme = world.esme(Delivered())
    answers = Answers(esme)
    for number in range(8):
        answers.submit(str(number))
    world.go()
    assert len(answers.all) == 2  # a second's worth
    world.go(30.0)
    assert answers.errors == []
    assert sorted(world.inbox()) == [str(number) for number in range(8)]


def test_nothing_is_lost_or_doubled_when_answers_are(world: World) -> None:
    """The message centre has the message, its answer is lost with the connection, and it comes once more."""
    world.start_smsc()
    esme = world.esme(Delivered())
    answers = Answers(esme)
    world.wire.connections[-1].deaf = True
    answers.submit("O Romeo")
    world.go()
    assert world.inbox() == ["O Romeo"]
    assert answers.all == []
    world.wire.cut()
    world.go(1.0)
    assert len(world.wire.connections) == 2
    assert answers.all == ["id1"]
    assert world.inbox() == ["O Romeo"]


def test_what_was_not_sent_waits_for_the_message_centre(world: World) -> None:
    esme = world.esme(Delivered())
    answers = Answers(esme)
    for number in range(30):
        answers.submit(str(number))
    world.go(20.0)
    assert answers.all == []
    assert esme.unanswered == 30
    world.start_smsc()
    world.go(20.0)
    assert world.inbox() == [str(number) for number in range(30)]


def test_what_waits_too_long_was_surely_not_sent(world: World) -> None:
    answers = Answers(world.esme(Delivered()))
    answers.submit("O Romeo", timeout_s=60.0)
    world.go(61.0)
    (error,) = answers.errors
    assert isinstance(error, NotAnswered)
    assert not error.maybe_taken
    world.start_smsc()
    world.go(20.0)
    assert world.inbox() == []


def test_what_was_sent_without_an_answer_may_have_arrived(world: World) -> None:
    smsc = world.start_smsc()
    answers = Answers(world.esme(Delivered()))
    world.wire.connections[-1].deaf = True
    answers.submit("O Romeo", timeout_s=5.0)
    world.go(1.0)
    world.run(smsc.stop())
    world.wire.cut()
    world.go(10.0)
    (error,) = answers.errors
    assert isinstance(error, NotAnswered)
    assert error.maybe_taken


def test_a_silent_message_centre_is_left_for_a_new_connection(world: World) -> None:
    world.start_smsc()
    esme = world.esme(Delivered())
    answers = Answers(esme)
    end = world.wire.connections[-1]
    end.deaf = end.peer.deaf = True
    answers.submit("O Romeo")
    world.go(70.0)
    assert answers.all == ["id1"]
    assert world.inbox() == ["O Romeo"]


def test_a_refusal_is_definite(world: World) -> None:
    world.start_smsc()
    answers = Answers(world.esme(Delivered()))
    answers.submit("O Romeo", to="")
    world.go()
    (error,) = answers.errors
    assert isinstance(error, Refused)
    assert error.command_status == CommandStatus.ESME_RINVDSTADR


def test_a_wrong_password_is_told_and_not_hammered(world: World) -> None:
    world.start_smsc()
    told: list[LogEvent] = []
    globalLogPublisher.addObserver(told.append)
    try:
        esme = world.esme(Delivered(), password="wrong")
        world.go(REFUSED_RETRY_S / 2)
    finally:
        globalLogPublisher.removeObserver(told.append)
    assert not esme.bound
    assert len(world.wire.connections) == 1
    errors = [event["log_format"].format(**event) for event in told if event["log_level"].name == "error"]
    (text,) = errors
    assert "'g1'" in text
    assert "ESME_RINVPASWD" in text
    assert "set its system_id and password" in text
    world.go(REFUSED_RETRY_S)
    assert len(world.wire.connections) == 2


def test_a_login_that_smpp_cannot_carry_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="8 of password"):
        Login("g1", "longer than eight")


def test_what_an_esme_could_not_handle_comes_again(world: World) -> None:
    world.start_smsc()
    delivered = Delivered()
    world.esme(delivered)
    delivered.failing = True
    world.phone_says("1")
    world.phone_says("2")
    assert delivered.texts == []
    delivered.failing = False
    world.go(5.0)
    assert sorted(delivered.texts) == ["1", "2"]


def test_messages_of_phones_wait_for_the_esme(world: World) -> None:
    world.start_smsc()
    world.phone_says("1")
    world.phone_says("2")
    delivered = Delivered()
    world.esme(delivered)
    assert delivered.texts == ["1", "2"]


def test_stopping_is_an_unbind(world: World) -> None:
    smsc = world.start_smsc()
    esme = world.esme(Delivered())
    assert world.run(smsc.administration.status())["esmes"] == ["g1"]
    world.run(esme.stop())
    assert world.run(smsc.administration.status())["esmes"] == []
    world.go(30.0)
    assert len(world.wire.connections) == 1


def test_stopping_while_it_cannot_connect(world: World) -> None:
    esme = world.esme(Delivered())
    answers = Answers(esme)
    answers.submit("O Romeo", to=PHONE)
    world.run(esme.stop())
    assert len(answers.all) == 1
    world.go(30.0)
    assert world.clock.getDelayedCalls() == []
