"""Faults of a foreign network: what its operator turns on to see gateways cope. They end with its process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import msgspec


class Faults(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """All that can be wrong with a network at once."""

    down: bool = False
    """It takes no connections, and has closed those that there were."""
    delay_s: float = 0.0
    """How long it thinks about each message that a gateway brings."""
    max_per_s: float = 0.0
    """How many messages it takes in a second; it asks for patience for the others. 0: as many as it does without."""
    refuse: str = ""
    """With what it answers each message: an SMTP reply, or a command_status of SMPP."""


_WORDS = {"down": "down", "delay_s": "delay {:g} s", "max_per_s": "rate {:g}/s", "refuse": "refuse {}"}


def in_words(faults: Mapping[str, Any]) -> str:
    """Those that are set, as `fault_ls` tells them: `down, delay 2 s`; empty: none."""
    return ", ".join(_WORDS[key].format(value) for key, value in faults.items())


class FaultyNetwork(ABC):
    """The operator's requests about faults, for any network. Raises ValueError with the remedy."""

    faults = Faults()
    """Those there are."""

    async def fault_ls(self) -> dict[str, Any]:
        """Those that are set, by their names."""
        return dict(msgspec.to_builtins(self.faults))

    async def fault_set(self, **given: Any) -> dict[str, Any]:
        """Set these, beside those that there are; all that are set then."""
        try:
            faults = msgspec.convert({**msgspec.to_builtins(self.faults), **given}, Faults)
        except msgspec.ValidationError as error:
            raise ValueError(f"{error} (faults: {', '.join(Faults.__struct_fields__)})") from None
        if faults.delay_s < 0 or faults.max_per_s < 0:
            raise ValueError("a delay and a rate are not negative")
        await self._apply(faults)
        self.faults = faults
        return await self.fault_ls()

    async def fault_clear(self) -> None:
        """All is well again."""
        await self._apply(Faults())
        self.faults = Faults()

    @abstractmethod
    async def _apply(self, faults: Faults) -> None:
        """Be so. Raises ValueError for what cannot be."""


class Door:
    """Where a network listens; it can be shut and opened again."""

    def __init__(self, factory: Any, end_all: Callable[[], None]) -> None:
        """`end_all` closes the connections of the factory."""
        self._factory = factory
        self._end_all = end_all
        self._endpoint: Any
        self._port: Any = None  # an IListeningPort

    async def open(self, endpoint: Any) -> Any:
        """Listen at this server endpoint; the IListeningPort."""
        self._endpoint = endpoint
        self._port = await endpoint.listen(self._factory)

        return self._port

    async def shut(self) -> None:
        """Take no connections, and close those there are."""
        port, self._port = self._port, None
        if port is not None:
            await port.stopListening()
        self._end_all()

    async def be(self, is_open: bool) -> None:
        """Open it or shut it, if it is not so."""
        if is_open and self._port is None:
            await self.open(self._endpoint)
        elif not is_open and self._port is not None:
            await self.shut()
