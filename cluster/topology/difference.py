"""What a topology file has other than the lab that runs of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from cluster.topology.plan import Plan
from cluster.topology.scale import as_written

_NAMES = ("name", "localpart", "jid", "domain")
"""By which of their keys the things of a list are told apart."""
_SECRET = ("password", "secret", "redis_url")
_ELSEWHERE = ("topology", "state_dir")


def differences(running: Plan, wanted: Sequence[Plan]) -> list[str]:
    """One line each; empty where one of `wanted`, which are the same lab at different addresses, is what runs."""
    before, *afters = (msgspec.json.decode(as_written(plan).encoded()) for plan in (running, *wanted))
    found = [[*_between("", before, after)] for after in afters]
    return min(found, key=len)


def _between(where: str, before: Any, after: Any) -> Iterator[str]:
    if before == after:
        return
    if isinstance(before, list) and isinstance(after, list):
        named = [{_name(each): each for each in some} for some in (before, after)]
        if all(None not in some for some in named):
            before, after = named
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            if where or key not in _ELSEWHERE:
                yield from _between(f"{where}.{key}".removeprefix("."), before.get(key), after.get(key))
    elif before is None:
        yield f"{where} is new"
    elif after is None:
        yield f"{where} is gone"
    else:
        shown = f": {_shown(where, before)} runs, {_shown(where, after)} is wanted"
        yield f"{where} is another one" + ("" if where.endswith(_SECRET) else shown)


def _name(item: Any) -> str | None:
    """None for what has no name: then such lists are compared as a whole."""
    if not isinstance(item, dict):
        return None
    if "from_" in item:
        return f"{item['from_']} → {item['to']}"
    return next((str(item[key]) for key in _NAMES if key in item), None)


def _shown(where: str, value: Any) -> str:
    if where == "processes" and value == 0:
        return "one for each server"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
