"""The faults of one link as they are written down, in Redis or in memory, for whoever reads the link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cluster.router.faults import known


class FaultSettings(msgspec.Struct, frozen=True):
    """Which faults a link has. Points in time are seconds since the epoch."""

    seed: str
    """Of the randomness; each link and each fault makes its own of it."""
    faults: dict[str, Any]
    """What `Unit.parse` and `anchored` made, by the keys of the faults."""


def parse(texts: Mapping[str, str]) -> dict[str, Any]:
    """The values of faults as people write them; None takes one away. Raises ValueError with the remedy."""
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
    """The old faults with the new ones; these are counted from `start_s`."""
    values = {**old, **{key: value and known()[key].quantity.anchored(value, start_s) for key, value in new.items()}}
    return {key: value for key, value in values.items() if value is not None}


def shifted(settings: FaultSettings, by_s: float) -> FaultSettings:
    """The same faults by a clock that is ahead by so much. Raises KeyError, TypeError for nonsense."""
    faults = {key: known()[key].quantity.anchored(value, by_s) for key, value in settings.faults.items()}
    return FaultSettings(settings.seed, faults)


def texts(faults: Mapping[str, Any], now_s: float) -> dict[str, str]:
    """What has to be written to get these faults now."""
    return {key: known()[key].quantity.text(value, now_s) for key, value in faults.items()}
