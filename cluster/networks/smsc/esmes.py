"""The sessions of the ESMEs at the message centre."""

from __future__ import annotations

from collections.abc import Mapping
from hmac import compare_digest

from twisted.internet import protocol
from twisted.logger import Logger

from cluster.base.clock import Clock
from cluster.networks.smsc.centre import MessageCentre, Rejected
from cluster.networks.smsc.configuration import EsmeAccount
from cluster.networks.smsc.limits import Limits
from cluster.protocols.smpp.constants import BINDS, INTERFACE_VERSION, CommandId, CommandStatus, Tag
from cluster.protocols.smpp.pdu import Bind, BindResp, Pdu, SmResp
from cluster.protocols.smpp.session import SmppSession
from cluster.protocols.smpp.window import Window

BIND_TIMEOUT_S = 10.0
"""session_init_timer (section 7.2): a connection that does not bind is closed."""
MAX_SESSIONS = 200
"""Connections, bound or not; further ones are closed at once."""
MAX_UNANSWERED = 100
"""submit_sm of one session that may wait for their responses; section 2.9 advises an ESME to have no more than 10."""


class _Bound:
    """A bound session: its ESME, and the direction of its messages."""

    def __init__(self, account: EsmeAccount, bind: CommandId) -> None:
        self.account = account
        self.transmits = bind is not CommandId.BIND_RECEIVER
        self.receives = bind is not CommandId.BIND_TRANSMITTER
        self.unanswered = 0


class EsmeSessions(protocol.ServerFactory):
    """Accepts connections and binds, and hands submit_sm to the message centre."""

    _log = Logger()
    noisy = False

    def __init__(
        self,
        reactor: Clock,
        accounts: Mapping[str, EsmeAccount],
        windows: Mapping[str, Window],
        centre: MessageCentre,
        limits: Limits,
    ) -> None:
        """`accounts` and `windows` by system_id."""
        self._reactor = reactor
        self._accounts = accounts
        self._windows = windows
        self._centre = centre
        self._limits = limits
        self._sessions: dict[SmppSession, _Bound | None] = {}

    @property
    def bound(self) -> list[str]:
        """The system_id of each bound session, sorted."""
        return sorted(bound.account.system_id for bound in self._sessions.values() if bound is not None)

    def buildProtocol(self, addr: object) -> SmppSession | None:
        if len(self._sessions) >= MAX_SESSIONS:
            return None
        session = SmppSession(self._reactor, self)
        self._sessions[session] = None
        self._reactor.callLater(BIND_TIMEOUT_S, self._close_unbound, session)
        return session

    def close(self) -> None:
        """End all sessions."""
        for session in [*self._sessions]:
            session.close()

    # --- as the SessionOwner

    def on_request(self, session: SmppSession, pdu: Pdu) -> None:
        """bind_transceiver, bind_transmitter, bind_receiver and submit_sm."""
        if pdu.command_id in BINDS:
            self._bind(session, pdu)
        elif pdu.command_id is CommandId.SUBMIT_SM:
            self._submit(session, pdu)
        else:
            session.respond(pdu, CommandStatus.ESME_RINVCMDID)

    def on_lost(self, session: SmppSession) -> None:
        """Its messages go to another session of the same ESME, or wait."""
        bound = self._sessions.pop(session, None)
        if bound is None:
            return
        self._log.info("{system_id} is gone", system_id=bound.account.system_id)
        self._windows[bound.account.system_id].detach(session)
        self._attach(bound.account.system_id)

    def _close_unbound(self, session: SmppSession) -> None:
        if session in self._sessions and self._sessions[session] is None:
            session.close()

    def _bind(self, session: SmppSession, pdu: Pdu) -> None:
        assert isinstance(pdu.body, Bind)
        account = self._accounts.get(pdu.body.system_id)
        if self._sessions.get(session) is not None:
            session.respond(pdu, CommandStatus.ESME_RALYBND)
        elif account is None:
            self._refuse(session, pdu, CommandStatus.ESME_RINVSYSID)
        elif not compare_digest(account.password.encode(), pdu.body.password.encode()):
            self._refuse(session, pdu, CommandStatus.ESME_RINVPASWD)
        else:
            self._sessions[session] = _Bound(account, pdu.command_id)
            session.respond(
                pdu, body=BindResp("xmpplab"), tlvs={Tag.SC_INTERFACE_VERSION: bytes([INTERFACE_VERSION])}
            )  # fmt: skip
            self._log.info("{system_id} is bound by {how}", system_id=account.system_id, how=pdu.command_id.name)
            self._attach(account.system_id)

    def _refuse(self, session: SmppSession, pdu: Pdu, status: CommandStatus) -> None:
        assert isinstance(pdu.body, Bind)
        self._log.warn("{system_id!r} may not bind: {status}", system_id=pdu.body.system_id, status=status.name)
        session.respond(pdu, status)
        session.close()

    def _attach(self, system_id: str) -> None:
        """Deliver the ESME's messages over one of its sessions."""
        window = self._windows[system_id]
        for session, bound in self._sessions.items():
            if not window.open and bound is not None and bound.receives and bound.account.system_id == system_id:
                window.attach(session)

    def _submit(self, session: SmppSession, pdu: Pdu) -> None:
        bound = self._sessions.get(session)
        if bound is None or not bound.transmits:
            session.respond(pdu, CommandStatus.ESME_RINVBNDSTS)
        elif bound.unanswered >= MAX_UNANSWERED:
            session.respond(pdu, CommandStatus.ESME_RMSGQFUL)
        elif not self._limits.admits():
            session.respond(pdu, CommandStatus.ESME_RTHROTTLED)
        elif self._limits.refusal is not None:
            session.respond(pdu, self._limits.refusal)
        elif self._limits.delay_s:
            bound.unanswered += 1
            self._reactor.callLater(self._limits.delay_s, self._take_late, session, bound, pdu)
        else:
            self._take(session, bound, pdu)

    def _take_late(self, session: SmppSession, bound: _Bound, pdu: Pdu) -> None:
        bound.unanswered -= 1
        if session in self._sessions:
            self._take(session, bound, pdu)

    def _take(self, session: SmppSession, bound: _Bound, pdu: Pdu) -> None:
        try:
            message_id = self._centre.submit(pdu, bound.account.system_id)
        except Rejected as error:
            session.respond(pdu, error.command_status)
        else:
            session.respond(pdu, body=SmResp(message_id))
