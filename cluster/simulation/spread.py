"""Runs with many seeds on all cores: one process for each core, and the results in the order of the seeds."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

from cluster.lab.errors import LabError

LOOK_EVERY_S = 0.1
"""Between two checks for an interrupt."""
AHEAD = 8
"""Runs for each process that may be done before the one whose result is next."""

Result = TypeVar("Result", covariant=True)


class OneRun(Protocol[Result]):
    """One run, whose progress `tell` gets; once `is_stopped` is true, the result is that of the run so far."""

    def __call__(self, seed: int, tell: Callable[[str], None], is_stopped: Callable[[], bool]) -> Result: ...


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def results(
    run: OneRun[Result],
    seeds: Sequence[int],
    tell: Callable[[str], None],
    is_stopped: Callable[[], bool],
    most: int | None = None,
) -> Iterator[Result]:
    """The result of each seed, in their order; once `is_stopped` is true, those so far.

    In this process, unless there are several seeds and cores; `most`: processes at the same time. Then `run` and its
    results are pickled. Raises LabError where a process was killed.
    """
    processes = min(cores() if most is None else most, len(seeds))
    if processes > 1:
        yield from _spread(run, seeds, processes, tell, is_stopped)
        return
    for seed in seeds:
        yield run(seed, tell, is_stopped)
        if is_stopped():
            return


def _spread(
    run: OneRun[Result],
    seeds: Sequence[int],
    processes: int,
    tell: Callable[[str], None],
    is_stopped: Callable[[], bool],
) -> Iterator[Result]:
    context = get_context("forkserver")  # a fork of this process would have its threads' locks, and not its threads
    context.set_forkserver_preload(["cluster.simulation.run", "cluster.simulation.scenario"])
    stop = context.Event()
    pool = ProcessPoolExecutor(processes, context, _begin, (stop,))
    waiting: deque[Future[Result]] = deque()
    left = iter(seeds)
    try:
        for number in range(len(seeds)):
            while len(waiting) < processes * AHEAD and (seed := next(left, None)) is not None:
                waiting.append(pool.submit(_one, run, seed))
            first = waiting.popleft()
            tell(f"seeds: {number:,} of {len(seeds):,} done, {processes} at the same time")
            while not (first.cancelled() or wait([first], LOOK_EVERY_S).done):
                if is_stopped() and not stop.is_set():
                    stop.set()
                    for each in waiting:
                        each.cancel()
            if first.cancelled():
                return
            yield first.result()
            if is_stopped():
                left = iter(())
                if not waiting:
                    return
    except BrokenProcessPool:
        remedy = "if memory was short, simulate fewer people (--people), or one --seed at a time"
        raise LabError(f"a process with a run was killed; {remedy}") from None
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


_stop: Any = None
"""In a process of the pool: the event that ends its runs."""


def _begin(stop: Any) -> None:
    """An interrupt goes to all processes of a terminal; the first one tells the others."""
    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _one(run: OneRun[Result], seed: int) -> Result:
    return run(seed, _untold, _stop.is_set)


def _untold(text: str) -> None:
    """Nobody sees the progress of one of many runs."""


def with_seed(function: Callable[..., Result], **how: Any) -> OneRun[Result]:
    """A run by this function, which has these arguments, and the three of `OneRun` by name."""
    return partial(_run, function, how)


def _run(
    function: Callable[..., Result], how: dict[str, Any], seed: int, tell: Callable[[str], None],
    is_stopped: Callable[[], bool],
) -> Result:  # fmt: skip
    return function(seed=seed, tell=tell, is_stopped=is_stopped, **how)
