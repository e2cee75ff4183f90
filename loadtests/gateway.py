# mypy: allow-untyped-calls, allow-untyped-decorators
# (locust annotates only some of its functions)
"""Scenario `gateway`: everybody writes to somebody as in `chat`, and some of the messages leave XMPP as SMS or mail.

locust -f loadtests/gateway.py --headless -u 50 -r 25 -t 30s --sms 0.25 --mail 0.25 --cross 0.5 --rate 1
"""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from locust import events, task
from locust.env import Environment

from loadtests import lab
from loadtests.lab import FarKind
from loadtests.messages import BODY
from loadtests.paced_user import PacedUser, share
from loadtests.run import crowd

SHARE = 0.25
"""Of the messages, for each kind, if no option says otherwise and the lab has such a gateway."""
KINDS: dict[FarKind, str] = {"sms": "phones", "mail": "mailboxes"}


@events.init_command_line_parser.add_listener
def add_options(parser: ArgumentParser) -> None:
    """The defaults are what the lab can do; an option is a field of the web UI only if it can do anything."""
    try:
        # not crowd(): locust forks its worker processes later, and each needs its own crowd
        far = lab.find(os.environ, Path.cwd()).far
    except lab.LabUnusable:
        far = {}  # `--help` needs no lab; other uses report the error
    for kind, people in KINDS.items():
        parser.add_argument(
            f"--{kind}",
            type=share,
            default=SHARE if far.get(kind) else 0.0,
            include_in_web_ui=bool(far.get(kind)),
            help=f"Share of the messages that go to {people}, 0 to 1. Default: {SHARE} in a lab that has {people}, "
            "else 0",
        )


def shares(options: Any) -> dict[FarKind, float]:
    """The share of the messages for each destination."""
    return {kind: getattr(options, kind) for kind in KINDS}


class GatewayUser(PacedUser):
    """Writes `--rate` messages per second: `--sms` and `--mail` of them leave XMPP, the others go to users."""

    @classmethod
    def check(cls, environment: Environment) -> None:
        """Raises LabUnusable if the lab has no such receivers, or the shares exceed 1."""
        wanted = shares(environment.parsed_options)
        if sum(wanted.values()) > 1:
            raise lab.LabUnusable("--sms and --mail are more than all messages together; give shares of at most 1")
        for kind in filter(wanted.__getitem__, wanted):
            try:
                crowd(environment).lab.check_far(kind)
            except lab.LabUnusable as error:
                raise lab.LabUnusable(f"{error}; or run with `--{kind} 0`") from None

    @task
    def write(self) -> None:
        """One message to a phone, to a mailbox or to somebody."""
        due_ns = self.take_due()
        crowd = self.crowd
        chosen = crowd.rng.random()
        for kind, wanted in shares(self.environment.parsed_options).items():
            if chosen < wanted:
                self.send_far(kind, crowd.rng.choice(crowd.lab.far[kind]), BODY, due_ns)
                return
            chosen -= wanted
        self.write_to_somebody(due_ns)
