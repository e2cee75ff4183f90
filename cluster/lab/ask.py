"""The commands' side of requests to a running server (the server's side is control.py)."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

from cluster.lab.errors import LabError
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.redis_client import connected, publish
from cluster.lab.request import Reply, Request
from cluster.redisio.keys import Keys
from cluster.topology.plan import LabNode, Plan

ANSWER_TIMEOUT_S = 10.0
"""A password takes a server some tenths of a second; one that is started again takes a few seconds."""


def ask(
    folder: LabFolder,
    plan: Plan,
    node: LabNode,
    verb: str,
    args: dict[str, Any],
    timeout_s: float = ANSWER_TIMEOUT_S,
) -> Any:
    """The node's answer. Raises LabError with the node's own words, or when it does not answer in time."""
    keys = Keys.of_lab(plan.name)
    request = Request(secrets.token_hex(8), verb, args)
    queue, raw = keys.control(node.channel), msgspec.json.encode(request)
    with connected(folder.secrets()[ADMIN]) as redis:
        redis.rpush(queue, raw)
        publish(redis, queue, "")
        found = redis.blpop([keys.control_reply(node.channel, request.id)], timeout_s)
        if found is None:
            taken = not redis.lrem(queue, 1, raw.decode())  # so that it is not done when nobody expects it any more
            raise LabError(
                f"{node.name} ({node.speaks_for}) did not answer within {timeout_s:g} s"
                + (", the request may have been done" if taken else "")
                + f"; see `xmpplab ps` and `xmpplab logs {node.name}`"
            )
    reply = msgspec.json.decode(found[1], type=Reply)
    if reply.error:
        raise LabError(reply.error)
    return reply.ok
