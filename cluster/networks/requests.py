"""The requests that every foreign network answers, besides its status."""

from __future__ import annotations

from typing import Any

import msgspec

from cluster.base.request import Request, Requests


class FaultLs(Request[dict[str, Any]], frozen=True, tag="fault_ls"):
    """The faults of a foreign network."""


class FaultSet(Request[dict[str, Any]], frozen=True, tag="fault_set"):
    """Add faults to a foreign network; the answer has all of them."""

    down: bool | msgspec.UnsetType = msgspec.UNSET
    delay_s: float | msgspec.UnsetType = msgspec.UNSET
    max_per_s: float | msgspec.UnsetType = msgspec.UNSET
    refuse: str | msgspec.UnsetType = msgspec.UNSET


class FaultClear(Request[None], frozen=True, tag="fault_clear"):
    """Remove all faults of a foreign network."""


FAULTS: Requests = (FaultLs, FaultSet, FaultClear)
