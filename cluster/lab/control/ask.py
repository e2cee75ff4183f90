"""The commands' side of requests to a running node (the node's side is server.py)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from cluster.base.request import Answer_co, Request, answer_type
from cluster.lab.control.requests import Reply, encoded
from cluster.lab.errors import LabError
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.redis_client import connected, publish
from cluster.redisio.keys import Keys
from cluster.topology.plan import LabNode, Plan

ANSWER_TIMEOUT_S = 10.0
"""A password takes a server some tenths of a second; a restart takes a few seconds."""
SHORTEST_WAIT_S = 0.01
"""0 would mean forever to Redis."""


def ask(
    folder: LabFolder, plan: Plan, node: LabNode, request: Request[Answer_co], timeout_s: float = ANSWER_TIMEOUT_S
) -> Answer_co:
    """Send a request; returns the node's answer. Raises LabError with the node's own words, or if it does not answer in
    time."""
    replies, taken = _asked(folder, plan, [node], request, timeout_s)
    if node.channel not in replies:
        raise LabError(
            f"{node.name} ({node.speaks_for}) did not answer within {timeout_s:g} s"
            + ("; the request may have been done" if taken else "")
            + f"; see `xmpplab ps` and `xmpplab logs {node.name}`"
        )
    try:
        reply = msgspec.json.decode(replies[node.channel], type=Reply)
        if reply.error:
            raise LabError(reply.error)
        answer: Answer_co = msgspec.json.decode(reply.ok, type=answer_type(request))
    except msgspec.DecodeError as error:
        raise LabError(
            f"{node.name} gave an unexpected answer: {error}; check that command and lab have one version"
        ) from None
    return answer


def tell_all(
    folder: LabFolder, plan: Plan, nodes: Sequence[LabNode], request: Request[None], timeout_s: float
) -> list[LabNode]:
    """Send the same request to all; returns those that did not answer in time, whatever the others said."""
    replies, _ = _asked(folder, plan, nodes, request, timeout_s)
    return [node for node in nodes if node.channel not in replies]


def _asked(
    folder: LabFolder, plan: Plan, nodes: Sequence[LabNode], request: Request[Any], timeout_s: float
) -> tuple[dict[str, bytes | str], bool]:
    """The replies that came in time, by the nodes' channels; and whether a node without a reply took the request."""
    keys = Keys.of_lab(plan.name)
    id = secrets.token_hex(8)
    raw = encoded(id, request)
    replies: dict[str, bytes | str] = {}
    taken = False
    with connected(folder.secrets()[ADMIN]) as redis:
        for node in nodes:
            redis.rpush(keys.control(node.channel), raw)
            publish(redis, keys.control(node.channel), "")
        deadline_s = time.monotonic() + timeout_s
        for node in nodes:
            left_s = max(deadline_s - time.monotonic(), SHORTEST_WAIT_S)
            found = redis.blpop([keys.control_reply(node.channel, id)], left_s)
            if found is not None:
                replies[node.channel] = found[1]
            elif not redis.lrem(keys.control(node.channel), 1, raw.decode()):
                taken = True  # otherwise it would be executed when nobody expects it any more
    return replies, taken
