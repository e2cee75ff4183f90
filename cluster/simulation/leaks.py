"""What grows in servers although everybody has gone again, and what is beyond its bound."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterator
from functools import cache
from typing import Any, NamedTuple

from cluster.pubsub import pep
from cluster.router import inbound_link, outbound_link
from cluster.server.nodes import relayed
from cluster.server.sessions import persistence
from cluster.simulation.lab import SimulatedLab
from cluster.streams.outbox import MAX_UNSENT_BYTES
from cluster.trace import redis
from cluster.virtual.transport import BUFFER_BYTES

OURS = "cluster."
OTHERS = (
    "cluster.virtual.", "cluster.simulated_redis.", "cluster.topology.", "cluster.kinds.", "cluster.xmpp.parser",
    "cluster.simulation.recording",
)  # fmt: skip
"""The world around the servers, their plan, the last bytes on a connection, and who looks at the run."""
BOUNDS = {
    "InboundLink._known": inbound_link.REMEMBERED,
    "OutboundLink._answered": outbound_link.REMEMBERED_BYTES,  # an entry has at least one byte
    "Recent._kept": pep.MAX_WITHOUT_NODES,
    "RelayedPlaces.nodes": relayed.REMEMBERED,
    "SessionPersister._over": persistence.MAX_OVER,
    "_Newest._sizes": redis.MAX_ENTRIES,
}
"""Of each container that keeps the newest of what goes by, and so may grow."""
_PARTS = (tuple, dict, list, set, frozenset, deque)
"""Containers, and tuples, which cannot grow."""


class Look(NamedTuple):
    """What nodes have at one moment."""

    sizes: Counter[tuple[str, str]]
    """By the node, and by the class and the attribute of containers, or the function of timers."""
    beyond: list[str]
    """What is beyond its bound."""


def look(lab: SimulatedLab, nodes: Collection[str]) -> Look:
    """Look at all containers, timers and buffers of these nodes. Linear in what they have."""
    found = Look(Counter(), [])
    stored = [part for domain in lab.domains for _, part in _attributes(lab.backbone.store(domain))]
    shared = [part for _, part in _attributes(lab.backbone)]  # they would lead to all other servers
    outside = [lab, lab.backbone, *shared, *stored]
    for name in nodes:
        node = lab.nodes[name]
        for place, size in _containers(node.server, outside):
            found.sizes[name, place] += size
            if size > BOUNDS.get(place, size):
                found.beyond.append(f"{name}: {place} has {size:,}, and its bound is {BOUNDS[place]:,}")
        if node.host.most_unsent_bytes > MAX_UNSENT_BYTES + BUFFER_BYTES:
            found.beyond.append(f"{name}: {node.host.most_unsent_bytes:,} bytes waited for one peer that did not read")
    for (name, what), count in _timers(lab, nodes).items():
        if count > lab.nodes[name].host.connections + 1:
            found.sizes[name, what] = count
    return found


def _timers(lab: SimulatedLab, nodes: Collection[str]) -> Counter[tuple[str, str]]:
    """By node and function. Each connection to Redis or another server may have one, now and then."""
    names = {lab.nodes[name].host.life: name for name in nodes}
    calls = (call for call in lab.timeline.pending() if call.life in names)
    return Counter((names[call.life], f"timers of {call.name}") for call in calls)


def growth(before: Look, after: Look) -> Iterator[str]:
    """What has grown, and what is beyond its bound."""
    for (node, what), size in sorted(after.sizes.items()):
        if what not in BOUNDS and size > before.sizes[node, what]:
            yield f"{node}: {what} has grown from {before.sizes[node, what]:,} to {size:,}"
    yield from after.beyond


def _containers(root: object, outside: Collection[object]) -> Iterator[tuple[str, int]]:
    """The containers that attributes lead to, by class and attribute, and their sizes. Closures are left out."""
    seen = {id(each) for each in outside}
    waiting: deque[tuple[str, Any]] = deque([("", root)])
    while waiting:
        place, value = waiting.popleft()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, _PARTS):
            if not isinstance(value, tuple):
                yield place, len(value)
            parts = [*value, *value.values()] if isinstance(value, dict) else [*value]
            waiting.extend([(place, each) for each in parts if _leads_on(each)])
        else:
            waiting.extend([(f"{type(value).__name__}.{name}", each) for name, each in _attributes(value)])


def _attributes(value: object) -> Iterator[tuple[str, Any]]:
    slots = _slots(type(value))  # type: ignore[arg-type]  # to mypy a class is not hashable
    for name in dict.fromkeys((*getattr(value, "__dict__", ()), *slots)):
        each = getattr(value, name, None)
        each = getattr(each, "__self__", each)  # the object of a bound method
        if _leads_on(each):
            yield name, each


@cache
def _slots(kind: type) -> list[str]:
    every = [each.__dict__.get("__slots__", ()) for each in kind.__mro__]
    names = [name for slots in every for name in ([slots] if isinstance(slots, str) else slots)]
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def _leads_on(value: object) -> bool:
    return isinstance(value, _PARTS) or _is_ours(type(value).__module__)


@cache
def _is_ours(module: str) -> bool:
    return module.startswith(OURS) and not module.startswith(OTHERS)
