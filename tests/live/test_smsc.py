"""The lab's message centre, and smpplib's client as an ESME that is not ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import smpplib.client
import smpplib.consts
import smpplib.exceptions
import smpplib.gsm

from tests.harness import PATIENCE_S
from tests.live.message_centre import LONG, Centre
from tests.unit.gateways.sms.world import NOBODY, PASSWORD, PHONE, SHORT_CODE

pytestmark = pytest.mark.live


class SmppLib:
    """smpplib's client: an ESME that is not ours."""

    def __init__(self, port: int) -> None:
        self.client = smpplib.client.Client("127.0.0.1", port, timeout=PATIENCE_S, allow_unknown_opt_params=True)
        self.sent: list[Any] = []
        self.received: list[Any] = []
        self.client.set_message_sent_handler(lambda pdu: self.sent.append(pdu))
        self.client.set_message_received_handler(lambda pdu: self.received.append(pdu))
        self.client.connect()

    def bind(self, password: str = PASSWORD) -> SmppLib:
        self.client.bind_transceiver(system_id="g1", password=password)
        return self

    def send(self, text: str, to: str = PHONE, registered_delivery: bool = False) -> None:
        parts, data_coding, esm_class = smpplib.gsm.make_parts(text)
        for part in parts:
            self.client.send_message(
                source_addr_ton=0, source_addr=SHORT_CODE, dest_addr_ton=1, dest_addr_npi=1,
                destination_addr=to.removeprefix("+"), short_message=part, data_coding=data_coding,
                esm_class=esm_class, registered_delivery=registered_delivery,
            )  # fmt: skip

    def read(self, sent: int = 0, received: int = 0) -> None:
        """Read until there are so many responses and messages."""
        for _ in range(100):
            if len(self.sent) >= sent and len(self.received) >= received:
                return
            self.client.read_once()
        raise AssertionError("something else came a hundred times")

    def close(self) -> None:
        self.client.unbind()
        self.client.disconnect()


@pytest.fixture
def smpp_lib(centre: Centre) -> Iterator[SmppLib]:
    esme = SmppLib(centre.port).bind()
    yield esme
    esme.close()


@pytest.mark.parametrize("text", ["But soft! €", "Любовь 🌹", LONG])
def test_smpplib_sends_and_is_told_of_the_delivery(centre: Centre, smpp_lib: SmppLib, text: str) -> None:
    parts = len(smpplib.gsm.make_parts(text)[0])
    smpp_lib.send(text, registered_delivery=True)
    smpp_lib.read(sent=parts, received=parts)
    centre.until_inbox(text)
    receipted = [pdu.receipted_message_id for pdu in smpp_lib.received]
    assert receipted == [pdu.message_id for pdu in smpp_lib.sent]
    assert {pdu.message_state for pdu in smpp_lib.received} == {smpplib.consts.SMPP_MESSAGE_STATE_DELIVERED}
    assert b"stat:DELIVRD" in smpp_lib.received[0].short_message


def test_smpplib_is_told_of_a_number_that_nobody_has(smpp_lib: SmppLib) -> None:
    smpp_lib.send("hi", NOBODY, registered_delivery=True)
    smpp_lib.read(received=1)
    assert b"stat:UNDELIV err:001" in smpp_lib.received[0].short_message


def test_smpplib_gets_what_a_phone_says(centre: Centre, smpp_lib: SmppLib) -> None:
    centre.ask("phone_send", PHONE, SHORT_CODE, "Here.")
    smpp_lib.read(received=1)
    (pdu,) = smpp_lib.received
    assert pdu.source_addr == PHONE.removeprefix("+").encode()
    assert (pdu.destination_addr, pdu.short_message) == (SHORT_CODE.encode(), b"Here.")


def test_smpplib_is_throttled(centre: Centre, smpp_lib: SmppLib) -> None:
    centre.ask("fault_set", max_per_s=1.0)
    errors: list[Any] = []
    smpp_lib.client.set_error_pdu_handler(errors.append)
    for _ in range(3):
        smpp_lib.send("hi")
    smpp_lib.read(sent=3)  # it calls this handler for errors too
    assert {pdu.status for pdu in errors} == {smpplib.consts.SMPP_ESME_RTHROTTLED}


def test_smpplib_may_not_bind_with_a_wrong_password(centre: Centre) -> None:
    esme = SmppLib(centre.port)
    with pytest.raises(smpplib.exceptions.PDUError) as caught:
        esme.bind("wrong")
    esme.client.disconnect()
    assert caught.value.args[1] == smpplib.consts.SMPP_ESME_RINVPASWD
