"""The values of a scenario file: times, shares, rates and limits."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from cluster.base.units import DURATION, NONE, SHARE


def duration_s(value: object) -> float:
    """The time in seconds. Raises ValueError with the allowed form."""
    if not isinstance(value, str) or value == NONE:
        raise ValueError(f"{value!r} is not allowed here; write {DURATION.form}")
    return DURATION.parse(value) or 0.0


def _share(value: object) -> object:
    if value == "any":
        return None
    if not isinstance(value, str) or value == NONE:
        raise ValueError(f"{value!r} is not allowed here; write {SHARE.form}, or any")
    return SHARE.parse(value) or 0.0


def _rate(value: object) -> object:
    if value == "max":
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise ValueError(f"{value!r} is not a rate; write stanzas per second, such as 1000, or max")
    return float(value)


def limit(value: object) -> object:
    """The number, None for any number. Raises ValueError with the allowed form."""
    if value == "any":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is not a limit; write a maximum, such as 0, or any")
    return value


Seconds = Annotated[float, BeforeValidator(duration_s), WithJsonSchema({"type": "string", "pattern": DURATION.pattern})]
Share = Annotated[
    float | None,
    BeforeValidator(_share),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": SHARE.pattern}, {"const": "any"}]}),
]
Rate = Annotated[
    float | None,
    BeforeValidator(_rate),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": "max"}]}),
]
Limit = Annotated[
    int | None,
    BeforeValidator(limit),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"const": "any"}]}),
]
"""None: any number."""
