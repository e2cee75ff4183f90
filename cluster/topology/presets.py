"""Populations with names, and rhythms of the day, in the words of a topology file."""

from __future__ import annotations

from typing import Any, Literal

PresetName = Literal["office", "chatty", "mobile", "teaching-room"]

PRESETS: dict[PresetName, dict[str, Any]] = {
    "office": {},
    "chatty": {"conversation": "20s", "answer": "85%", "thinking": "3s", "session": "1h", "rooms": 1, "remark": "30s"},
    "mobile": {
        "devices": ["55%", "35%", "10%"], "session": "4m", "absence": "8m", "thinking": "12s", "thinking_spread": 1.2,
        "characters": 35, "breaks": "10m", "roaming": "6m", "sms": "5%", "rhythm": "evening", "begins": 19,
    },
    "teaching-room": {
        "arrival": "3m", "session": "45m", "absence": "2m", "conversation": "10m", "answer": "50%", "rooms": 1,
        "occupants": 25, "visit": "40m", "remark": "90s", "breaks": "20m",
    },
}  # fmt: skip
"""Without the keys that are as in `office`, which has the defaults of the section."""

HOURS = 24
RHYTHMS: dict[str, list[int]] = {
    "steady": [100] * HOURS,
    "office": [2, 2, 2, 2, 2, 2, 5, 20, 60, 90, 100, 100, 70, 80, 100, 100, 90, 60, 25, 12, 10, 8, 5, 2],
    "evening": [35, 18, 10, 6, 5, 7, 15, 30, 42, 50, 55, 60, 65, 62, 60, 60, 65, 72, 80, 88, 95, 100, 90, 60],
}
"""Activity in each hour of a day, in percent of that of the busiest one."""
