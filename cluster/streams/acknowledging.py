"""Acknowledges the stanzas of a component's stream as they settle, on either side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cluster.base.settled import Settled
from cluster.streams.backpressure import Unsettled
from cluster.xmpp.streams.component import ComponentStream


def acknowledge(stream: ComponentStream, settled: Settled, unsettled: Unsettled, write: Callable[[], None]) -> None:
    """Count a stanza of the peer, and acknowledge it when it has settled; `write` sends the output of the stream."""
    is_acknowledged = stream.received(settled)
    if settled is None:
        return

    def on_settled(result: Any) -> Any:
        stream.settled(settled)
        write()
        return result

    if is_acknowledged:
        settled.addBoth(on_settled)
    unsettled.add(settled)
