# mypy: allow-untyped-calls, allow-untyped-decorators
# (locust annotates only some of its functions)
"""A load user with a timetable, and the options of every scenario that writes by one."""

from __future__ import annotations

import logging
import time
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from locust import events
from locust.env import Environment

from loadtests.figures import OF_GENERATOR
from loadtests.loop import LATE_START
from loadtests.messages import BODY
from loadtests.pace import Pace
from loadtests.run import crowd
from loadtests.xmpp_user import XmppUser

LATE_NS = 10_000_000
"""What begins this number of nanoseconds after it was due, or later, counts as a late start."""

CROSS = 0.5
"""The default of `--cross`."""

log = logging.getLogger(__name__)


def share(text: str) -> float:
    """A share from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise ArgumentTypeError(f"{text} is no share; give a number from 0 (none of the messages) to 1 (all of them)")
    return value


def rate(text: str) -> float:
    """A rate above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"{text} is no rate; give a number of messages per second above 0")
    return value


@events.init_command_line_parser.add_listener
def add_options(parser: ArgumentParser) -> None:
    """Also fields of the web UI."""
    parser.add_argument(
        "--cross",
        type=share,
        default=CROSS,
        help=f"Share of the messages between users that go to another domain, 0 to 1. Default: {CROSS}",
    )
    parser.add_argument("--rate", type=rate, default=1.0, help="Messages per second of each user. Default: 1")


@events.test_start.add_listener
def warn(environment: Environment, **_: Any) -> None:
    """Warn of an impossible share, which is not an error."""
    options = environment.parsed_options
    servers = crowd(environment).lab.servers
    is_asked = options and options.cross not in (0.0, CROSS)
    if is_asked and len({server.domain for server in servers}) == 1:
        log.warning("There is one domain, %s: all messages stay in it, whatever --cross says", servers[0].domain)


class PacedUser(XmppUser):
    """Has `--rate` messages per second to write; its task defines them."""

    abstract = True

    def on_start(self) -> None:
        """Log in, then begin at a random moment: users that started together do not write together."""
        super().on_start()
        self.pace = Pace(self.environment.parsed_options.rate, time.monotonic_ns(), self.crowd.rng.random())
        self.wait()

    def wait_time(self) -> float:
        """Seconds until the next message is due."""
        return self.pace.wait_s(time.monotonic_ns())

    def take_due(self) -> int:
        """When that was due which the user does now. Counts what begins late, for whatever reason."""
        due_ns = self.pace.take()
        if time.monotonic_ns() - due_ns > LATE_NS:
            self.figures.take(LATE_START, due_ns, type=OF_GENERATOR)
        return due_ns

    def write_to_somebody(self, due_ns: int) -> None:
        """One message to another user, `--cross` of them in other domains; nothing while there is nobody."""
        if partner := self.partner(self.environment.parsed_options.cross):
            self.send_message(partner, BODY, due_ns)
