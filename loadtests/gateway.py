# mypy: allow-untyped-calls, allow-untyped-decorators
# (locust annotates only some of its functions)
"""Scenario `gateway`: everybody writes to somebody as in `chat`, and some of the messages leave XMPP as SMS.

locust -f loadtests/gateway.py --headless -u 50 -r 25 -t 30s --sms 0.25 --cross 0.5 --rate 1
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from locust import events, task
from locust.env import Environment
from locust.runners import WorkerRunner

from loadtests import lab
from loadtests.paced_user import BODY, PacedUser, share
from loadtests.xmpp_user import crowd

SHARE = 0.25
"""Of the messages, where nothing else is said and the lab has what it takes."""


@events.init_command_line_parser.add_listener
def add_options(parser: ArgumentParser) -> None:
    """The default is what the lab can do; a field of the web UI only where that is anything."""
    try:
        # not crowd(): locust forks its worker processes later, and each needs a crowd of its own
        has_phones = bool(lab.find(os.environ, Path.cwd()).phones)
    except lab.LabUnusable:
        has_phones = False  # `--help` needs no lab; what does will say it
    parser.add_argument(
        "--sms",
        type=share,
        default=SHARE if has_phones else 0.0,
        include_in_web_ui=has_phones,
        help=f"Share of the messages that go to phones, 0 to 1. Default: {SHARE} in a lab that has phones, else 0",
    )


@events.init.add_listener
def check(environment: Environment, **_: Any) -> None:
    """End locust with the reason where the lab has nobody to write an SMS to."""
    options = environment.parsed_options
    if options and options.sms and not isinstance(environment.runner, WorkerRunner):
        try:
            crowd().lab.check_phones()
        except lab.LabUnusable as error:
            sys.exit(f"locust: {error}; or run with `--sms 0`")


class GatewayUser(PacedUser):
    """Writes `--rate` messages per second: `--sms` of them to phones, the others to users."""

    @task
    def write(self) -> None:
        """One message to a phone or to somebody."""
        due_ns = self.pace.take()
        rng = self.crowd.rng
        if rng.random() < self.environment.parsed_options.sms:
            self.send_sms(rng.choice(self.crowd.lab.phones), BODY, due_ns)
        else:
            self.write_to_somebody(due_ns)
