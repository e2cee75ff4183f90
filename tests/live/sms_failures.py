"""Scenario for test_load_gateway.py: an SMS to a number that nobody has, and one to a phone that is switched off.

GATEWAY=domain OFF=number locust -f tests/live/sms_failures.py
"""

from __future__ import annotations

import os
import time

from locust import task

from cluster.xmpp.jid import Jid
from loadtests import xmpp_user

xmpp_user.LOST_AFTER_S = 0.5


class UnluckyUser(xmpp_user.XmppUser):
    """Writes one of each, then waits for the end of the run."""

    @task
    def write(self) -> None:
        for number in ("+390000000000", os.environ["OFF"]):
            self.send_far("sms", Jid(number, os.environ["GATEWAY"]), "anybody there?", time.monotonic_ns())
        self.wait()

    def wait_time(self) -> float:
        return float("inf")
