"""A tracer that tells the run which errors a server ignores: their messages came back, to a session that has ended."""

from __future__ import annotations

from collections.abc import Callable

from typing_extensions import override

from cluster.base import reasons
from cluster.base.clock import Clock
from cluster.base.reasons import Reason
from cluster.trace.hop import Journal, Tracer
from cluster.xmpp.stanza import Stanza

Ignored = Callable[[Stanza], None]


class WatchfulTracer(Tracer):
    """Tells of errors that have no receiver any more (RFC 6121 section 8.5), followed or not."""

    def __init__(
        self, node: str, journal: Journal, now_utc_ns: Callable[[], int], new_id: Callable[[], str], sample_every: int,
        clock: Clock, ignored: Ignored,
    ) -> None:  # fmt: skip
        super().__init__(node, journal, now_utc_ns, new_id, sample_every, clock)
        self._ignored = ignored

    @override
    def record(
        self, event: str, stanza: Stanza, detail: str = "", node: str = "", reason: Reason | None = None,
        copies: int = 0,
    ) -> None:  # fmt: skip
        if reason is reasons.IGNORED and stanza.type == "error":
            self._ignored(stanza)
        super().record(event, stanza, detail, node, reason, copies)
