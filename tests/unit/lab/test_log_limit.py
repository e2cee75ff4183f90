"""A peer may cause log lines, but not as many as it likes."""

from __future__ import annotations

import json
import os

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogEvent, Logger, LogLevel, LogPublisher, formatEvent

from cluster.lab.runtime.log_limit import BURST, MAX_KINDS, PER_S, LogLimit
from cluster.lab.runtime.process import MAX_TEXT, log_to_stderr


class Log:
    """A logger, and what of it passes."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        self.limit = LogLimit(lambda event, remark: self.lines.append(formatEvent(event) + remark), self.clock.seconds)
        self.logger = Logger("test", observer=LogPublisher(self.limit))


def test_lines_of_one_kind_are_limited_and_counted() -> None:
    log = Log()
    for number in range(100_000):
        log.logger.info("nonsense {n}", n=number)
    assert len(log.lines) == BURST
    assert log.lines[0] == "nonsense 0"
    assert log.lines[-1] == f"nonsense {BURST - 1} (further lines like this one are left out for now)"
    log.logger.info("another kind")
    assert log.lines[-1] == "another kind"
    log.clock.advance(1 / PER_S)
    log.logger.info("nonsense {n}", n=-1)
    assert log.lines[-1] == f"nonsense -1 ({100_000 - BURST} lines like this one were left out)"


def test_what_is_not_too_often_passes() -> None:
    log = Log()
    for _ in range(3 * BURST):
        log.clock.advance(1 / PER_S)
        log.logger.info("now and then")
    assert log.lines == ["now and then"] * 3 * BURST


def test_kinds_are_bounded() -> None:
    log = Log()
    for number in range(3 * MAX_KINDS):
        log.logger.emit(LogLevel.info, f"made of {number}")
    assert len(log.limit._kinds) == MAX_KINDS


def test_a_line_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    monkeypatch.setattr(os, "write", lambda _, data: written.append(data))

    def observe(event: LogEvent) -> None:
        log_to_stderr(event, " (remark)")

    Logger("test", observer=observe).warn("{text}", text="x" * 1_000_000)
    [line] = map(json.loads, written)
    assert line["text"] == f"{'x' * MAX_TEXT}… (1000000 characters) (remark)"
