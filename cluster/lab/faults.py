"""The faults of a lab's links, set, cleared and listed while it is running: for commands and for programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from cluster.lab.answers import LinkState
from cluster.lab.errors import BadInput
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.provision.announcement import encoded
from cluster.lab.redis_client import connected, publish
from cluster.lab.timeline.rows import add_mark
from cluster.redisio.keys import Keys
from cluster.router import settings
from cluster.router.settings import FaultSettings
from cluster.topology.plan import Plan, ServerNode

Change = Callable[[dict[str, Any], float], dict[str, Any]]
"""From the faults of a link to its new ones; the float is the current time."""


class LinkFaults:
    """The faults of the links between the servers of a running lab. Raises LabError, and BadInput."""

    def __init__(self, folder: LabFolder) -> None:
        self._folder = folder

    def set(self, from_: str, to: str, faults: Mapping[str, str], *, both: bool = False) -> list[LinkState]:
        """Add these faults to the link; `none` removes one. Times count from now.

        `from_` and `to` are names or domains of servers; `both`: the other direction too.
        """
        try:
            new = settings.parse(faults)
        except ValueError as error:
            raise BadInput(str(error)) from None
        changed = self._change(from_, to, both, lambda old, now_s: settings.merged(old, new, now_s))
        given = [word for key, text in faults.items() for word in (f"--{key}", text)]
        add_mark(self._folder.timeline, "fault", "set", from_, to, *given, *(["--both"] if both else []))
        return changed

    def clear(self, from_: str | None = None, to: str | None = None, *, both: bool = False) -> list[LinkState]:
        """Remove the faults of the link, or of all links."""
        if from_ is not None and to is not None:
            changed = self._change(from_, to, both, lambda old, now_s: {})
            add_mark(self._folder.timeline, "fault", "clear", from_, to, *(["--both"] if both else []))
            return changed
        broken = [link for link in self.ls() if link.faults]
        return [mended for link in broken for mended in self.clear(link.from_, link.to)]

    def ls(self) -> list[LinkState]:
        """The links that have faults, or on which faults have lost stanzas."""
        plan = self._folder.plan()
        with connected(self._folder.secrets()[ADMIN]) as redis:
            return links_with_faults(redis, plan)

    def _change(self, from_: str, to: str, both: bool, change: Change) -> list[LinkState]:
        plan = self._folder.plan()
        sender, receiver = _server(plan, from_), _server(plan, to)
        if sender is receiver:
            raise BadInput(f"{sender.name} cannot have a link to itself; name two servers")
        if not sender.is_joined_to(receiver.domain):
            raise BadInput(
                f"no link joins {sender.name} and {receiver.name}; give them one under `links` of the topology"
            )
        with connected(self._folder.secrets()[ADMIN]) as redis:
            directions = [(sender, receiver), (receiver, sender)] if both else [(sender, receiver)]
            return [_change_one(redis, plan, *direction, change) for direction in directions]


def links_with_faults(redis: Any, plan: Plan) -> list[LinkState]:
    """As `LinkFaults.ls`, over an open connection."""
    keys = Keys.of_lab(plan.name)
    servers = [server for server in plan.servers if not server.node_of]
    pipeline = redis.pipeline(transaction=False)
    for to in servers:
        pipeline.hgetall(keys.faults(to.domain))
        pipeline.hgetall(keys.lost(to.domain))
    replies = iter(pipeline.execute())
    found = []
    for to in servers:
        faults, lost = next(replies), next(replies)
        for from_ in servers if faults or lost else ():
            domain = from_.domain.encode()
            if domain in faults or domain in lost:
                found.append(_state(from_, to, _decoded(faults.get(domain)), int(lost.get(domain, 0))))
    return found


def _change_one(redis: Any, plan: Plan, from_: ServerNode, to: ServerNode, change: Change) -> LinkState:
    keys = Keys.of_lab(plan.name)
    key = keys.faults(to.domain)
    faults = change(_decoded(redis.hget(key, from_.domain)), time.time())
    if faults:
        redis.hset(key, from_.domain, encoded(plan, faults))
    else:
        redis.hdel(key, from_.domain)
    heard_by = publish(redis, key, from_.domain)
    lost = int(redis.hget(keys.lost(to.domain), from_.domain) or 0)
    return msgspec.structs.replace(_state(from_, to, faults, lost), heard_by=heard_by)


def _state(from_: ServerNode, to: ServerNode, faults: dict[str, Any], lost: int) -> LinkState:
    return LinkState(from_.name, to.name, from_.domain, to.domain, settings.texts(faults, time.time()), lost)


def _decoded(raw: bytes | None) -> dict[str, Any]:
    return msgspec.json.decode(raw, type=FaultSettings).faults if raw else {}


def _server(plan: Plan, name_or_domain: str) -> ServerNode:
    server = plan.server(name_or_domain)
    if server is None:
        known = ", ".join(f"{each.name} ({each.domain})" for each in plan.servers if not each.node_of)
        raise BadInput(f"no server {name_or_domain!r} in this lab (servers: {known})")
    return plan.server_named(server.server)  # the nodes of a server share its links
