# mypy: allow-untyped-decorators
# (locust annotates only some of its functions)
"""Scenario `chat`: everybody writes to somebody, at a steady rate, in the own domain and across.

locust -f loadtests/chat.py --headless -u 50 -r 25 -t 30s --cross 0.5 --rate 1
"""

from __future__ import annotations

from locust import task

from loadtests.paced_user import PacedUser


class ChatUser(PacedUser):
    """Writes `--rate` messages per second, `--cross` of them to other domains."""

    @task
    def write(self) -> None:
        """One message to somebody."""
        self.write_to_somebody(self.take_due())
