# mypy: allow-untyped-calls, allow-untyped-decorators
# (locust annotates only some of its functions)
"""A run in this process: the options of every scenario, what is checked before anybody starts, and the crowd."""

from __future__ import annotations

import logging
import os
import resource
import secrets
import sys
from argparse import ArgumentParser
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import gevent
from locust import events
from locust.env import Environment
from locust.runners import MasterRunner, Runner, WorkerRunner

from cluster.client.blocking import BlockingClient
from cluster.xmpp.errors import StreamError
from cluster.xmpp.streams.login import Login, Resumption, StreamFailed
from cluster.xmpp.streams.sasl import SaslError
from loadtests import accounts, ending, loop, master_accounts, seconds, shapes, targets
from loadtests.crowd import Crowd
from loadtests.figures import figures
from loadtests.lab import LabUnusable, Server

LOOK_EVERY_S = 0.01
BROKEN = (OSError, StreamFailed, StreamError, SaslError)
"""The errors that end a connection, or an attempt to connect."""

log = logging.getLogger(__name__)


@events.init_command_line_parser.add_listener
def add_options(parser: ArgumentParser) -> None:
    """The options of every scenario; all but the shape only where a run begins, not on its page."""
    parser.prog = "locust"  # run as a module, its errors would name a file
    hidden: dict[str, Any] = {"include_in_web_ui": False}
    parser.add_argument(
        "--target", action="append", default=[], type=targets.target, metavar="DOMAIN[=HOST:PORT]", **hidden,
        help="Put the load on this domain of the lab, or on any XMPP server at this address; once for each. Default: "
        "all servers of the lab",
    )  # fmt: skip
    parser.add_argument(
        "--ca", metavar="FILE", **hidden,
        help="Certificate of the CA of servers outside of the lab, PEM. Default: those that the system trusts",
    )  # fmt: skip
    parser.add_argument(
        "--accounts", metavar="FILE", **hidden,
        help="Accounts for the users, a line `JID PASSWORD` each. Default: made in the lab, registered elsewhere",
    )  # fmt: skip
    parser.add_argument(
        "--shape", choices=[*shapes.CURVES],
        help="Change the number of users during the run, up to --users: by steps, as a ramp, or with a spike",
    )  # fmt: skip


def crowd(environment: Environment) -> Crowd:
    """The users of this process. Raises LabUnusable.

    Created at the first use: a worker may have to start users before locust's `init` event is over, and even before
    the environment has its runner, by which the master gives accounts.
    """
    options: Any = environment.parsed_options
    while options.worker and environment.runner is None:  # it ends with the constructor of the runner, or the process
        gevent.sleep(LOOK_EVERY_S)
    return _crowd(environment)


@cache
def _crowd(environment: Environment) -> Crowd:
    options: Any = environment.parsed_options
    runner, run_id = environment.runner, secrets.token_hex(4)
    lab = targets.chosen(options.target, options.ca, os.environ, Path.cwd())
    if isinstance(runner, WorkerRunner):
        return Crowd(lab, master_accounts.OfMaster(runner), run_id, Random())
    listed = accounts.Listed(
        accounts.read(Path(options.accounts)) if options.accounts else [], run_id, secrets.token_urlsafe()
    )
    if isinstance(runner, MasterRunner):
        master_accounts.serve(runner, listed, lab.servers)
    lab.check(listed.has)
    return Crowd(lab, listed, run_id, Random())


def connect(server: Server, login: Login, resumption: Resumption | None = None) -> BlockingClient:
    """Log in at a server, and resume a session if it can be. Raises one of BROKEN."""
    return BlockingClient((server.host, server.c2s_port), login, server.ca_file, resumption=resumption)


def begin(runner: Runner, **_: Any) -> None:
    """End locust with the reason if the load cannot be put there. Workers leave this to the master."""
    logging.basicConfig(format="locust: %(message)s")  # does nothing where locust has set it up
    environment = runner.environment
    options: Any = environment.parsed_options
    _allow_files()
    try:
        if not isinstance(runner, WorkerRunner):
            _check(environment)
        found = crowd(environment).lab
    except LabUnusable as error:
        sys.exit(f"locust: {error}")
    _measure(environment)
    if options.shape and not isinstance(runner, WorkerRunner):
        environment.shape_class = shapes.Shape(shapes.CURVES[options.shape], runner)
    where = ", ".join(f"{server.domain} at {server.host}:{server.c2s_port}" for server in found.servers)
    log.info("Lab %s: %s", found.name, where)


def _allow_files() -> None:
    """Each user has an open one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _measure(environment: Environment) -> None:
    measured = figures(environment)
    if folder := os.environ.get(seconds.FOLDER):
        measured.seconds = kept = seconds.Seconds()
        environment.events.quit.add_listener(lambda **_: kept.write(Path(folder)))
    gevent.spawn(measured.hand_in_regularly)
    gevent.spawn(loop.watch, environment.runner, measured)
    gevent.spawn(crowd(environment).rest)


def _check(environment: Environment) -> None:
    for user_class in environment.user_classes:
        if check := getattr(user_class, "check", None):
            check(environment)
    options: Any = environment.parsed_options
    if options.ca:
        targets.check_ca(options.ca)
    for server in crowd(environment).lab.servers:
        if server.is_outside:
            _try(crowd(environment), server)
    if options.run_time == 0:
        raise LabUnusable("with a run time of 0 locust never ends; give one such as 30s, or none to run until Ctrl-C")
    if options.shape and not options.run_time:
        raise LabUnusable("a shape needs to know how long it lasts; give a run time such as 5m")


def _try(everybody: Crowd, server: Server) -> None:
    """Log in once: its error comes once, and not from each user. Raises LabUnusable with the remedy."""
    try:
        account = everybody.accounts.take(server)
    except accounts.NoAccount as error:
        raise LabUnusable(str(error)) from None
    login = Login(account.jid.with_resource("locust"), account.password, account.is_new)
    remedy = "check --target, and --ca" if not account.is_new else (
        "if its registration is closed, list accounts with --accounts; check --target, and --ca"
    )  # fmt: skip
    try:
        with connect(server, login) as client:
            if account.is_new:
                accounts.unregister(client)
    except BROKEN as error:
        why = getattr(error, "strerror", None) or error
        raise LabUnusable(
            f"cannot log in to {server.domain} at {server.host}:{server.c2s_port}: {why}; {remedy}"
        ) from None
    everybody.accounts.give_back(login)


events.init.add_listener(begin)
events.init.add_listener(ending.listen)
events.test_stopping.add_listener(ending.stop_workers_users)
events.test_stop.add_listener(ending.await_csv)
events.quitting.add_listener(ending.stop_all_users)
