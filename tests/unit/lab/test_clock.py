"""Somebody sets the wall clock: nothing of the lab is early or late by it."""

from __future__ import annotations

import subprocess
import sys

from twisted.internet.task import Clock

from cluster.router.link_faults import LinkFaults

TIMERS = """
import time
import sys

real, set_by_s = time.time, 0.0
time.time = lambda: real() + set_by_s  # before anything of Twisted sees it

from cluster.lab.runtime import process


class Service:
    def __init__(self, reactor):
        self.reactor = reactor

    async def start(self):
        global set_by_s
        self.reactor.callLater(60, print, "60 s are over", flush=True)
        set_by_s = float(sys.argv[1])
        self.reactor.callLater(0.01, self.reactor.stop)

    async def stop(self):
        print("10 ms are over", flush=True)


process.run(Service)
"""


def test_timers_of_a_process() -> None:
    """A minute is no shorter when ten are put on, and 10 ms are no longer when ten minutes are taken off."""
    for set_by_s in (600, -600):
        argv = [sys.executable, "-c", TIMERS, str(set_by_s)]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                assert process.stdout.readline() == "10 ms are over\n"
            finally:
                process.kill()


def test_faults_that_a_command_gave_times() -> None:
    """By the wall clock of now, which is not the one that the process began with."""
    clock = Clock()
    clock.advance(1_700_000_000)
    faults = LinkFaults(clock, "capulet.lit", None, lambda *_: None, lambda: clock.seconds() + 600)
    written = b'{"seed": "1", "faults": {"down": [[1700000610, 1700000620]]}}'
    chain = faults._made("montague.lit", written)
    assert chain.closed_until(1_700_000_009) == 1_700_000_009
    assert chain.closed_until(1_700_000_011) == 1_700_000_020
