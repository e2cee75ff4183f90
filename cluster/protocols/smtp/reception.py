"""The receiving side of SMTP (RFC 5321), shared by the gateway and the mail host.

Twisted's protocol does the connection, its lines, greetings and timeouts. Transactions are our own, because Twisted's
lack parameters and UTF-8 in addresses, replies with the host's own code, one reply for all recipients, pipelining,
limits, and end the connection after lines that are too long instead of reading on as commands.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.mail.smtp import ESMTP
from twisted.python.failure import Failure

from cluster.protocols.smtp.parameters import address_of, check_mail, check_recipient, parse
from cluster.protocols.smtp.receiver import Envelope, Refused

if TYPE_CHECKING:
    from cluster.protocols.smtp.server import SmtpServer

MAX_RECIPIENTS = 100
"""RFC 5321 section 4.5.3.1.8: at least this many."""
MAX_LINE_BYTES = 8_192
"""A line has 1,000 (section 4.5.3.1.6); many programs write longer ones."""
MAX_ERRORS = 20
"""Refused commands after which a connection is closed, so that guessing addresses is slow."""
TIMEOUT_S = 300.0
"""Section 4.5.3.2: for the next line."""


_Untyped: Any = ESMTP
"""Twisted's mail has no types."""


class SmtpSession(_Untyped):  # type: ignore[misc]
    """One connection of a host that sends mail."""

    _log = Logger()
    noisy = False
    timeout = TIMEOUT_S
    MAX_LENGTH = MAX_LINE_BYTES

    def __init__(self, server: SmtpServer) -> None:
        super().__init__()
        self.host = server.receiver.domain.encode("idna")
        self.callLater = server.clock.callLater  # of TimeoutMixin, which otherwise takes the global reactor
        self._server = server
        self._receiver = server.receiver
        self._envelope: Envelope | None = None
        self._data: bytearray | None = None
        """The incoming mail; None while its content is discarded."""
        self._size_bytes = 0
        """Of the incoming mail, including discarded content."""
        self._errors = 0
        self._later: deque[bytes] = deque()
        """Lines that arrived while a reply was pending (RFC 2920)."""
        self._busy: Deferred[Any] | None = None
        self._is_lost = False

    # --- the connection

    def greeting(self) -> bytes:
        return bytes(self.host) + b" ESMTP xmpplab"

    def connectionMade(self) -> None:
        self._server.sessions.add(self)
        if self._server.is_full:
            self.sendCode(421, b"4.3.2 too many connections; try again later")
            self.transport.loseConnection()
        else:
            super().connectionMade()

    def connectionLost(self, reason: Failure) -> None:
        self._server.sessions.discard(self)
        self._is_lost = True
        self.setTimeout(None)
        self._later.clear()
        self._release()
        if self._busy is not None:
            self._busy.cancel()

    def shut_down(self) -> None:
        """The host stops."""
        self.sendCode(421, b"4.3.2 going down")
        self.transport.loseConnection()

    def extensions(self) -> dict[bytes, list[bytes] | None]:
        return {
            b"SIZE": [b"%d" % self._receiver.max_bytes],
            **dict.fromkeys((b"8BITMIME", b"SMTPUTF8", b"PIPELINING", b"ENHANCEDSTATUSCODES")),
            **({b"DSN": None} if self._receiver.reports_delivery else {}),
        }

    def lineReceived(self, line: bytes) -> None:
        if self._busy is not None:
            self._later.append(line)
            return
        super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """What follows could be anything, so the connection ends."""
        self.sendCode(500, b"5.5.6 line too long")
        self.transport.loseConnection()

    def lookupMethod(self, command: bytes) -> Any:
        return super().lookupMethod(command) if command.isalpha() and command.isascii() else None

    def sendCode(self, code: int, message: bytes = b"") -> None:
        if code >= 400:
            self._errors += 1
        if self._errors > MAX_ERRORS:
            code, message = 421, b"4.7.0 too many errors"
            self.transport.loseConnection()
        super().sendCode(code, message)

    def _reply(self, code: int, text: str) -> None:
        self.sendCode(code, " ".join(text.split()).encode("ascii", "replace"))

    def _think(self, work: Coroutine[Deferred[Any], Any, tuple[int, str]]) -> None:
        """Reply with the result of a coroutine, or with its exception; later lines wait."""
        thinking = Deferred.fromCoroutine(work).addErrback(self._refused)
        if thinking.called and not thinking.paused:
            thinking.addCallback(lambda reply: self._reply(*reply))
            return
        self._busy = thinking
        self.setTimeout(None)
        self.transport.pauseProducing()
        thinking.addCallback(self._thought)

    def _refused(self, failure: Failure) -> tuple[int, str]:
        if isinstance(failure.value, Refused):
            return failure.value.code, failure.value.text
        if not self._is_lost:
            self._log.failure("a command of {peer} failed", failure, peer=self._peer)
        return 451, "4.3.0 an error of this host; try again later"

    def _thought(self, reply: tuple[int, str]) -> None:
        self._busy = None
        if self._is_lost:
            return
        self._reply(*reply)
        while self._later and self._busy is None and not self.transport.disconnecting:
            super().lineReceived(self._later.popleft())
        if self._busy is None:
            self.setTimeout(self.timeout)
            self.transport.resumeProducing()

    @property
    def _peer(self) -> str:
        return str(getattr(self.transport.getPeer(), "host", "unknown"))

    # --- commands

    def do_HELO(self, rest: bytes) -> None:
        self._envelope = None
        super().do_HELO(rest)

    def do_EHLO(self, rest: bytes) -> None:
        self._envelope = None
        super().do_EHLO(rest)

    def do_RSET(self, rest: bytes) -> None:
        self._envelope = None
        self.sendCode(250, b"2.0.0 forgotten")

    def do_NOOP(self, rest: bytes) -> None:
        """Section 4.1.1.9."""
        self.sendCode(250, b"2.0.0 nothing done")

    def do_VRFY(self, rest: bytes) -> None:
        """Section 3.5.3: it does not say which addresses exist."""
        self.sendCode(252, b"2.5.0 send it, and see")

    def ext_AUTH(self, rest: bytes) -> None:
        """There are no logins here."""
        self.do_UNKNOWN(rest)

    ext_STARTTLS = ext_AUTH

    def do_MAIL(self, rest: bytes) -> None:
        if self._envelope is not None:
            self.sendCode(503, b"5.5.1 one mail at a time")
            return
        try:
            path, parameters = parse("FROM", rest)
            check_mail(parameters, self._receiver)
            return_path = address_of(path, self._receiver.domain) if path else ""
        except Refused as error:
            self._reply(error.code, error.text)
            return
        if not self._server.rate.take(self._peer):
            self.sendCode(450, b"4.7.1 too many mails from you in a second; try again later")
            return
        helo = (self._helo[0] or b"").decode("ascii", "replace")
        self._envelope = Envelope(self._peer, " ".join(helo.split()), return_path, [], parameters.get("ENVID", ""), {})
        self.sendCode(250, b"2.1.0 go on")

    def do_RCPT(self, rest: bytes) -> None:
        if self._envelope is None:
            self.sendCode(503, b"5.5.1 MAIL comes first")
        elif len(self._envelope.recipients) >= MAX_RECIPIENTS:
            self.sendCode(452, b"4.5.3 that is enough for one mail; send another one to the others")
        else:
            self._think(self._recipient(self._envelope, rest))

    async def _recipient(self, envelope: Envelope, rest: bytes) -> tuple[int, str]:
        path, parameters = parse("TO", rest)
        wants = check_recipient(parameters, self._receiver)
        address = address_of(path, self._receiver.domain)
        await self._receiver.check_recipient(envelope, address)
        envelope.recipients.append(address)
        if "SUCCESS" in wants:
            envelope.tell[address] = parameters.get("ORCPT", "")
        return 250, "2.1.5 go on"

    def do_DATA(self, rest: bytes) -> None:
        if self._envelope is None or not self._envelope.recipients:
            self.sendCode(503, b"5.5.1 MAIL and RCPT come first")
            return
        self._data, self._size_bytes = bytearray(), 0
        self.mode = "BODY"
        self.sendCode(354, b"end it with a dot")

    def state_BODY(self, line: bytes) -> None:
        """A line of a mail, or the dot after it (section 4.5.2)."""
        if line == b".":
            self._end_of_mail()
            return
        line = line.removeprefix(b".")
        self._size_bytes += len(line) + 2
        if self._size_bytes > 2 * self._receiver.max_bytes:
            self.sendCode(552, b"5.3.4 far too big")
            self.transport.loseConnection()
        elif self._size_bytes > self._receiver.max_bytes or not self._server.has_room(len(line)):
            self._release()
        elif self._data is not None:
            self._data += line + b"\r\n"
            self._server.receiving_bytes += len(line) + 2

    def _release(self) -> bytes:
        """The content that was kept; its bytes no longer count for the server."""
        data, self._data = self._data, None
        self._server.receiving_bytes -= len(data or b"")
        return bytes(data or b"")

    def _end_of_mail(self) -> None:
        envelope, self._envelope = self._envelope, None
        assert envelope is not None
        is_whole, data = self._data is not None, self._release()
        self.mode = "COMMAND"
        if self._size_bytes > self._receiver.max_bytes:
            self._reply(552, f"5.3.4 too big: at most {self._receiver.max_bytes} bytes")
        elif not is_whole:
            self._reply(452, "4.3.1 too many mails come at once; try again later")
        else:
            self._think(self._take(envelope, data))

    async def _take(self, envelope: Envelope, data: bytes) -> tuple[int, str]:
        return 250, f"2.0.0 {await self._receiver.take(envelope, data)}"
