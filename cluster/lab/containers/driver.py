"""Brings a plan up as containers of a Docker engine, and down again. The engine itself restarts containers that die."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from cluster.lab.containers import compose, document, files
from cluster.lab.containers.compose import GRACE_S, Compose
from cluster.lab.containers.engine import MAX_AT_ONCE, Engine, connected
from cluster.lab.containers.state import node_state, question
from cluster.lab.containers.story import ContainerLogs, last_words
from cluster.lab.control.readiness import answers
from cluster.lab.errors import BadInput, LabError
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.private import write_private
from cluster.lab.processes.signals import end_holder
from cluster.lab.progress import Tell
from cluster.lab.provision import redis
from cluster.lab.provision.addresses import check_free, first_free
from cluster.lab.provision.certificates import certify
from cluster.lab.provision.removal import remove
from cluster.lab.provision.same import check_same
from cluster.lab.state import NodeAction, NodeState
from cluster.lab.wait import pause, wait_until
from cluster.topology.plan import Plan

READY_TIMEOUT_S = 60.0
HOPELESS_RESTARTS = 3
"""A node that died this often before it was ready will not come up."""

SHOWN_LOG_LINES = 15

_HEAD = """\
Made by `xmpplab up` from {topology}, and what it started: see `xmpplab ps`.
Changes here do nothing. Change the topology, or `xmpplab export compose` a file of your own.
"""


class ContainerDriver:
    """Runs the lab in this folder; see `Driver`."""

    def __init__(self, folder: LabFolder) -> None:
        self._folder = folder

    def up(self, plans: Sequence[Plan], tell: Tell, owner: int | None = None) -> tuple[Plan, bool]:
        """Bring the lab up and wait until every node is ready: the running plan, and False if it was running already.

        `plans` are the same lab at different addresses: the first one with free addresses is used. Raises LabError, and
        then nothing is left of it. `owner` has no effect: the engine keeps containers running.
        """
        compose.check_kinds(plans[0])
        lock = _lock(self._folder)
        had_data = self._folder.plan_file.exists()
        try:
            with connected(self._folder) as engine:
                running = _running(self._folder, engine, plans)
                return (running, False) if running else (_bring_up(self._folder, engine, plans, tell), True)
        except BaseException:
            if not had_data:
                self._folder.remove()
            raise
        finally:
            os.close(lock)

    def down(self, *, keep: bool) -> bool:
        """Remove everything, and the folder unless its data are kept. False if nothing was running. Raises LabError."""
        holder = self._folder.holder()
        if holder is not None:
            end_holder(self._folder, holder)
        if not self._folder.path.exists():  # an `up` at work took its lab down itself; or somebody removed the folder
            with connected(self._folder) as engine:
                engine.remove_all()
            return True
        lock = _lock(self._folder)
        try:
            with connected(self._folder) as engine:
                return _take_down(self._folder, engine, keep=keep)
        finally:
            os.close(lock)

    def status(self) -> list[NodeState]:
        """The nodes of the lab, Redis first. Raises LabError."""
        plan = self._folder.plan()
        with connected(self._folder) as engine:
            ends = engine.ends()
            states = [node_state(self._folder, plan, one, ends) for one in engine.containers()]
        found = {state.name: state for state in states}
        return [found[name] for name in (files.REDIS, *(node.name for node in compose.nodes(plan))) if name in found]

    def is_up(self) -> bool:
        """Whether a container of the lab is running. Raises LabError."""
        with connected(self._folder) as engine:
            return any(container.status in ("running", "restarting", "paused") for container in engine.containers())

    def story(self, node: str | None) -> ContainerLogs:
        """The log of all containers, or of one. Raises BadInput for an unknown node."""
        with connected(self._folder) as engine:
            known = [container.labels["xmpplab.node"] for container in engine.containers()]
        if node is not None and node not in known:
            raise BadInput(f"no log of {node!r} (nodes: {', '.join(known)})")
        return ContainerLogs(self._folder, node)

    def apply(self, plan: Plan) -> None:
        """Start the nodes that this plan has in addition to the running one, remove those that it lacks; wait until all
        are ready."""
        lock = _lock(self._folder)
        try:
            with connected(self._folder) as engine:
                before, after = ({node.name: node for node in each.servers} for each in (self._folder.plan(), plan))
                coming, leaving = after.keys() - before.keys(), before.keys() - after.keys()
                check_free([address for name in coming for address in after[name].listeners])
                self._folder.save_plan(plan)
                made = _write(self._folder, plan)
                engine.make_networks(made)
                for service in made.services:
                    if service.name == files.REDIS:
                        engine.join(made, service)
                    if service.name in coming:
                        engine.make(made, service).start()
                for name in leaving:
                    engine.remove(name, made.full(compose.to_router(name)))
                _wait_ready(self._folder, engine, plan, sorted(after))
        finally:
            os.close(lock)

    def act(self, node: NodeState, action: NodeAction, for_s: float) -> None:
        """Do this to the node's container; the engine restarts a container that dies. Raises LabError."""
        with connected(self._folder) as engine:
            container = engine.container(node.name)
            match action:
                case "kill" if for_s:
                    container.kill()  # and the engine leaves it so
                    pause(for_s)
                    container.start()
                case "kill":  # from within: the engine does not restart a container that it kills itself
                    container.exec_run(["sh", "-c", "kill -KILL -1"])
                case "pause":
                    container.pause()
                case "resume":
                    container.unpause()
                case "restart":
                    container.restart(timeout=GRACE_S)


def _lock(folder: LabFolder) -> int:
    """Lock the lab; waits for another `up`. Raises LabError."""
    taken: list[int] = []

    def take() -> bool:
        taken.extend(lock for lock in [folder.lock()] if lock is not None)
        return bool(taken)

    if not wait_until(take, READY_TIMEOUT_S):
        raise LabError(f"another command is changing lab {folder.name!r}; wait for it to end, then try again")
    return taken[0]


def _running(folder: LabFolder, engine: Engine, plans: Sequence[Plan]) -> Plan | None:
    """The plan of a running lab; None if nothing or not all of it is running. Raises LabError for another lab."""
    containers = {one.labels["xmpplab.node"]: one for one in engine.containers()}
    if not any(one.status == "running" for one in containers.values()) or not folder.plan_file.exists():
        return None
    plan = folder.plan()
    check_same(plan, plans)
    wanted = {service.name for service in _compose(folder, plan).services}
    if containers.keys() != wanted or any(one.status in ("created", "exited", "dead") for one in containers.values()):
        return None
    _check_compose_file(folder, plan)
    _wait_ready(folder, engine, plan, sorted(wanted))
    return plan


def _compose(folder: LabFolder, plan: Plan) -> Compose:
    address = "" if plan.redis_url else urlsplit(folder.secrets()[ADMIN]).netloc.rpartition("@")[2]
    return compose.in_lab(plan, address, files.user())


def _text(made: Compose, plan: Plan) -> str:
    return document.text(made, _HEAD.format(topology=plan.topology))


def _check_compose_file(folder: LabFolder, plan: Plan) -> None:
    file = folder.compose_file
    if not file.exists() or file.read_text() != _text(_compose(folder, plan), plan):
        raise LabError(
            f"{file} was edited, which does not change the running lab; "
            f"run `xmpplab down`, and change the topology ({plan.topology}) instead"
        )


def _bring_up(folder: LabFolder, engine: Engine, plans: Sequence[Plan], tell: Tell) -> Plan:
    engine.remove_all()  # of an `up` that was killed
    had_data = folder.plan_file.exists()
    plan = first_free(plans)
    if plan.redis_url:
        files.check_reachable(plan.redis_url)
    engine.check_image()
    engine.check_names(compose.in_lab(plan, "", ""))
    tell("creating and starting networks and containers")
    try:
        _start(folder, engine, plan, _prepare(folder, plan))
    except BaseException:
        with contextlib.suppress(LabError):  # the first error matters
            _take_down(folder, engine, keep=had_data)
        raise
    return plan


def _prepare(folder: LabFolder, plan: Plan) -> Compose:
    """Write all files of the containers."""
    folder.create()
    folder.save_plan(plan)
    certify(folder, plan, datetime.now(UTC))
    if plan.redis_url:
        redis.move_in(folder, plan)
    else:
        files.own_redis(folder, plan, _free_address(plan.servers[0].host))
    return _write(folder, plan)


def _write(folder: LabFolder, plan: Plan) -> Compose:
    """Write the files of each container, and the compose file."""
    files.nodes(folder, plan, compose.nodes(plan), files.BY_ALIAS)
    files.hand_over(folder.containers, folder.redis_data, *files.data(folder, plan))
    made = _compose(folder, plan)
    write_private(folder.compose_file, _text(made, plan).encode())
    return made


def _free_address(host: str) -> str:
    """`host:port` for Redis: it must stay the same when its container is restarted."""
    with socket.create_server((host, 0)) as trial:
        return f"{host}:{trial.getsockname()[1]}"


def _start(folder: LabFolder, engine: Engine, plan: Plan, made: Compose) -> None:
    """Start Redis, and when it is ready, all servers at once. Returns when everything is ready.

    After an interrupt, nothing is left under way: the engine completes what it was asked for, whether or not anybody
    waits, which might happen after the lab was taken down. The pool waits for it.
    """
    servers = [service for service in made.services if service.name != files.REDIS]
    pool = ThreadPoolExecutor(MAX_AT_ONCE)
    try:
        pool.submit(engine.make_networks, made).result()
        store = None if plan.redis_url else pool.submit(engine.make, made, made.services[0])
        making = [pool.submit(engine.make, made, service) for service in servers]
        if store is not None:
            pool.submit(store.result().start).result()
            _wait_ready(folder, engine, plan, [files.REDIS])
        redis.announce(folder.secrets()[ADMIN], plan)
        for starting in [pool.submit(container.result().start) for container in making]:
            starting.result()
    finally:
        pool.shutdown(cancel_futures=True)
    _wait_ready(folder, engine, plan, [service.name for service in servers])


def _wait_ready(folder: LabFolder, engine: Engine, plan: Plan, nodes: Sequence[str]) -> None:
    """Return when these nodes are ready. Raises LabError with the last log lines of one that is not."""
    waiting = list(nodes)

    def settled() -> bool:
        waiting[:] = [node for node in waiting if not answers(question(folder, plan, node), 1.0)]
        return not waiting or any(_is_hopeless(engine.container(node)) for node in waiting)

    in_time = wait_until(settled, READY_TIMEOUT_S)
    if waiting:
        container = engine.container(waiting[0])
        exit_code = container.attrs["State"]["ExitCode"]
        problem = (
            f"does not start (exit code {exit_code})" if in_time else f"did not answer within {READY_TIMEOUT_S:g} s"
        )
        lines = [f"    {line}" for line in last_words(container, SHOWN_LOG_LINES)] or ["    (none)"]
        raise LabError("\n".join([f"{waiting[0]} {problem}; its last log lines:", *lines]))


def _is_hopeless(container: Any) -> bool:
    return bool(container.attrs["RestartCount"] >= HOPELESS_RESTARTS)


def _take_down(folder: LabFolder, engine: Engine, *, keep: bool) -> bool:
    ran = engine.remove_all()
    remove(folder, keep=keep)
    return ran
