"""The values of faults with their units: `40ms`, `1%`, `64kB/s`, `10s..20s`."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NONE = "none"
"""Removes a fault that was set before."""

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"


class Unit(ABC):
    """Parses a text into a value that JSON can represent, and writes it again."""

    form: str
    """The allowed form, for messages and references."""
    pattern: str
    """A regular expression of the form, for editors."""

    @abstractmethod
    def parse(self, text: str) -> Any:
        """The value; None if it means no fault. Raises ValueError with the allowed form."""

    @abstractmethod
    def text(self, value: Any, now_s: float) -> str:
        """The text that gives this value now."""

    def anchored(self, value: Any, start_s: float) -> Any:
        """The value for a link whose time counts from `start_s`."""
        return value


@dataclass(frozen=True)
class Number(Unit):
    """A number and its unit."""

    units: Mapping[str, float]
    """The factor of each unit."""
    form: str
    most: float
    least: float = 0
    """The least value other than 0."""
    zero: bool = True
    """Whether 0 is allowed; it means no fault."""

    @property
    def pattern(self) -> str:  # type: ignore[override]
        """`40ms`"""
        return f"^({NONE}|{_NUMBER}({'|'.join(self.units)}))$"

    def parse(self, text: str) -> float | None:
        """The number, in the unit with factor 1."""
        if text == NONE:
            return None
        found = re.fullmatch(rf"({_NUMBER})\s*({'|'.join(self.units)})", text)
        value = float(found[1]) * self.units[found[2]] if found else -1.0
        if not (self.least <= value <= self.most or (value == 0 and self.zero)):
            raise ValueError(f"{text!r} is not allowed here; write {self.form}")
        return value or None

    def text(self, value: float, now_s: float) -> str:
        """The number in the unit that makes it shortest."""
        return min((f"{value / factor:.9g}{unit}" for unit, factor in self.units.items()), key=len)


DURATION = Number(
    {"ms": 0.001, "s": 1, "m": 60, "h": 3_600}, "a time such as 40ms, 1.5s, 2m or 1h, at most 168h", 7 * 86_400
)
"""In seconds."""
SHARE = Number({"%": 0.01}, "a share from 0% to 100%, such as 1% or 0.5%", 1)
"""From 0 to 1."""
RATE = Number(
    {"B/s": 1, "kB/s": 1_000, "MB/s": 1_000_000, "kbit/s": 125, "Mbit/s": 125_000},
    "a rate from 1B/s to 1000000MB/s, such as 64kB/s, 1MB/s, 512kbit/s or 10Mbit/s",
    most=1e12,
    least=1,
    zero=False,
)
"""In bytes per second."""


class Windows(Unit):
    """Intervals of time: [[start, end], …] in seconds, None for an open end."""

    form = "always, none, or times such as 10s..20s, 10s.. or ..20s"
    pattern = rf"^(always|{NONE}|({_NUMBER}(ms|s|m|h))?\.\.({_NUMBER}(ms|s|m|h))?)$"

    def parse(self, text: str) -> list[list[float | None]] | None:
        """Several intervals are separated by commas."""
        if text == NONE:
            return None
        if text == "always":
            return [[0.0, None]]
        return sorted((self._window(part.strip()) for part in text.split(",")), key=lambda window: window[0] or 0)

    def _window(self, text: str) -> list[float | None]:
        found = re.fullmatch(r"(.*?)\.\.(.*)", text)
        try:
            if found is None or NONE in found.groups():
                raise ValueError
            start, end = (DURATION.parse(part) or 0.0 if part else None for part in found.groups())
        except ValueError:
            raise ValueError(f"{text!r} is not allowed here; write {self.form}") from None
        if end is not None and end <= (start or 0):
            raise ValueError(f"{text!r} ends before it begins; write {self.form}")
        return [start or 0.0, end]

    def text(self, value: list[list[float | None]], now_s: float) -> str:
        """The intervals counted from now, without those that are over."""
        return ", ".join(_shown(start, end, now_s) for start, end in value if end is None or end > now_s) or NONE

    def anchored(self, value: list[list[float | None]], start_s: float) -> list[list[float | None]]:
        """The intervals as points in time."""
        return [[start_s + (start or 0), None if end is None else start_s + end] for start, end in value]


def _shown(start: float | None, end: float | None, now_s: float) -> str:
    begins = DURATION.text(round(start - now_s, 1), now_s) if start is not None and start > now_s else ""
    if end is None:
        return f"{begins}.." if begins else "always"
    return f"{begins}..{DURATION.text(max(0.1, round(end - now_s, 1)), now_s)}"


WINDOWS = Windows()
