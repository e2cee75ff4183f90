"""The faults of one link in stored form, in Redis or in memory, for its reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cluster.router.faults import known


class FaultSettings(msgspec.Struct, frozen=True):
    """The faults of a link. Points in time are seconds since the epoch."""

    seed: str
    """Seed of the random numbers; each link and each fault derives its own from it."""
    faults: dict[str, Any]
    """The results of `Unit.parse` and `anchored`, by the keys of the faults."""


def parse(texts: Mapping[str, str]) -> dict[str, Any]:
    """Parse the values of faults as people write them; None removes one. Raises ValueError with the remedy."""
    values = {}
    for key, text in texts.items():
        if key not in known():
            raise ValueError(f"no fault {key!r} (faults: {', '.join(known())}")
        try:
            values[key] = known()[key].quantity.parse(text)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
    return values


def merged(old: Mapping[str, Any], new: Mapping[str, Any], start_s: float) -> dict[str, Any]:
    """The old faults with the new ones, which count from `start_s`."""
    values = {**old, **{key: value and known()[key].quantity.anchored(value, start_s) for key, value in new.items()}}
    return {key: value for key, value in values.items() if value is not None}


def shifted(settings: FaultSettings, by_s: float) -> FaultSettings:
    """The same faults by a clock that is ahead by this time. Raises KeyError, TypeError for invalid values."""
    faults = {key: known()[key].quantity.anchored(value, by_s) for key, value in settings.faults.items()}
    return FaultSettings(settings.seed, faults)


def texts(faults: Mapping[str, Any], now_s: float) -> dict[str, str]:
    """The texts that give these faults now."""
    return {key: known()[key].quantity.text(value, now_s) for key, value in faults.items()}
