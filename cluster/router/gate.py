"""What stands between a link and the domain that it leads into: each stanza is checked before it is delivered."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger

from cluster.router.port import Deliver, HopRecorder, Settled
from cluster.router.realm import realm
from cluster.router.whole import are_whole, why_not_whole
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.stanza import Stanza, opening

if TYPE_CHECKING:
    from cluster.router.faulty import FaultyLink

NODE = "router"
"""The name of the queue between two domains, in hops."""
MAX_UNSETTLED = 256
"""Entries that may wait for the domain before their link is read on."""


@lru_cache(maxsize=16_384)
def _opening(kind: str, from_: Jid) -> bytes | None:
    """How a stanza of this sender begins; None for parts of an address that, written together, read as another."""
    try:
        return opening(kind, from_) if Jid.parse(str(from_)) == from_ else None
    except JidError:
        return None


class Gate:
    """Takes in the entries of one link. What does not belong there is dropped, logged and traced.

    The other side's Redis user may write only to its own links, but into those whatever it likes. So who speaks, and
    that the bytes are one stanza of theirs, is checked; the rest of the header can only mislead about that stanza.
    """

    _log = Logger()

    def __init__(
        self, from_: str, to_domain: str, served_by: Mapping[str, str], deliver: Deliver, tracer: HopRecorder
    ) -> None:
        """`from_` is the other domain, or `domain/node` for a further node of it; `served_by`: see `realm`."""
        self._link = from_
        self._from = from_domain = from_.partition("/")[0]
        self._senders = realm(from_domain, served_by)
        self._to = to_domain
        self._receivers = realm(to_domain, served_by)
        self._deliver = deliver
        self._tracer = tracer
        self.faults: FaultyLink | None = None
        """What stands before the gate of a link that has faults (see link_faults.py)."""

    def may_read(self, unsettled: int) -> bool:
        """Whether more of the link may be read while so many of its entries have not settled."""
        if self.faults is None:
            return unsettled < MAX_UNSETTLED
        return unsettled - self.faults.held_entries < MAX_UNSETTLED and self.faults.may_read()

    def let_go(self) -> None:
        """Somebody else reads the link from now on: what is on its way comes to them."""
        if self.faults is not None:
            self.faults.stop()

    def take(self, entry_id: str, stanzas: list[Stanza]) -> Settled:
        """Deliver the stanzas of one entry. It settles with the last of them, or fails with ConnectionLost.

        That is when the storage is away, so that the entry has to be read again; its `entry_id` is the same then,
        and so are the places of its stanzas. Any other failure is logged and settles the stanza.
        """
        if self.faults is not None:
            return self.faults.take(entry_id, stanzas)
        unsettled: set[Deferred[Any]] = set()  # stanzas may share one
        whole = are_whole(stanzas)
        for index, stanza in enumerate(stanzas):
            settled = self.let_through(entry_id, index, stanza, whole)
            if settled is not None:
                unsettled.add(settled)
        return self.all_settled(unsettled)

    def all_settled(self, unsettled: set[Deferred[Any]]) -> Settled:
        """When the stanzas of one entry have settled; see `take`."""
        if not unsettled:
            return None
        return DeferredList(unsettled, consumeErrors=True).addCallback(self._on_all_settled)

    def _on_all_settled(self, results: list[tuple[bool, Any]]) -> None:
        failures = [value for succeeded, value in results if not succeeded]
        for failure in failures:
            if isinstance(failure.value, ConnectionLost):
                raise failure.value
            self._log.failure("Delivering a stanza from {from_domain}", failure, from_domain=self._from)

    def let_through(self, entry_id: str, index: int, stanza: Stanza, is_whole: bool = False) -> Settled:
        """Deliver one stanza, the `index`th of its entry, if it may pass; `is_whole`: its bytes are one element."""
        refusal = self._refusal(stanza, is_whole)
        if refusal:
            self._drop(stanza, refusal)
            return None
        if stanza.trace_id:
            self._tracer.record("dequeued", stanza, node=NODE)
        try:
            return self._deliver(stanza, f"{self._link}:{entry_id}:{index}")
        except Exception as error:  # one stanza must not hold up the link for ever
            self._log.failure("Delivering a stanza from {from_domain}", from_domain=self._from)
            self._tracer.record("dropped", stanza, f"delivering it failed: {error}")
            return None

    def _refusal(self, stanza: Stanza, is_whole: bool) -> str:
        """Why the stanza may not pass; empty where it may."""
        from_, to, raw = stanza.from_, stanza.to, stanza.raw
        if from_ is None or from_.domainpart not in self._senders:
            return "from is not of the link's domain"
        if to is None or to.domainpart not in self._receivers:
            return "to is not of this domain"
        begins = _opening(stanza.kind, from_)
        if begins is None:
            return "from is no address"
        if not raw.startswith(begins):
            return "its bytes do not begin with its from"
        return "" if is_whole else why_not_whole(raw)

    def _drop(self, stanza: Stanza, reason: str) -> None:
        self._log.warn(
            "Dropped a {kind} from {from_} on the link {link}: {reason}",
            kind=stanza.kind, from_=str(stanza.from_), link=f"{self._from} to {self._to}", reason=reason,
        )  # fmt: skip
        self._tracer.record("dropped", stanza, reason, node=NODE)
