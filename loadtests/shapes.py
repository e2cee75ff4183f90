# mypy: allow-untyped-calls
# (locust annotates only some of its functions)
"""The shapes of a load, for locust: the number of users follows a curve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from locust import LoadTestShape
from locust.runners import Runner

from loadtests.curves import ramp, spike, steps

CURVES: dict[str, Callable[[float], float]] = {curve.__name__: curve for curve in (ramp, spike, steps)}
"""By the names of the option `--shape`."""


class Shape(LoadTestShape):
    """Follows one of these curves, as fast as `--spawn-rate` allows: users start and stop at that rate."""

    abstract = True  # made by name, not found in a locust file
    use_common_options = True

    def __init__(self, curve: Callable[[float], float], runner: Runner) -> None:
        super().__init__()
        self._curve = curve
        self._options: Any = runner.environment.parsed_options
        self.runner = runner

    def tick(self) -> tuple[int, float] | None:
        """Users, and how many may start or stop per second; None at the end."""
        part: float = self.get_run_time() / self._options.run_time
        if part >= 1:
            return None
        users: int = self._options.num_users
        return max(1, round(users * self._curve(part))), self._options.spawn_rate or users
