"""What stands between a link and the domain that it leads into: each stanza is checked before it is delivered."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.error import ConnectionLost
from twisted.internet.task import deferLater
from twisted.logger import Logger

from cluster.base import reasons
from cluster.base.clock import Clock, as_interface
from cluster.base.reasons import Reason
from cluster.base.settled import Settled
from cluster.base.storage import is_refusal
from cluster.router.port import QUEUE, HopRecorder, Receiver
from cluster.router.realm import realm
from cluster.xmpp.copies import Copies
from cluster.xmpp.jid import Jid, is_address
from cluster.xmpp.stanza import Stanza, addressed, opening
from cluster.xmpp.wellformed import SHORT_BYTES, are_elements, why_malformed, why_too_large

MAX_UNSETTLED = 256
"""Entries that may wait for the domain before their link is read on."""
MAX_UNSETTLED_BYTES = 8 << 20
"""What those may take, however few they are; what faults hold back has a bound of its own (faulty.py)."""
REFUSED_S = 1.0
"""How long to wait until a storage that refuses is asked again."""

Unsettled = tuple[Deferred[Any], int, Stanza]
"""A stanza that was delivered: when it settles, and its place in its entry. Stanzas may share the Deferred."""
_NOT_HERE = "to is not of this domain"


@lru_cache(maxsize=16_384)
def _opening(kind: str, from_: Jid) -> bytes | None:
    """How a stanza of this sender begins; None for what is no address."""
    return opening(kind, from_) if is_address(from_) else None


def _are_whole(items: Sequence[Stanza | Copies], tag: bytes) -> bool:
    """Whether the bytes of each are certainly one element; `tag`: see `are_elements`."""
    return are_elements([item if isinstance(item, Stanza) else item.first for item in items], tag)


class LinkGuard:
    """Takes in the entries of one link. What does not belong there is dropped, logged and traced.

    The other side's Redis user may write only to its own links, but into those whatever it likes. So who speaks, and
    that the bytes are one stanza of theirs, is checked; the rest of the header can only mislead about that stanza.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Clock,
        from_: str,
        to_domain: str,
        served_by: Mapping[str, str],
        receiver: Receiver,
        tracer: HopRecorder,
        *,
        cut_here: bool = False,
    ) -> None:
        """`from_` is the other domain, or `domain/node` for a further node of it;
        `served_by`: see `realm`. `cut_here`: a parser of ours cut each stanza out of a stream, so it is one element.
        """
        self._cut_here = cut_here
        self._tag = f"x{secrets.token_hex(8)}".encode()
        self._clock = clock
        self._refused = 0
        self._is_let_go = False
        self._link = from_
        self._from = from_domain = from_.partition("/")[0]
        self._senders = realm(from_domain, served_by)
        self._to = to_domain
        self._receivers = realm(to_domain, served_by)
        self._receiver = receiver
        self._tracer = tracer

    def may_read(self, unsettled: int, unsettled_bytes: int) -> bool:
        """Not while the domain has too much that has not settled, or refuses a stanza for now."""
        return not self._refused and unsettled < MAX_UNSETTLED and unsettled_bytes < MAX_UNSETTLED_BYTES

    def let_go(self) -> None:
        """Another process reads the link from now on: what was refused here comes to it."""
        self._is_let_go = True

    def take(self, entry_id: str, items: Sequence[Stanza | Copies], first: int = 0) -> Settled:
        """Deliver the stanzas of one entry. It settles with the last of them, or fails with ConnectionLost.

        That is when the storage is away, so that the entry has to be read again; its `entry_id` is the same then,
        and so are the places of its stanzas. A storage that refuses a stanza for now is offered it again and again, and
        the link is not read on meanwhile. Any other failure is logged and settles the stanza.
        """
        return self._let_through_all(entry_id, enumerate(items, first), self._cut_here or _are_whole(items, self._tag))

    def _let_through_all(self, entry_id: str, items: Iterable[tuple[int, Stanza | Copies]], are_whole: bool) -> Settled:
        unsettled: list[Unsettled] = []
        for index, item in items:
            place = f"{self._link}:{entry_id}:{index}"
            if isinstance(item, Copies):
                unsettled += [(settled, index, copy) for settled, copy in self._copies(place, item, are_whole)]
            elif (settled := self._let_through(place, item, are_whole)) is not None:
                unsettled.append((settled, index, item))
        if not unsettled:
            return None
        different = [*{settled: None for settled, _, _ in unsettled}]
        settled = DeferredList(different, consumeErrors=True)
        all_settled: Deferred[Any] = settled.addCallback(self._on_all_settled, entry_id, different, unsettled)
        return all_settled

    def _on_all_settled(
        self,
        results: list[tuple[bool, Any]],
        entry_id: str,
        different: list[Deferred[Any]],
        unsettled: Sequence[Unsettled],
    ) -> Any:
        refused: set[Deferred[Any]] = set()
        for (succeeded, failure), settled in zip(results, different, strict=True):
            if succeeded:
                continue
            if isinstance(failure.value, ConnectionLost):
                raise failure.value
            if is_refusal(failure.value):
                refused.add(settled)
            else:
                self._log.failure("Delivering a stanza from {from_domain}", failure, from_domain=self._from)
        if not refused:
            return None
        self._log.warn("What comes from {from_domain} waits: the storage refuses it", from_domain=self._from)
        again = [(index, stanza) for settled, index, stanza in unsettled if settled in refused]
        self._refused += 1
        return deferLater(as_interface(self._clock), REFUSED_S, self._deliver_again, entry_id, again)

    def _deliver_again(self, entry_id: str, stanzas: list[tuple[int, Stanza]]) -> Settled:
        """These only: the others of the entry have been delivered."""
        self._refused -= 1
        if self._is_let_go:
            raise ConnectionLost("the link is read elsewhere")
        return self._let_through_all(entry_id, stanzas, False)

    def _let_through(self, place: str, stanza: Stanza, is_whole: bool) -> Settled:
        """Deliver one stanza if it may pass; `is_whole`: its bytes are one element."""
        refusal = self._refusal(stanza, is_whole)
        if refusal is not None:
            self._drop(stanza, *refusal)
            return None
        if stanza.trace_id:
            self._tracer.record("dequeued", stanza, node=QUEUE)
        try:
            return self._receiver.from_link(stanza, place)
        except Exception as error:  # one stanza must not hold up the link for ever
            self._not_delivered(stanza, error)
            return None

    def _copies(self, place: str, copies: Copies, is_whole: bool) -> Iterable[tuple[Deferred[Any], Stanza]]:
        """The same for one stanza for many, whose bytes are looked at once."""
        here: list[Jid] = []
        for to in copies.receivers:
            if to.domainpart in self._receivers and is_address(to):
                here.append(to)
            else:
                self._drop(addressed(copies.stanza, to), _NOT_HERE, reasons.MISROUTED)
        if not here:
            return ()
        copies = Copies(copies.stanza, here)
        refusal = self._refusal(copies.first, is_whole)
        if refusal is not None:
            self._drop(copies.first, *refusal)
            return ()
        if copies.trace_id:
            for copy in copies.each():
                self._tracer.record("dequeued", copy, node=QUEUE)
        try:
            return self._receiver.copies_from_link(copies, place)
        except Exception as error:
            self._not_delivered(copies.first, error)
            return ()

    def _not_delivered(self, stanza: Stanza, error: Exception) -> None:
        self._log.failure("Delivering a stanza from {from_domain}", from_domain=self._from)
        self._tracer.record("dropped", stanza, f"delivering it failed: {error}", reason=reasons.INTERNAL_ERROR)

    def _refusal(self, stanza: Stanza, is_whole: bool) -> tuple[str, Reason] | None:
        """Why the stanza may not pass; None where it may."""
        from_, to, raw = stanza.from_, stanza.to, stanza.raw
        if from_ is None or from_.domainpart not in self._senders:
            return "from is not of the link's domain", reasons.FORGED
        if to is None or to.domainpart not in self._receivers:
            return _NOT_HERE, reasons.MISROUTED
        begins = _opening(stanza.kind, from_)
        if begins is None:
            return "from is not an address", reasons.FORGED
        if not raw.startswith(begins):
            return "its bytes do not begin with its from", reasons.FORGED
        if not is_whole and (text := why_malformed(raw)):
            return text, reasons.MALFORMED
        if len(raw) > SHORT_BYTES and (text := why_too_large(raw)):
            return text, reasons.TOO_LARGE
        return None

    def _drop(self, stanza: Stanza, text: str, reason: Reason) -> None:
        self._log.warn(
            "Dropped a {kind} from {from_} on the link {link}: {reason}",
            kind=stanza.kind, from_=str(stanza.from_), link=f"{self._from} to {self._to}", reason=text,
        )  # fmt: skip
        self._tracer.record("dropped", stanza, text, QUEUE, reason)
