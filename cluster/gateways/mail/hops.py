"""The hops of mails: what gateways and mail hosts tell the journal."""

from __future__ import annotations

from collections.abc import Callable

from cluster.trace.hop import Event, Hop, Journal


class Hops:
    """Records what happened to mails that bear the key of a trace."""

    def __init__(self, journal: Journal, now_utc_ns: Callable[[], int]) -> None:
        self._journal = journal
        self._now_utc_ns = now_utc_ns

    def record(
        self, event: Event, trace_id: str, node: str, from_: str, to: str, size_bytes: int, detail: str = ""
    ) -> None:
        """Append a hop at this lab node, if the mail is followed. `from_` and `to` are mail addresses."""
        if trace_id:
            hop = Hop(trace_id, node, event, self._now_utc_ns(), "mail", from_, to, size_bytes, detail)
            self._journal.append(hop)
