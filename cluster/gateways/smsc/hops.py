"""The hops of short messages: what the message centre and its phones tell the journal."""

from __future__ import annotations

from collections.abc import Callable

from cluster.gateways.smpp.compose import destination_of, source_of, trace_id_in
from cluster.gateways.smpp.pdu import Pdu, Sm
from cluster.gateways.smpp.receipt import is_receipt
from cluster.trace.hop import Event, Hop, Journal


class Hops:
    """Records what happened to messages that bear the key of a trace."""

    def __init__(self, journal: Journal, now_utc_ns: Callable[[], int]) -> None:
        self._journal = journal
        self._now_utc_ns = now_utc_ns

    def record(self, event: Event, pdu: Pdu, node: str, detail: str) -> None:
        """Append a hop at this lab node, if the message is followed."""
        trace_id = trace_id_in(pdu)
        if not trace_id or not isinstance(pdu.body, Sm):
            return
        sm = pdu.body
        kind = "receipt" if is_receipt(sm) else "sms"
        self._journal.append(
            Hop(
                trace_id, node, event, self._now_utc_ns(),
                kind, source_of(sm), destination_of(sm), len(pdu.octets), detail,
            )
        )  # fmt: skip
