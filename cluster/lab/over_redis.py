"""What a server node of a plan has in Redis, in a process and in the simulation: its store, its router, its nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cluster.base.clock import Clock
from cluster.base.turn import Turn
from cluster.membership.redis import RedisNodes
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.router.port import HopRecorder
from cluster.router.redis import RedisRouter
from cluster.server.nodes import frames
from cluster.store.port import Store
from cluster.store.redis import redis_store
from cluster.topology.plan import Plan, XmpplabServer


class OverRedis(NamedTuple):
    """The ports of a server over Redis."""

    store: Store
    router: RedisRouter
    nodes: RedisNodes


def over_redis(
    reactor: Clock, client: RedisClient, plan: Plan, node: XmpplabServer, *, turn: Turn, tracer: HopRecorder,
    incarnation: str, now_utc_s: Callable[[], float],
) -> OverRedis:  # fmt: skip
    """`client` is connected before they are started; `incarnation` is new for each process."""
    keys = Keys.of_lab(plan.name)
    nodes = RedisNodes(
        reactor, client, keys.nodes(node.domain), turn=turn, name=node.name, incarnation=incarnation,
        tracer=tracer, max_backlog=plan.max_backlog, decode=frames.decode,
    )  # fmt: skip
    router = RedisRouter(
        reactor, client, keys, turn=turn, domain=node.domain, tracer=tracer, max_backlog=plan.max_backlog,
        now_utc_s=now_utc_s, sender=node.channel, share=nodes.share, served_by=plan.served_by, peers=node.peers,
    )  # fmt: skip
    nodes.on_change, nodes.on_gone = router.share_changed, router.node_gone
    return OverRedis(redis_store(client, keys, node.domain, turn), router, nodes)
