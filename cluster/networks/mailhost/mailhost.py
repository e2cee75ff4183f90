"""The lab's mail host, wired."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cluster.base.clock import Clock
from cluster.networks.faults import Door
from cluster.networks.mailhost.administration import MailHostAdministration
from cluster.networks.mailhost.configuration import MailHostSettings
from cluster.networks.mailhost.host import MailHost
from cluster.networks.mailhost.mailbox import Mailbox
from cluster.protocols.smtp.folder import FolderSpool
from cluster.protocols.smtp.memory import MemorySpool
from cluster.protocols.smtp.queue import OutboundQueue
from cluster.protocols.smtp.relay import Relay
from cluster.protocols.smtp.server import SmtpServer
from cluster.trace.hop import Tracer


class LabMailHost:
    """Everything of one mail host. `administration` answers its operator's requests."""

    def __init__(
        self,
        clock: Clock,
        settings: MailHostSettings,
        routes: Mapping[str, Relay],
        folder: Path | None,
        tracer: Tracer,
        *,
        now_utc_s: Callable[[], float],
        new_id: Callable[[], str],
        jitter: Callable[[], float],
    ) -> None:
        """`routes`: the gateway's host for each domain that it accepts mail for.

        `folder` has a Maildir for each mailbox, and the mails that are not sent yet; None: in memory only.
        """
        mailboxes = {
            each.address: Mailbox(each.address, each.name, folder and folder / "mail" / each.address)
            for each in settings.mailboxes
        }
        host = MailHost(clock, settings, mailboxes, tracer, now_utc_s=now_utc_s, new_id=new_id)
        host.queues = {
            domain: OutboundQueue(
                clock, FolderSpool(folder / "spool" / domain) if folder else MemorySpool(), relay, host.failed, tracer,
                settings.name,
                now_utc_s=now_utc_s, jitter=jitter,
            )
            for domain, relay in routes.items()
        }  # fmt: skip
        self._host = host
        self._server = SmtpServer(clock, host, settings.max_mails_per_s)
        self._door = Door(self._server, self._server.close)
        self.administration = MailHostAdministration(
            host, self._server, self._door, mailboxes, now_utc_s=now_utc_s, new_id=new_id
        )

    async def start(self, endpoint: Any) -> Any:
        """Listen at this server endpoint, and send what an earlier process left; returns the IListeningPort."""
        for queue in self._host.queues.values():
            await queue.start()
        return await self._door.open(endpoint)

    async def stop(self) -> None:
        """Accept no more mail; unsent mails stay in the folder."""
        await self._door.shut()
        for queue in self._host.queues.values():
            await queue.stop()
