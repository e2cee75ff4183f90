"""Times of SMPP 3.4 (section 7.1.1): `YYMMDDhhmmsstnnp`, absolute or, with p = R, relative."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_FORM = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d)(\d\d)([+\-R])", re.ASCII)
_QUARTER = timedelta(minutes=15)


def seconds_from(now: datetime, time: str) -> float:
    """Seconds from `now` (aware) to the time; negative if it is over. Raises ValueError for other texts."""
    found = _FORM.fullmatch(time)
    if found is None:
        raise ValueError(f"{time!r} is not an SMPP time: YYMMDDhhmmsstnnp")
    *numbers, tenths, quarters, kind = found.groups()
    years, months, days, hours, minutes, seconds = map(int, numbers)
    if hours > 23 or minutes > 59 or seconds > 59 or int(quarters) > 48:
        raise ValueError(f"{time!r} is not an SMPP time: hours go to 23, minutes and seconds to 59, quarters to 48")
    if kind == "R":
        if months > 12 or days > 31 or tenths != "0" or quarters != "00":
            raise ValueError(f"{time!r} is not a relative SMPP time: YYMMDDhhmmss000R")
        span = timedelta(days=365 * years + 30 * months + days, hours=hours, minutes=minutes, seconds=seconds)
        return span.total_seconds()
    offset = timezone(int(quarters) * _QUARTER * (1 if kind == "+" else -1))
    moment = datetime(2000 + years, months, days, hours, minutes, seconds, int(tenths) * 100_000, offset)
    return (moment - now.astimezone(UTC)).total_seconds()
