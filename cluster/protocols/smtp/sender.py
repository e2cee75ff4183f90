"""The sending side of SMTP (RFC 5321): one connection, which carries mails until none are left."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
from twisted.internet.protocol import connectionDone
from twisted.mail.smtp import ESMTPClient, LOGINAuthenticator, PLAINAuthenticator
from twisted.python.failure import Failure

from cluster.base.clock import Clock
from cluster.protocols.mime.address import for_the_wire, needs_smtputf8
from cluster.protocols.smtp.port import Mail
from cluster.protocols.smtp.settings import RelaySettings

TIMEOUT_S = 300.0
"""RFC 5321 section 4.5.3.2: for each reply; twice as long for the reply to a mail, although hosts no longer need it."""

MAX_REPLY_LINES = 100
"""Of one reply (RFC 5321 section 4.2.1 has no bound); real ones have some 20."""
MAX_MAILS = 10
"""Of one connection: exim puts further ones aside until its next queue run (smtp_accept_queue_per_connection)."""
QUIT_TIMEOUT_S = 5.0
"""For the reply to QUIT, which nobody needs."""


class Answer(msgspec.Struct, frozen=True):
    """The other host's reply to a mail."""

    code: int
    """Of SMTP; 0 if the connection was lost before a reply."""
    text: str
    to_recipient: bool = False
    """It was the reply to RCPT, so it is about the address."""

    @property
    def is_taken(self) -> bool:
        """The other host has accepted the mail."""
        return 200 <= self.code < 300

    @property
    def is_final(self) -> bool:
        """The other host will never accept the mail."""
        return self.code >= 500

    def __str__(self) -> str:
        return f"{self.code} {self.text}" if self.code else self.text


class Work(Protocol):
    """Gives mails to a connection."""

    def next(self) -> Mail | None:
        """The next mail; None to end the connection."""

    def answered(self, mail: Mail, answer: Answer) -> None:
        """The reply to a mail. Called once for each mail of `next`."""

    def ended(self, courier: SmtpSender, trouble: str) -> None:
        """The connection has ended; `trouble`: why the other host could not be used; empty for a good end."""


_Untyped: Any = ESMTPClient
"""Twisted's mail has no types."""
_WAYS_TO_LOG_IN: tuple[Any, ...] = (PLAINAuthenticator, LOGINAuthenticator)


class SmtpSender(_Untyped):  # type: ignore[misc]
    """One connection. It uses the greeting, STARTTLS and AUTH of Twisted's client.

    The transactions are its own: with parameters, and with dots doubled at the start of every line, which Twisted
    forgets where its pieces of 16 KiB meet. It has no log, which would have the password in it.
    """

    debug = False
    heloFallback = True
    timeout = TIMEOUT_S

    def __init__(self, clock: Clock, settings: RelaySettings, identity: str, tls: Any, work: Work) -> None:
        """`identity`: our own host's name; `tls`: an IOpenSSLClientConnectionCreator for the other's name."""
        super().__init__(settings.password.encode(), tls if settings.starttls else None, identity.encode("idna"))
        self.callLater = clock.callLater  # of TimeoutMixin
        self.requireTransportSecurity = settings.starttls
        self.requireAuthentication = bool(settings.user)
        if settings.user:
            for way in _WAYS_TO_LOG_IN:
                self.registerAuthenticator(way(settings.user.encode()))
        self._work = work
        self._mail: Mail | None = None
        self._carried = 0
        self._offers: set[bytes] = set()
        self._trouble = ""
        self.is_over = False
        """The connection is lost or ended."""
        self._is_leaving = False
        self._is_served = False
        """The other host accepted the session; later refusals are about a mail."""

    # --- the connection

    def esmtpState_serverConfig(self, code: int, resp: bytes) -> None:
        self._offers = {line.split(None, 1)[0].upper() for line in resp.splitlines() if line.strip()}
        super().esmtpState_serverConfig(code, resp)

    def esmtpState_starttls(self, code: int, resp: bytes) -> None:
        if self.clearLineBuffer():  # input from before the handshake must not be taken for input after it
            self._trouble = "the host said something between STARTTLS and TLS"
            self.transport.abortConnection()
            return
        super().esmtpState_starttls(code, resp)

    def sendError(self, exc: Exception) -> None:
        """The other host refuses the session."""
        code, text = getattr(exc, "code", -1), getattr(exc, "resp", str(exc))
        text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        self._trouble = self._trouble or (f"{code} {text}" if code and code > 0 else text)
        super().sendError(exc)

    def timeoutConnection(self) -> None:
        if not self._is_leaving:
            self._trouble = f"no reply within {self.timeout:.0f} s"
        self.transport.abortConnection()

    def _disconnectFromServer(self) -> None:
        self._is_leaving = True
        super()._disconnectFromServer()
        self.setTimeout(QUIT_TIMEOUT_S)

    def lineReceived(self, line: bytes) -> None:
        if len(self.resp) >= MAX_REPLY_LINES:
            self._trouble = "the host sent a reply without an end"
            self.transport.abortConnection()
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        self._trouble = "the host sent a line without an end"
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.is_over = True
        mail, self._mail = self._mail, None
        if mail is not None:
            self._trouble = self._trouble or f"connection lost: {reason.getErrorMessage()}"
            self._work.answered(mail, Answer(0, self._trouble))
        elif not self._is_served and not self._trouble:
            self._trouble = f"connection lost before the host let us in: {reason.getErrorMessage()}"
        self._work.ended(self, self._trouble)

    def smtpState_helo(self, code: int, resp: bytes) -> None:
        super().smtpState_helo(code, resp)
        self._failresponse = self.smtpConnectionFailed

    # --- transactions

    def smtpState_from(self, code: int, resp: bytes) -> None:
        self._is_served = True
        mail = self._mail = self._next()
        if mail is None:
            self._disconnectFromServer()
            return
        parameters = b" SIZE=%d" % len(mail.data) if b"SIZE" in self._offers else b""
        if _needs_smtputf8(mail):
            parameters += b" SMTPUTF8"
        self._say(b"MAIL FROM:<%s>%s" % (for_the_wire(mail.return_path).encode(), parameters), [250], self._say_to)

    def _next(self) -> Mail | None:
        while self._carried < MAX_MAILS and (mail := self._work.next()) is not None:
            self._carried += 1
            if b"SMTPUTF8" in self._offers or not _needs_smtputf8(mail):
                return mail
            text = "5.6.7 the mail host accepts no addresses beyond ASCII"
            self._work.answered(mail, Answer(553, text, to_recipient=True))
        return None

    def _say_to(self, code: int, resp: bytes) -> None:
        mail = self._mail
        assert mail is not None
        tell_all = mail.sent is not None and mail.sent.wants_receipt and b"DSN" in self._offers
        parameters = b" NOTIFY=SUCCESS,FAILURE" if tell_all else b""  # RFC 3461 section 4.1
        self._say(b"RCPT TO:<%s>%s" % (for_the_wire(mail.recipient).encode(), parameters), [250, 251], self._say_data)
        self._failresponse = lambda code, resp: self._refused(code, resp, to_recipient=True)

    def _say_data(self, code: int, resp: bytes) -> None:
        self._say(b"DATA", [354], self.smtpState_data)

    def smtpState_data(self, code: int, resp: bytes) -> None:
        """Send all of it at once: a mail that was a stanza is small."""
        assert self._mail is not None
        data = self._mail.data if self._mail.data.endswith(b"\r\n") else self._mail.data + b"\r\n"
        self.transport.write((b"\r\n" + data).replace(b"\r\n.", b"\r\n..")[2:])  # RFC 5321 section 4.5.2
        self._say(b".", [250], self._taken)

    def _taken(self, code: int, resp: bytes) -> None:
        self._finish(Answer(code, _words(resp)))

    def _refused(self, code: int, resp: bytes, to_recipient: bool = False) -> None:
        """The mail is refused; after a reply that is neither acceptance nor refusal the connection cannot be used."""
        if code < 400 or self._mail is None:
            self._trouble = f"an unexpected reply: {code} {_words(resp)}"
            self.transport.abortConnection()
        else:
            self._finish(Answer(code, _words(resp), to_recipient))

    def _finish(self, answer: Answer) -> None:
        mail, self._mail = self._mail, None
        assert mail is not None
        self._work.answered(mail, answer)
        if answer.code == 421:  # RFC 5321 section 3.8: the host closes the connection
            self._trouble = str(answer)
            self.transport.loseConnection()
        else:
            self._say(b"RSET", [250], self.smtpState_from)
            self._failresponse = self._refused

    def _say(self, line: bytes, expected: list[int], then: Any) -> None:
        self._expected, self._okresponse, self._failresponse = expected, then, self._refused
        self.sendLine(line)


def _needs_smtputf8(mail: Mail) -> bool:
    return needs_smtputf8(mail.return_path) or needs_smtputf8(mail.recipient)


def _words(resp: bytes | str) -> str:
    return " ".join((resp.decode("utf-8", "replace") if isinstance(resp, bytes) else resp).split())
