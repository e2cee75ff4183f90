"""A tracer that follows every stanza for a recording, in a run that is the same without it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from typing_extensions import override

from cluster.base.clock import Clock
from cluster.base.reasons import Reason
from cluster.simulation.recording import PREFIX, Recording
from cluster.simulation.watchful import Ignored, WatchfulTracer
from cluster.trace.hop import Event, Hop, Journal, Tracer
from cluster.xmpp.stanza import Stanza


class FollowingTracer(WatchfulTracer):
    """Gives each stanza that is not followed an id that only the recording knows.

    What the run itself records and draws by chance is as without a recording.
    """

    def __init__(
        self, node: str, journal: Journal, now_utc_ns: Callable[[], int], new_id: Callable[[], str], sample_every: int,
        clock: Clock, ignored: Ignored, recording: Recording,
    ) -> None:  # fmt: skip
        super().__init__(node, self, now_utc_ns, new_id, sample_every, clock, ignored)
        self._of_run = journal
        self._recording = recording
        self._seen = Tracer(node, recording, now_utc_ns, recording.new_id, 0, clock)
        self._is_seen = False
        """What is recorded now is in the recording already, with its own id."""
        self._own_ids: dict[str, str] = {}
        """The id in the recording, of a stanza whose loss is about to be recorded, by that in the run."""

    def append(self, hop: Hop) -> None:
        """A hop that the run records, too."""
        self._of_run.append(hop)
        if not self._is_seen:
            self._recording.append(hop)

    @override
    def sample(self, stanza: Stanza) -> str:
        return super().sample(stanza) or self._recording.new_id()

    @override
    def followed(self, stanza: Stanza) -> Stanza:
        if not stanza.trace_id.startswith(PREFIX):
            return super().followed(stanza)
        followed = super().followed(msgspec.structs.replace(stanza, trace_id=""))
        self._own_ids[followed.trace_id] = stanza.trace_id
        return followed

    @override
    def record(
        self, event: str, stanza: Stanza, detail: str = "", node: str = "", reason: Reason | None = None,
        copies: int = 0,
    ) -> None:  # fmt: skip
        own = stanza.trace_id if stanza.trace_id.startswith(PREFIX) else ""
        if own:
            stanza = msgspec.structs.replace(stanza, trace_id="")
        elif event == Event.LOST:
            own = self._own_ids.pop(stanza.trace_id, "")
        if own:
            seen = msgspec.structs.replace(stanza, trace_id=own)
            self._seen.record(event, seen, detail, node, reason, copies)
        self._is_seen = bool(own)
        try:
            super().record(event, stanza, detail, node, reason, copies)
        finally:
            self._is_seen = False
