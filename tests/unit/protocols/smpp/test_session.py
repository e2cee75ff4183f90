"""One SMPP connection: what is answered, what is refused, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from cluster.protocols.smpp.constants import CommandId, CommandStatus
from cluster.protocols.smpp.framing import PduDecoder
from cluster.protocols.smpp.pdu import HEADER, Empty, Pdu, Sm, SmResp, encode
from cluster.protocols.smpp.session import ENQUIRE_LINK_S, MAX_NONSENSE, SmppSession
from tests.unit.gateways.sms.wire import Wire


class Owner:
    def __init__(self) -> None:
        self.requests: list[Pdu] = []
        self.lost = 0

    def on_request(self, session: SmppSession, pdu: Pdu) -> None:
        self.requests.append(pdu)

    def on_lost(self, session: SmppSession) -> None:
        self.lost += 1


class Table:
    """A session of ours, and a peer that says bytes."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.owner = Owner()
        self.session = SmppSession(self.clock, self.owner)
        wire = Wire(self.clock)
        wire.listen(Factory.forProtocol(lambda: self.session))
        wire.connect(Factory.forProtocol(lambda: self))
        (self.end,) = wire.connections
        self.heard: list[Any] = []
        self.open = True
        self._decoder = PduDecoder()

    # --- as the peer's protocol

    factory: Any = None

    def makeConnection(self, transport: Any) -> None: ...
    def dataReceived(self, data: bytes) -> None:
        self.heard += self._decoder.feed(data)

    def connectionLost(self, reason: Any) -> None:
        self.open = False

    def says(self, *sent: bytes | Pdu) -> list[Any]:
        for data in sent:
            self.end.write(encode(data) if isinstance(data, Pdu) else data)
        return self.answers()

    def answers(self, seconds: float = 0.0) -> list[Any]:
        for _ in range(5):
            self.clock.advance(0)
        self.clock.advance(seconds)
        self.clock.advance(0)
        heard, self.heard = self.heard, []
        return heard


@pytest.fixture
def table() -> Table:
    return Table()


def test_enquire_link_and_unbind_are_answered(table: Table) -> None:
    assert table.says(Pdu(CommandId.ENQUIRE_LINK, 5)) == [Pdu(CommandId.ENQUIRE_LINK_RESP, 5)]
    assert table.says(Pdu(CommandId.UNBIND, 6)) == [Pdu(CommandId.UNBIND_RESP, 6)]
    assert not table.open
    assert table.owner.lost == 1
    assert table.owner.requests == []


def test_a_request_ends_with_its_response(table: Table) -> None:
    answers: list[Pdu] = []
    table.session.request(CommandId.SUBMIT_SM, Sm()).addCallback(answers.append)
    (request,) = table.answers()
    table.says(
        Pdu(CommandId.SUBMIT_SM_RESP, request.sequence_number + 1, SmResp("another's")),
        Pdu(CommandId.DELIVER_SM_RESP, request.sequence_number, SmResp("another kind")),
    )
    assert answers == []
    table.says(Pdu(CommandId.SUBMIT_SM_RESP, request.sequence_number, SmResp("m1")))
    assert [answer.body for answer in answers] == [SmResp("m1")]


def test_a_request_ends_with_generic_nack(table: Table) -> None:
    answers: list[Pdu] = []
    table.session.request(CommandId.SUBMIT_SM, Sm()).addCallback(answers.append)
    (request,) = table.answers()
    table.says(Pdu(CommandId.GENERIC_NACK, request.sequence_number, Empty(), CommandStatus.ESME_RINVCMDLEN))
    assert answers[0].command_status == CommandStatus.ESME_RINVCMDLEN


def test_a_request_ends_with_the_connection(table: Table) -> None:
    failures: list[Any] = []
    table.session.request(CommandId.SUBMIT_SM, Sm()).addErrback(failures.append)
    table.end.abortConnection()
    table.answers()
    table.session.request(CommandId.SUBMIT_SM, Sm()).addErrback(failures.append)
    assert [failure.check(ConnectionLost) for failure in failures] == [ConnectionLost] * 2


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (HEADER.pack(16, 0x99, 0, 4), Pdu(CommandId.GENERIC_NACK, 4, Empty(), CommandStatus.ESME_RINVCMDID)),
        (
            HEADER.pack(18, CommandId.SUBMIT_SM, 0, 4) + b"ab",
            Pdu(CommandId.SUBMIT_SM_RESP, 4, Empty(), CommandStatus.ESME_RINVSERTYP),
        ),
        (  # section 5.2.21: sm_length is 254 at the most
            encode(Pdu(CommandId.DELIVER_SM, 4, Sm(short_message=b"x" * 254)))
            .replace(b"\xfe" + b"x" * 254, b"\xff" + b"x" * 255)
            .replace((16 + 17 + 254).to_bytes(4, "big"), (16 + 17 + 255).to_bytes(4, "big")),
            Pdu(CommandId.DELIVER_SM_RESP, 4, Empty(), CommandStatus.ESME_RINVMSGLEN),
        ),
        (HEADER.pack(16, 0x80000099, 0, 4), Pdu(CommandId.GENERIC_NACK, 4, Empty(), CommandStatus.ESME_RINVCMDID)),
    ],
)
def test_a_malformed_pdu_is_refused_and_the_session_goes_on(table: Table, said: bytes, answer: Pdu) -> None:
    enquiry = Pdu(CommandId.ENQUIRE_LINK, 5)
    assert table.says(said, enquiry) == [answer, enquiry.response()]
    assert table.open


def test_what_cannot_be_framed_ends_the_session(table: Table) -> None:
    said = table.says(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", Pdu(CommandId.ENQUIRE_LINK, 5))
    assert said == [Pdu(CommandId.GENERIC_NACK, 0, Empty(), CommandStatus.ESME_RINVCMDLEN)]
    assert not table.open


def test_a_response_that_cannot_be_read_ends_the_session(table: Table) -> None:
    """What became of the request is unknown: it has to be sent again."""
    failures: list[Any] = []
    table.session.request(CommandId.SUBMIT_SM, Sm()).addErrback(failures.append)
    table.answers()
    table.says(HEADER.pack(18, CommandId.SUBMIT_SM_RESP, 0, 1) + b"ab")
    assert failures[0].check(ConnectionLost)


def test_a_silent_peer_is_asked_and_then_given_up(table: Table) -> None:
    assert table.answers(ENQUIRE_LINK_S) == []  # it said nothing yet, but the connection is new
    (enquiry,) = table.answers(ENQUIRE_LINK_S)
    assert enquiry.command_id is CommandId.ENQUIRE_LINK
    table.says(enquiry.response())
    assert table.answers(ENQUIRE_LINK_S) == []
    assert [pdu.command_id for pdu in table.answers(ENQUIRE_LINK_S)] == [CommandId.ENQUIRE_LINK]
    table.answers(ENQUIRE_LINK_S)
    assert not table.open
    assert table.owner.lost == 1


def test_a_peer_that_does_not_read_is_not_read(table: Table) -> None:
    end = table.end.peer
    end.producer.pauseProducing()
    assert table.says(Pdu(CommandId.ENQUIRE_LINK, 5)) == []
    end.producer.resumeProducing()
    assert table.answers() == [Pdu(CommandId.ENQUIRE_LINK_RESP, 5)]


def test_unbind_waits_for_the_answer(table: Table) -> None:
    done: list[Any] = []
    Deferred.fromCoroutine(table.session.unbind()).addBoth(done.append)
    (unbind,) = table.answers()
    assert unbind.command_id is CommandId.UNBIND
    assert not done
    table.says(unbind.response())
    assert done == [None]
    assert not table.open


@pytest.mark.parametrize(
    "nonsense",
    [Pdu(CommandId.SUBMIT_SM_RESP, 7, SmResp("x")), Pdu(CommandId.GENERIC_NACK, 0), HEADER.pack(16, 0x99, 0, 4)],
)
def test_a_session_of_nonsense_ends(table: Table, nonsense: bytes | Pdu) -> None:
    """Responses that nobody asked for, and what is no PDU; nothing is said about what follows."""
    with capturedLogs() as lines:
        table.says((encode(nonsense) if isinstance(nonsense, Pdu) else nonsense) * 10_000)
    assert not table.open
    assert table.owner.lost == 1
    assert len(lines) <= MAX_NONSENSE


def test_a_little_nonsense_now_and_then_ends_nothing(table: Table) -> None:
    for _ in range(5):
        table.says(*[Pdu(CommandId.SUBMIT_SM_RESP, 7, SmResp("x"))] * (MAX_NONSENSE - 1))
        table.answers(ENQUIRE_LINK_S)
    assert table.open
