"""One SMPP connection, of either side: PDUs, requests and their responses, keep-alive, back-pressure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
from twisted.internet import protocol
from twisted.internet.defer import Deferred, TimeoutError, fail
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.clock import Clock, as_interface
from cluster.protocols.smpp.constants import CommandId, CommandStatus, status_name
from cluster.protocols.smpp.framing import FramingError, PduDecoder, SequenceNumbers
from cluster.protocols.smpp.pdu import Body, Empty, MalformedPdu, Pdu, encode

ENQUIRE_LINK_S = 30.0
"""A silent peer gets an enquire_link after this, and is disconnected if the response takes longer: after 30 to 60
seconds."""
MAX_NONSENSE = 100
"""Unreadable PDUs, or responses to nothing, in each such period: beyond that the peer does not speak SMPP, and the
session ends."""
CLOSE_TIMEOUT_S = 5.0
"""Time limit for writing the last bytes."""


class SessionOwner(Protocol):
    """The side that a session belongs to."""

    def on_request(self, session: SmppSession, pdu: Pdu) -> None:
        """The peer sends a request (enquire_link and unbind are answered already)."""

    def on_lost(self, session: SmppSession) -> None:
        """The connection is gone."""


class _Pending(msgspec.Struct):
    """A request that waits for its response."""

    response: Deferred[Pdu]
    command_id: CommandId
    since_s: float


class SmppSession(protocol.Protocol):
    """The part that both sides of SMPP share (section 2). A request ends with its response or with ConnectionLost."""

    _log = Logger()
    transport: Any

    def __init__(self, reactor: Clock, owner: SessionOwner) -> None:
        self._reactor = reactor
        self._owner = owner
        self._decoder = PduDecoder()
        self._sequence_numbers = SequenceNumbers()
        self._pending: dict[int, _Pending] = {}
        self._heard = True
        self._nonsense = 0
        self._closing = False
        self._timer: Any = None

    # --- for the owner

    def request(
        self, command_id: CommandId, body: Body | None = None, tlvs: Mapping[int, bytes] | None = None
    ) -> Deferred[Pdu]:
        """Send a request; returns the response, whatever its command_status. Fails with ConnectionLost if none came."""
        if self._closing:
            return fail(ConnectionLost("the SMPP session is over"))
        pdu = Pdu(command_id, self._sequence_numbers.next(), body or Empty(), 0, tlvs or {})
        self.transport.write(encode(pdu))
        response: Deferred[Pdu] = Deferred()
        self._pending[pdu.sequence_number] = _Pending(response, command_id, self._reactor.seconds())
        return response

    def respond(
        self, request: Pdu, command_status: int = 0, body: Body | None = None, tlvs: Mapping[int, bytes] | None = None
    ) -> None:
        """Answer a request."""
        self._send(request.response(command_status, body, tlvs))

    def close(self) -> None:
        """Write what is pending, then disconnect."""
        if not self._closing:
            self._closing = True
            self.transport.unregisterProducer()
            self.transport.loseConnection()
            self._stop_timer()
            self._timer = self._reactor.callLater(CLOSE_TIMEOUT_S, self.transport.abortConnection)

    async def unbind(self) -> None:
        """Unbind (section 4.2): returns when the peer has answered or is gone."""
        try:
            await self.request(CommandId.UNBIND).addTimeout(CLOSE_TIMEOUT_S, as_interface(self._reactor))
        except (ConnectionLost, TimeoutError):
            return
        finally:
            self.close()

    # --- for the transport

    def connectionMade(self) -> None:
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)  # small PDUs, each of which somebody waits for
        self.transport.registerProducer(self, True)
        self._timer = self._reactor.callLater(ENQUIRE_LINK_S, self._tick)

    def dataReceived(self, data: bytes) -> None:
        self._heard = True
        try:
            for pdu in self._decoder.feed(data):
                if self._closing:
                    return
                self._received(pdu)
        except FramingError as error:
            self._log.warn("{reason}; the SMPP session ends", reason=str(error))
            self._send(Pdu(CommandId.GENERIC_NACK, 0, Empty(), CommandStatus.ESME_RINVCMDLEN))
            self.close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._closing = True
        self._stop_timer()
        pending, self._pending = self._pending, {}
        for request in pending.values():
            request.response.errback(ConnectionLost("the SMPP session ended before the response came"))
        self._owner.on_lost(self)

    def pauseProducing(self) -> None:
        """IPushProducer: the peer does not read its responses, so read no more of its requests."""
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """IPushProducer: the peer reads again."""
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """IPushProducer: the transport is gone; `connectionLost` follows."""

    # --- internal

    def _received(self, pdu: Pdu | MalformedPdu) -> None:
        if isinstance(pdu, MalformedPdu):
            self._refuse(pdu)
        elif pdu.command_id.is_response:
            self._settle(pdu)
        elif pdu.command_id is CommandId.ENQUIRE_LINK:
            self.respond(pdu)
        elif pdu.command_id is CommandId.UNBIND:
            self.respond(pdu)
            self.close()
        else:
            self._owner.on_request(self, pdu)

    def _is_too_much(self) -> bool:
        """Count a PDU that no SMPP peer sends; True if the session ends for it."""
        self._nonsense += 1
        if self._nonsense < MAX_NONSENSE:
            return False
        self._log.warn("{n} PDUs that mean nothing in {s:g} s; disconnecting", n=self._nonsense, s=ENQUIRE_LINK_S)
        self._closing = True
        self.transport.abortConnection()
        return True

    def _refuse(self, error: MalformedPdu) -> None:
        """Tell the peer (section 4.3.1): by the response to its request, or generic_nack if it has none."""
        if self._is_too_much():
            return
        self._log.warn(
            "malformed PDU: {reason}; answered {status}", reason=error.reason, status=status_name(error.command_status)
        )
        try:
            command_id = CommandId(error.command_id)
        except ValueError:
            command_id = CommandId.GENERIC_NACK
        if command_id.is_response and error.command_id == command_id:
            self.transport.abortConnection()  # the outcome of the request is unknown, so it must be sent again
            return
        answer = command_id if command_id is CommandId.GENERIC_NACK else command_id.response
        self._send(Pdu(answer, error.sequence_number, Empty(), error.command_status))

    def _settle(self, response: Pdu) -> None:
        request = self._pending.get(response.sequence_number)
        if request is None or response.command_id not in (request.command_id.response, CommandId.GENERIC_NACK):
            if not self._is_too_much():
                self._log.warn("{name} answers no request; ignored", name=response.command_id.name)
            return
        del self._pending[response.sequence_number]
        request.response.callback(response)

    def _send(self, pdu: Pdu) -> None:
        if not self._closing:
            self.transport.write(encode(pdu))

    def _tick(self) -> None:
        self._timer = self._reactor.callLater(ENQUIRE_LINK_S, self._tick)
        overdue_s = self._reactor.seconds() - ENQUIRE_LINK_S
        if any(request.since_s <= overdue_s for request in self._pending.values()):
            self._log.warn("the SMPP peer owes a response for {s:g} s; disconnecting", s=ENQUIRE_LINK_S)
            self.transport.abortConnection()
        elif not self._heard:
            self.request(CommandId.ENQUIRE_LINK).addErrback(lambda lost: None)
        self._heard = False
        self._nonsense = 0

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
