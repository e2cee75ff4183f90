"""The hops of short messages, which the message centre and its phones write to the journal."""

from __future__ import annotations

from cluster.base.reasons import Reason
from cluster.protocols.smpp.compose import destination_of, source_of, trace_id_in
from cluster.protocols.smpp.pdu import Pdu, Sm
from cluster.protocols.smpp.receipt import is_receipt
from cluster.trace.hop import Event, Tracer


class Hops:
    """Records the events of followed messages, and failures of all others."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def record(self, event: Event, pdu: Pdu, node: str, detail: str, reason: Reason | None = None) -> None:
        """Append a hop at this lab node; see `Tracer.record_foreign`."""
        sm = pdu.body
        if not isinstance(sm, Sm):
            return
        kind = "receipt" if is_receipt(sm) else "sms"
        self._tracer.record_foreign(
            event, trace_id_in(pdu), kind, source_of(sm), destination_of(sm), len(pdu.octets), detail, node, reason
        )
