"""The commands' side of requests to a running node (the node's side is server.py)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
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
REDIS_PATIENCE_S = 5.0
"""Redis has so much longer where all are asked; a glance at a lab does not wait for one that hangs."""
SHORTEST_WAIT_S = 0.01
"""0 would mean forever to Redis."""


def ask(
    folder: LabFolder, plan: Plan, node: LabNode, request: Request[Answer_co], timeout_s: float = ANSWER_TIMEOUT_S
) -> Answer_co:
    """Send a request; returns the node's answer. Raises LabError with the node's own words, or if it does not answer in
    time."""
    with connected(folder.secrets()[ADMIN]) as redis:
        replies, taken = _asked(redis, plan, [node], request, timeout_s)
    if node.channel not in replies:
        raise LabError(
            f"{node.name} ({node.speaks_for}) did not answer within {timeout_s:g} s"
            + ("; the request may have been done" if taken else "")
            + f"; see `xmpplab ps` and `xmpplab logs {node.name}`"
        )
    return _opened(node, request, replies[node.channel])


def ask_all(
    folder: LabFolder, plan: Plan, nodes: Sequence[LabNode], request: Request[Answer_co], timeout_s: float
) -> dict[str, Answer_co]:
    """Send the same request to all; returns the answers that came in time, by the names of the nodes. One that refuses
    gives none. Raises LabError if Redis is away or hangs."""
    with connected(folder.secrets()[ADMIN], timeout_s + REDIS_PATIENCE_S) as redis:
        replies, _ = _asked(redis, plan, nodes, request, timeout_s)
    answers: dict[str, Answer_co] = {}
    for node in nodes:
        if node.channel in replies:
            with suppress(msgspec.DecodeError):
                reply = msgspec.json.decode(replies[node.channel], type=Reply)
                if not reply.error:
                    answers[node.name] = msgspec.json.decode(reply.ok, type=answer_type(request))
    return answers


def tell_all(
    folder: LabFolder, plan: Plan, nodes: Sequence[LabNode], request: Request[None], timeout_s: float
) -> list[LabNode]:
    """Send the same request to all; returns those that did not answer in time, whatever the others said."""
    with connected(folder.secrets()[ADMIN]) as redis:
        replies, _ = _asked(redis, plan, nodes, request, timeout_s)
    return [node for node in nodes if node.channel not in replies]


def _opened(node: LabNode, request: Request[Answer_co], raw: bytes | str) -> Answer_co:
    try:
        reply = msgspec.json.decode(raw, type=Reply)
        if reply.error:
            raise LabError(reply.error)
        answer: Answer_co = msgspec.json.decode(reply.ok, type=answer_type(request))
    except msgspec.DecodeError as error:
        raise LabError(
            f"{node.name} gave an unexpected answer: {error}; check that command and lab have one version"
        ) from None
    return answer


def _asked(
    redis: Any, plan: Plan, nodes: Sequence[LabNode], request: Request[Any], timeout_s: float
) -> tuple[dict[str, bytes | str], bool]:
    """The replies that came in time, by the nodes' channels; and whether a node without a reply took the request."""
    keys = Keys.of_lab(plan.name)
    id = secrets.token_hex(8)
    raw = encoded(id, request)
    replies: dict[str, bytes | str] = {}
    pushing = redis.pipeline(transaction=False)
    for node in nodes:
        pushing.rpush(keys.control(node.channel), raw)
    pushing.execute()
    for node in nodes:
        publish(redis, keys.control(node.channel), "")
    deadline_s = time.monotonic() + timeout_s
    for node in nodes:
        left_s = deadline_s - time.monotonic()
        if left_s < SHORTEST_WAIT_S:
            break
        found = redis.blpop([keys.control_reply(node.channel, id)], left_s)
        if found is not None:
            replies[node.channel] = found[1]
    late = [node for node in nodes if node.channel not in replies]
    replies |= _left(redis, keys, late, id)
    forgetting = redis.pipeline(transaction=False)
    for node in late:
        if node.channel not in replies:  # otherwise it would be executed when nobody expects it any more
            forgetting.lrem(keys.control(node.channel), 1, raw.decode())
    taken = not all(forgetting.execute())
    return replies, taken


def _left(redis: Any, keys: Keys, nodes: Sequence[LabNode], id: str) -> dict[str, bytes | str]:
    """The replies that are there without waiting."""
    looking = redis.pipeline(transaction=False)
    for node in nodes:
        looking.lpop(keys.control_reply(node.channel, id))
    found = zip(nodes, looking.execute(), strict=True)
    return {node.channel: reply for node, reply in found if reply is not None}
