"""A store in memory on a slow disk: what is asked of it is done at once, and answered when the disk has it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from cluster.base.pipelined import PipelinedReply
from cluster.store.port import Store
from cluster.virtual.host import Host

TakesS = Callable[[], float]
"""How long the next write of a disk takes, in seconds."""


class Disk:
    """The disk below the stores of a lab."""

    def __init__(self) -> None:
        self.takes_s: TakesS | None = None
        """None: no time."""


class Answers:
    """The answers to one process, in the order of its requests: those that come during a write wait for the next one,
    all together."""

    __slots__ = ("_disk", "_host", "_is_writing", "_waiting")

    def __init__(self, disk: Disk, host: Host) -> None:
        self._disk = disk
        self._host = host
        self._waiting: list[Deferred[None]] = []
        self._is_writing = False

    def late(self, answer: Any) -> Any:
        """The answer of a store, when the disk has what it is about."""
        if answer is None or (self._disk.takes_s is None and not self._is_writing):
            return answer
        waits = PipelinedReply()  # it is done already: what is asked next comes after it
        self._waiting.append(waits)
        if not self._is_writing:
            self._write()
        if isinstance(answer, Deferred):
            return waits.addCallback(lambda _: answer)
        return _when(waits, Deferred.fromCoroutine(answer))

    def _write(self) -> None:
        self._is_writing = True
        writing, self._waiting = self._waiting, []
        takes_s = self._disk.takes_s() if self._disk.takes_s is not None else 0.0
        self._host.callLater(takes_s, self._on_written, writing)

    def _on_written(self, written: list[Deferred[None]]) -> None:
        for each in written:
            each.callback(None)
        self._is_writing = False
        if self._waiting:
            self._write()


async def _when(waits: Deferred[None], answer: Deferred[Any]) -> Any:
    await waits
    return await answer


class LatePart:
    """One port of a `Store`."""

    __slots__ = ("_answers", "_part")

    def __init__(self, part: object, answers: Answers) -> None:
        self._part = part
        self._answers = answers

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what Python itself looks for
            raise AttributeError(name)
        return partial(self._ask, getattr(self._part, name))

    def _ask(
        self, method: Callable[..., Deferred[Any] | Coroutine[Any, Any, Any] | None], *what: Any, **how: Any
    ) -> Any:
        return self._answers.late(method(*what, **how))


def late(store: Store, disk: Disk, host: Host) -> Store:
    """This store as the process at a host sees it."""
    answers = Answers(disk, host)
    parts: dict[str, Any] = {name: LatePart(part, answers) for name, part in vars(store).items()}
    return Store(**parts)
