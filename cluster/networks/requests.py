"""What may be asked of every foreign network, beside how it is."""

from __future__ import annotations

from typing import Any

import msgspec

from cluster.base.request import Request, Requests


class FaultLs(Request[dict[str, Any]], frozen=True, tag="fault_ls"):
    """The faults of a foreign network."""


class FaultSet(Request[dict[str, Any]], frozen=True, tag="fault_set"):
    """Give a foreign network these faults, beside those that it has; the answer are all of them."""

    down: bool | msgspec.UnsetType = msgspec.UNSET
    delay_s: float | msgspec.UnsetType = msgspec.UNSET
    max_per_s: float | msgspec.UnsetType = msgspec.UNSET
    refuse: str | msgspec.UnsetType = msgspec.UNSET


class FaultClear(Request[None], frozen=True, tag="fault_clear"):
    """Take all faults from a foreign network."""


FAULTS: Requests = (FaultLs, FaultSet, FaultClear)
