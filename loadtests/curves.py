"""How the number of users changes during a run: as a part of all users, at each part of the time."""

from __future__ import annotations


def steps(part: float) -> float:
    """Five steps of equal length: 20, 40, 60, 80 and 100 % of the users."""
    return min(1 + int(part * 5), 5) / 5


def ramp(part: float) -> float:
    """From none to all during the first half; all for a quarter; down to none during the last quarter."""
    return min(2 * part, 1.0, 4 * (1 - part))


def spike(part: float) -> float:
    """A fifth of the users; all of them from 40 to 60 % of the time."""
    return 1.0 if 0.4 <= part < 0.6 else 0.2
