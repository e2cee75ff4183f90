"""Operations on the lab, which take their time, in threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cluster.base.clock import Reactor
from cluster.base.request import Refused

MOST_AT_ONCE = 16

Result = TypeVar("Result")


class Threads:
    """Runs each operation in a thread that does not keep the process alive: Ctrl-C waits for none."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._running = 0

    def run(self, operation: Callable[[], Result]) -> Deferred[Result]:
        """Its result; fails with Refused if too many are running."""
        done: Deferred[Result] = Deferred()
        if self._running >= MOST_AT_ONCE:
            done.errback(Refused(f"{MOST_AT_ONCE} operations are under way; wait for one to end"))
            return done
        self._running += 1

        def finish(fire: Callable[[], None]) -> None:
            self._running -= 1
            fire()

        def work() -> None:
            try:
                result = operation()
            except BaseException:
                failure = Failure()
                self._reactor.callFromThread(finish, lambda: done.errback(failure))
            else:
                self._reactor.callFromThread(finish, lambda: done.callback(result))

        threading.Thread(target=work, daemon=True, name="operation").start()
        return done
