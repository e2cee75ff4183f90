# mypy: allow-untyped-calls
# (locust annotates only some of its functions)
"""Ends a run in the right order: first the users, then the figures, then locust.

By itself, locust's master gives its workers half a second to send their last report, its exit code after Ctrl-C does
not look at what the users find when they stop, and its CSV files are up to a second old. Each would hide lost messages.
"""

from __future__ import annotations

import signal
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.runners import WORKER_REPORT_INTERVAL, MasterRunner, Runner, WorkerRunner
from locust.stats import CSV_STATS_INTERVAL_SEC

from loadtests.ledger import LOST_AFTER_S

STOP_USERS = "xmpplab-stop-users"
"""The master's message to its workers; they answer with reports that count fewer and fewer users."""

STOPPED_WITHIN_S = LOST_AFTER_S + 2 * WORKER_REPORT_INTERVAL
"""The longest that users take to stop, and the report after that."""


def listen(runner: Runner, **_: Any) -> None:
    """Take Ctrl-C; on a worker: stop its users when the master says so.

    Python's own handler raises KeyboardInterrupt in the greenlet that runs at that moment: a user would end by it, with
    a traceback. This one raises it where locust waits for it.
    """
    hub = gevent.get_hub()
    gevent.signal_handler(signal.SIGINT, hub.handle_system_error, KeyboardInterrupt, KeyboardInterrupt())
    if isinstance(runner, WorkerRunner):
        runner.register_message(STOP_USERS, lambda **_: runner.stop(), concurrent=True)


def stop_workers_users(environment: Environment, **_: Any) -> None:
    """On the master: have all users stopped, and wait for a report of each worker that it has none left."""
    runner = environment.runner
    if not isinstance(runner, MasterRunner):
        return
    busy = set(runner.clients)
    all_stopped = Event()

    def on_report(client_id: str, data: dict[str, Any]) -> None:
        # `user_count` of the runner leaves out users that are about to stop
        if not data["user_count"]:
            busy.discard(client_id)
        if not busy:
            all_stopped.set()

    reports = environment.events.worker_report
    reports.add_listener(on_report)
    runner.send_message(STOP_USERS)
    all_stopped.wait(STOPPED_WITHIN_S)
    reports.remove_listener(on_report)


def stop_all_users(environment: Environment, **_: Any) -> None:
    """After Ctrl-C: stop the users before locust derives its exit code from the failures."""
    runner = environment.runner
    if runner is not None and not isinstance(runner, WorkerRunner):
        runner.stop()


def await_csv(environment: Environment, **_: Any) -> None:
    """With `--csv`: let the writer, which nobody can ask, write once more before locust closes its files."""
    options = environment.parsed_options
    if options and options.csv_prefix:
        gevent.sleep(1.5 * CSV_STATS_INTERVAL_SEC)
