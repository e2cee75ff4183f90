"""The hops of one message from romeo to juliet."""

from cluster.trace.hop import Event, Hop

START_NS = 1_700_000_000_000_000_000


def hop(node: str, event: Event, at_ms: float, detail: str = "", trace_id: str = "t1") -> Hop:
    at_utc_ns = START_NS + round(at_ms * 1e6)
    return Hop(trace_id, node, event, at_utc_ns, "message", "romeo@montague.lit/pda", "juliet@capulet.lit", 120, detail)


ROUTE = [
    hop("romeo@montague.lit", Event.SENT, 0),
    hop("s1", Event.RECEIVED, 0.5),
    hop("s1", Event.ROUTED, 0.75, "link to capulet.lit"),
    hop("router", Event.ENQUEUED, 1, "to capulet.lit"),
    hop("router", Event.DEQUEUED, 2),
    hop("s2", Event.DELIVERED, 2.5, "balcony"),
    hop("juliet@capulet.lit", Event.RECEIVED, 3),
]
