"""The mail gateway, wired."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cluster.base.clock import Clock
from cluster.base.settled import Settled
from cluster.components.gateway import contact_jid
from cluster.gateways.mail.addresses import Addresses
from cluster.gateways.mail.bounces import Bounces
from cluster.gateways.mail.configuration import MailSettings
from cluster.gateways.mail.gateway import MailGateway
from cluster.gateways.mail.inbound import Inbound
from cluster.protocols.smtp.port import Ledger, Spool
from cluster.protocols.smtp.queue import OutboundQueue
from cluster.protocols.smtp.relay import Relay
from cluster.protocols.smtp.server import SmtpServer
from cluster.trace.hop import Tracer
from cluster.xmpp.stanza import Stanza


class MailService:
    """Everything of one mail gateway but its connection to the XMPP server: `gateway` is for its `GatewayRuntime`."""

    def __init__(
        self,
        clock: Clock,
        settings: MailSettings,
        relay: Relay,
        spool: Spool,
        ledger: Ledger,
        send: Callable[[Stanza], Settled],
        tracer: Tracer,
        *,
        now_utc_s: Callable[[], float],
        new_id: Callable[[], str],
        jitter: Callable[[], float],
    ) -> None:
        """`send` is that of the ComponentConnection; `new_id` returns ids that nobody can guess."""
        addresses = Addresses(settings.domain, settings.xmpp_domains, dict(settings.aliases))
        bounces = Bounces(addresses, send, new_id, now_utc_s)
        self.queue = OutboundQueue(
            clock, spool, relay, bounces.failed, tracer, settings.name, now_utc_s=now_utc_s, jitter=jitter
        )
        self.gateway = MailGateway(
            clock, addresses, self.queue, ledger, bounces, tracer, now_utc_s=now_utc_s, new_id=new_id
        )
        inbound = Inbound(
            clock, settings, addresses, ledger, bounces, tracer, send,
            lambda address: contact_jid(self.gateway, settings.domain, address), new_id,
        )  # fmt: skip
        self.server = SmtpServer(clock, inbound, settings.max_mails_per_s)

    async def start(self, endpoint: Any) -> Any:
        """Listen at this server endpoint, and send what an earlier process left; returns the IListeningPort."""
        await self.queue.start()
        self._port: Any = await endpoint.listen(self.server)
        return self._port

    async def stop(self) -> None:
        """Accept no more mail; unsent mails stay in the spool. Then stop the runtime."""
        if hasattr(self, "_port"):
            await self._port.stopListening()
        self.server.close()
        await self.queue.stop()
