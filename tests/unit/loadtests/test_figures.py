"""What users measure, as locust has it in the end. In a process of its own: locust patches the one that imports it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAD = """
import time
from locust.env import Environment
from loadtests.figures import Figures
from loadtests.seconds import Seconds

TIMES_MS = [0.3, 0.34, 3.0, 47.2, 147.0, 3432.0, 58_760.0]
environment = Environment()
environment.create_local_runner()
figures = Figures(environment)
figures.seconds = Seconds()

def measure():
    now_ns = time.monotonic_ns()
    time.monotonic_ns = lambda: now_ns
    for took_ms in TIMES_MS:
        figures.take("deliver", now_ns - round(took_ms * 1e6), 100)
    figures.fail("deliver", ValueError("came back"))
    figures.hand_in()
"""
SAME = f"""{HEAD}
measure()
other = Environment()
other.create_local_runner()
for took_ms in TIMES_MS:
    other.events.request.fire(
        request_type="XMPP", name="deliver", response_time=took_ms, response_length=100, exception=None, context={{}}
    )
for entry in (environment.stats.get("deliver", "XMPP"), environment.stats.total):
    expected = other.stats.get("deliver", "XMPP")
    assert (entry.num_requests, entry.num_failures, entry.num_none_requests) == (8, 1, 1)
    assert abs(entry.total_response_time - expected.total_response_time) < 0.001
    assert abs(entry.max_response_time - expected.max_response_time) < 0.001
    assert abs(entry.min_response_time - expected.min_response_time) < 0.001
    assert entry.total_content_length == expected.total_content_length
    assert sum(entry.num_reqs_per_sec.values()) == 8
    assert sorted(entry.response_times) == [0.3, 3.0, 47.0, 150.0, 3400.0, 59000.0], entry.response_times
    assert entry.response_times[0.3] == 2
"""
SECONDS = f"""{HEAD}
now_s = time.time()
measure()
seconds = figures.seconds.measured["deliver"]
assert sum(each.times.total for each in seconds.values()) == 7
assert sum(each.failed for each in seconds.values()) == 1
assert now_s - 60 < min(seconds) < now_s - 57, (min(seconds), now_s)  # a message counts when it was due
figures.take("generator loop", time.monotonic_ns(), type="LOAD")
figures.hand_in()
assert list(figures.seconds.measured) == ["deliver"]
"""
LISTENED = f"""{HEAD}
seen = []
environment.events.request.add_listener(lambda name, response_time, **_: seen.append((name, response_time)))
measure()
assert [name for name, _ in seen] == ["deliver"] * 8
assert environment.stats.get("deliver", "XMPP").num_requests == 8
"""
BOUNDED = f"""{HEAD}
from loadtests.figures import MAX_KEPT
for _ in range(MAX_KEPT + 1):
    figures.take("deliver", time.monotonic_ns())
assert environment.stats.get("deliver", "XMPP").num_requests == MAX_KEPT + 1
"""


def run(script: str) -> None:
    argv = [sys.executable, "-c", script]
    done = subprocess.run(argv, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_what_locust_would_have_counted_one_by_one() -> None:
    run(SAME)


def test_a_second_has_what_began_in_it() -> None:
    run(SECONDS)


def test_a_locust_file_that_listens_sees_each() -> None:
    run(LISTENED)


def test_what_is_kept_is_bounded() -> None:
    run(BOUNDED)
