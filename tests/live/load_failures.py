"""Scenario for test_load.py: messages that cannot be delivered, one that comes back and one that waits for its reader.

SLEEPER=account@domain locust -f tests/live/load_failures.py
"""

from __future__ import annotations

import os
import time

from locust import task

from cluster.xmpp.jid import Jid
from loadtests import xmpp_user

xmpp_user.LOST_AFTER_S = 0.5


class UnluckyUser(xmpp_user.XmppUser):
    """Writes to nobody and to somebody who is not there, then waits for the end of the run."""

    @task
    def write(self) -> None:
        assert self.jid is not None
        for to in (f"nobody@{self.jid.domainpart}", os.environ["SLEEPER"]):
            self.send_message(Jid.parse(to), "anybody there?", time.monotonic_ns())
        self.wait()

    def wait_time(self) -> float:
        return float("inf")
