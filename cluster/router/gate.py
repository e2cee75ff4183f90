"""What stands between a link and the domain that it leads into: each stanza is checked before it is delivered."""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger

from cluster.router.port import Deliver, HopRecorder, Settled
from cluster.xmpp.stanza import Stanza, opening

NODE = "router"
"""The name of the queue between two domains, in hops."""


class Gate:
    """Takes in the entries of one link. What does not belong there is dropped, logged and traced.

    The other side's Redis user may write only to its own links, but into those whatever it likes. So who speaks, and
    that the bytes are one stanza of theirs, is checked; the rest of the header can only mislead about that stanza.
    """

    _log = Logger()

    def __init__(self, from_domain: str, to_domain: str, deliver: Deliver, tracer: HopRecorder) -> None:
        self._from = from_domain
        self._from_part_of = f".{from_domain}"
        self._to = to_domain
        self._to_part_of = f".{to_domain}"
        self._deliver = deliver
        self._tracer = tracer

    def take(self, entry_id: str, stanzas: list[Stanza]) -> Settled:
        """Deliver the stanzas of one entry. It settles with the last of them, or fails with ConnectionLost.

        That is when the storage is away, so that the entry has to be read again; its `entry_id` is the same then,
        and so are the places of its stanzas. Any other failure is logged and settles the stanza.
        """
        unsettled: set[Deferred[Any]] = set()  # stanzas may share one
        for index, stanza in enumerate(stanzas):
            settled = self._take(f"{self._from}:{entry_id}:{index}", stanza)
            if settled is not None:
                unsettled.add(settled)
        if not unsettled:
            return None
        return DeferredList(unsettled, consumeErrors=True).addCallback(self._on_all_settled)

    def _on_all_settled(self, results: list[tuple[bool, Any]]) -> None:
        failures = [value for succeeded, value in results if not succeeded]
        for failure in failures:
            if isinstance(failure.value, ConnectionLost):
                raise failure.value
            self._log.failure("Delivering a stanza from {from_domain}", failure, from_domain=self._from)

    def _take(self, place: str, stanza: Stanza) -> Settled:
        refusal = self._refusal(stanza)
        if refusal:
            self._drop(stanza, refusal)
            return None
        if stanza.trace_id:
            self._tracer.record("dequeued", stanza, node=NODE)
        try:
            return self._deliver(stanza, place)
        except Exception as error:  # one stanza must not hold up the link for ever
            self._log.failure("Delivering a stanza from {from_domain}", from_domain=self._from)
            self._tracer.record("dropped", stanza, f"delivering it failed: {error}")
            return None

    def _refusal(self, stanza: Stanza) -> str:
        """Why the stanza may not pass; empty where it may."""
        from_, to, raw = stanza.from_, stanza.to, stanza.raw
        if from_ is None or not (from_.domainpart == self._from or from_.domainpart.endswith(self._from_part_of)):
            return "from is not of the link's domain"
        if to is None or not (to.domainpart == self._to or to.domainpart.endswith(self._to_part_of)):
            return "to is not of this domain"
        if not raw.startswith(opening(stanza.kind, from_)):
            return "its bytes do not begin with its from"
        try:
            expat.ParserCreate().Parse(raw, True)  # one element, or there is junk behind it: a second, forged stanza
        except expat.ExpatError as error:
            return f"its bytes are not one element: {error}"
        return ""

    def _drop(self, stanza: Stanza, reason: str) -> None:
        self._log.warn(
            "Dropped a {kind} from {from_} on the link {link}: {reason}",
            kind=stanza.kind, from_=str(stanza.from_), link=f"{self._from} to {self._to}", reason=reason,
        )  # fmt: skip
        self._tracer.record("dropped", stanza, reason, node=NODE)
