"""The lab's message centre, wired."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cluster.base.clock import Clock
from cluster.networks.faults import Door
from cluster.networks.smsc.administration import SmscAdministration
from cluster.networks.smsc.centre import MessageCentre
from cluster.networks.smsc.configuration import SmscSettings
from cluster.networks.smsc.esmes import EsmeSessions
from cluster.networks.smsc.hops import Hops
from cluster.networks.smsc.limits import Limits
from cluster.networks.smsc.phone import Phone
from cluster.networks.smsc.senders import Senders
from cluster.networks.smsc.spool import Spool
from cluster.protocols.smpp.constants import CommandId
from cluster.protocols.smpp.window import Window
from cluster.trace.hop import Tracer

DELIVER_WINDOW = 10
"""deliver_sm that one ESME may have unanswered."""


class Smsc:
    """Everything of one message centre. `administration` answers its operator's requests."""

    def __init__(
        self,
        reactor: Clock,
        settings: SmscSettings,
        folder: Path | None,
        tracer: Tracer,
        *,
        now_utc_s: Callable[[], float],
        new_id: Callable[[], str],
        jitter: Callable[[], float],
    ) -> None:
        """`folder` has the inboxes and the undelivered messages; None: in memory only. `jitter()` in [0, 1)."""
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        hops = Hops(tracer)
        phones = {
            subscriber.number: Phone(
                subscriber.number, subscriber.name, folder and folder / f"{subscriber.number}.jsonl"
            )
            for subscriber in settings.subscribers
        }  # fmt: skip
        self._windows = {
            esme.system_id: Window(reactor, CommandId.DELIVER_SM, DELIVER_WINDOW, jitter) for esme in settings.esmes
        }
        spool = Spool(folder and folder / "spool.jsonl")
        senders = Senders(folder and folder / "senders.jsonl")
        self._centre = MessageCentre(
            reactor, settings, phones, self._windows, spool, senders, hops, now_utc_s=now_utc_s, new_id=new_id
        )
        limits = Limits(reactor.seconds)
        accounts = {esme.system_id: esme for esme in settings.esmes}
        self._esmes = EsmeSessions(reactor, accounts, self._windows, self._centre, limits)
        self._door = Door(self._esmes, self._esmes.close)
        self.administration = SmscAdministration(
            settings, self._centre, self._esmes, phones, limits, hops, self._door,
            now_utc_s=now_utc_s, first_reference=int(jitter() * 65536),
        )  # fmt: skip

    async def start(self, endpoint: Any) -> Any:
        """Listen at this server endpoint; returns the IListeningPort."""
        self._centre.start()
        return await self._door.open(endpoint)

    async def stop(self) -> None:
        """Disconnect all ESMEs; undelivered messages stay in the folder."""
        self._centre.stop()
        for window in self._windows.values():
            window.stop()
        await self._door.shut()
