"""The people of a simulation: the section `population` of a topology."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from cluster.base.units import DURATION, NONE, SHARE
from cluster.topology.presets import HOURS, PRESETS, RHYTHMS, PresetName
from cluster.topology.strict import Section

MAX_PEOPLE = 10_000_000
MAX_DEVICES = 5
MAX_ROOMS = 20


def _time(value: object) -> float:
    if not isinstance(value, str) or value == NONE:
        raise ValueError(f"{value!r} is not allowed here; write {DURATION.form}")
    seconds: float | None = DURATION.parse(value)
    if not seconds:
        raise ValueError(f"{value!r} is not allowed here; write more than 0s, such as 2m")
    return seconds


def _time_or_never(value: object) -> float | None:
    return None if value == "never" else _time(value)


def _share(value: object) -> float:
    if not isinstance(value, str) or value == NONE:
        raise ValueError(f"{value!r} is not allowed here; write {SHARE.form}")
    return round(SHARE.parse(value) or 0.0, 9)


def _all_people(shares: list[float]) -> list[float]:
    if not 1 <= len(shares) <= MAX_DEVICES or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(
            "these are the shares of people with one device, two devices …: they must add up to 100%, for at most "
            f"{MAX_DEVICES} devices, as in ['60%', '30%', '10%']"
        )
    return shares


def _a_day(shares: list[float]) -> list[float]:
    if len(shares) != HOURS or max(shares) != 1:
        raise ValueError(f"write a share for each of the {HOURS} hours of a day, of which the largest is 100%")
    return shares


_TIME = {"type": "string", "pattern": DURATION.pattern}
Time = Annotated[float, BeforeValidator(_time), WithJsonSchema(_TIME)]
"""In seconds, more than 0."""
TimeOrNever = Annotated[
    float | None, BeforeValidator(_time_or_never), WithJsonSchema({"anyOf": [_TIME, {"const": "never"}]})
]
"""In seconds; None: never."""
Share = Annotated[float, BeforeValidator(_share), WithJsonSchema({"type": "string", "pattern": SHARE.pattern})]
"""From 0 to 1."""


def _usual(value: object) -> Any:
    """A default in the words of the file."""
    return Field(default=value, validate_default=True)


def _rhythm(value: object) -> object:
    if isinstance(value, str):
        if value not in RHYTHMS:
            raise ValueError(f"{value!r} is not a rhythm; write {', '.join(RHYTHMS)}, or a list of {HOURS} shares")
        return [f"{percent}%" for percent in RHYTHMS[value]]
    return value


class Population(Section):
    """The people of `xmpplab simulate` (docs/simulate.md); a lab has none of its own."""

    preset: PresetName = "office"
    """What people do where this section does not say so; the defaults below are those of `office`."""
    people: Annotated[int, Field(ge=0, le=MAX_PEOPLE)] = 0
    """Number of people; accounts are added as needed. 0: those of the topology."""
    arrival: Time = _usual("1m")
    """First logins are evenly distributed over this time."""
    session: Time = _usual("20m")
    """How long a device stays online: mean of an exponential distribution."""
    absence: Time = _usual("5m")
    """Time between two sessions of a device: mean of an exponential distribution."""
    devices: Annotated[list[Share], AfterValidator(_all_people)] = _usual(["100%"])
    """Shares of the people with one device, two devices …, each of which comes and goes by itself."""
    conversation: Time = _usual("2m")
    """Time between two conversations that somebody who is online begins: mean of an exponential distribution, in the
    busiest hour."""
    answer: Share = _usual("70%")
    """Probability that somebody who is online answers a message."""
    thinking: Time = _usual("6s")
    """Median time before an answer; log-normal."""
    thinking_spread: Annotated[float, Field(ge=0, le=3)] = 0.8
    """Standard deviation of the logarithm of that time."""
    characters: Annotated[int, Field(ge=1, le=4_000)] = 60
    """Length of a message: mean of an exponential distribution."""
    presence: TimeOrNever = _usual("5m")
    """Time between two changes of presence of a device, to a random one of available, away, dnd and xa: mean of an
    exponential distribution."""
    breaks: TimeOrNever = _usual("15m")
    """Time between two resets of the connection of a device, after which it resumes its stream: mean of an exponential
    distribution."""
    roaming: TimeOrNever = _usual("never")
    """Time until a device has another address, and its connection is lost without a word; then it resumes its stream
    from there: mean of an exponential distribution."""
    rooms: Annotated[int, Field(ge=0, le=MAX_ROOMS)] = 0
    """Rooms that each person enters, if a server has `rooms`. They are created."""
    occupants: Annotated[int, Field(ge=2, le=2_000)] = 10
    """How many people share such a room, on average."""
    visit: Time = _usual("10m")
    """How long a device stays in a room, before it leaves for the time of an absence: mean of an exponential
    distribution."""
    remark: Time = _usual("3m")
    """Time between two messages of a device in a room: mean of an exponential distribution, in the busiest hour."""
    mail: Share = _usual("0%")
    """Share of the conversations that are with mailboxes, if there is a gateway of kind `mail`."""
    sms: Share = _usual("0%")
    """Share of the conversations that are with phones, if there is a gateway of kind `sms`."""
    rhythm: Annotated[
        list[Share],
        AfterValidator(_a_day),
        BeforeValidator(_rhythm),
        WithJsonSchema({"anyOf": [{"enum": [*RHYTHMS]}, {"type": "array", "items": {"type": "string"}}]}),
    ] = _usual("steady")
    """Activity in the hours of a day, as shares of that of the busiest one: `steady`, `office`, `evening`, or a list of
    24 shares. Logins, conversations and messages in rooms follow it."""
    begins: Annotated[int, Field(ge=0, lt=HOURS)] = 9
    """The hour of the day at which the run begins."""

    @field_validator("sms")
    @classmethod
    def _check_shares(cls, sms: float, info: ValidationInfo) -> float:
        if sms + info.data.get("mail", 0.0) > 1:
            raise ValueError("mail and sms together are more than 100% of the conversations; write less")
        return sms


def population(own: Mapping[str, Any]) -> Population:
    """The section with what its preset says where it says nothing. `own`: the values of its keys."""
    return _preset(own.get("preset", "office")).model_copy(update=own)


@cache
def _preset(name: PresetName) -> Population:
    return Population.model_validate({**PRESETS[name], "preset": name})


def said(section: Population) -> dict[str, Any]:
    """The values of the keys that the section has itself, for `population`."""
    return {name: getattr(section, name) for name in Population.model_fields if name in section.model_fields_set}
