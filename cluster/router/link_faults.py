"""The faults of the links into one domain, and the links that have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from twisted.logger import Logger

from cluster.base import reasons
from cluster.base.clock import Clock
from cluster.router.chain import Chain
from cluster.router.faulty import FaultyLink, Loss
from cluster.router.port import QUEUE, HopRecorder
from cluster.router.reader import EntrySink
from cluster.router.settings import FaultSettings, shifted

_decode = msgspec.json.Decoder(FaultSettings).decode


class LinkFaults:
    """Gives links their faults, and changes them."""

    _log = Logger()

    def __init__(
        self,
        reactor: Clock,
        domain: str,
        tracer: HopRecorder,
        count: Callable[[str, int], None],
        now_utc_s: Callable[[], float],
    ) -> None:
        """`count(from, number)` counts the stanzas that faults lost on a link.

        `now_utc_s` is the clock of the stored settings; here their times are by the reactor's.
        """
        self._reactor = reactor
        self._now_utc_s = now_utc_s
        self._domain = domain
        self._tracer = tracer
        self._count = count
        self._settings: Mapping[str, bytes] = {}
        self._chains: dict[str, Chain] = {}
        self._links: dict[str, FaultyLink] = {}

    def before(self, from_: str, sink: EntrySink, on_room: Callable[[], None]) -> EntrySink:
        """The sink of a link that is read here: its faults, before `sink`. `on_room` is called when more may be read
        than before.

        The link is from a domain, or from a node of one (`domain/node`): all nodes share the faults of the domain's
        link.
        """
        link = FaultyLink(self._reactor, sink, self._chain(from_), lambda lost: self._on_lost(from_, lost), on_room)
        self._links[from_] = link
        return link

    def update(self, settings: Mapping[str, bytes]) -> None:
        """Replace the faults: `FaultSettings` as JSON, by the other domain."""
        before, self._settings = self._settings, settings
        changed = {domain for domain in {*before, *settings} if settings.get(domain) != before.get(domain)}
        for domain in changed:  # a change of one link must not affect stanzas on another
            self._chains.pop(domain, None)
        for from_, link in self._links.items():
            if _domain(from_) in changed:
                link.change(self._chain(from_))

    def forget(self, from_: str) -> None:
        """Nothing is on its way over this link; `before` makes it again."""
        self._links.pop(from_, None)
        if (domain := _domain(from_)) not in self._settings:
            self._chains.pop(domain, None)

    def stop(self) -> None:
        """Pass on no more."""
        for link in self._links.values():
            link.let_go()

    def _chain(self, from_: str) -> Chain:
        domain = _domain(from_)
        if domain not in self._chains:
            self._chains[domain] = self._made(domain, self._settings.get(domain))
        return self._chains[domain]

    def _made(self, domain: str, raw: bytes | None) -> Chain:
        try:
            settings = _decode(raw) if raw else FaultSettings("", {})
            return Chain(shifted(settings, self._reactor.seconds() - self._now_utc_s()), f"{domain} {self._domain}")
        except (msgspec.DecodeError, LookupError, TypeError, ValueError) as error:
            self._log.error("Unreadable faults of the link from {from_}: {error}", from_=domain, error=str(error))
            return Chain(FaultSettings("", {}), "")

    def _on_lost(self, from_: str, lost: list[Loss]) -> None:
        """Record the loss whether the stanza was followed or not: losses by faults must be distinguishable."""
        for stanza, fault in lost:
            detail = f"{fault}: {stanza.id}" if stanza.id else fault
            self._tracer.record("lost", self._tracer.followed(stanza), detail, QUEUE, reasons.LINK_LOSS)
        self._count(_domain(from_), len(lost))


def _domain(from_: str) -> str:
    return from_.partition("/")[0]
