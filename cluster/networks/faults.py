"""Faults of a foreign network, which its operator sets to test gateways. They end with its process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import msgspec


class Faults(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """All faults of a network."""

    down: bool = False
    """Refuse connections, and close the open ones."""
    delay_s: float = 0.0
    """Delay of the answer to each message of a gateway."""
    max_per_s: float = 0.0
    """Messages that are accepted per second; the others are throttled. 0: the network's own limit."""
    refuse: str = ""
    """The answer to each message: an SMTP reply, or a command_status of SMPP."""


_WORDS = {"down": "down", "delay_s": "delay {:g} s", "max_per_s": "rate {:g}/s", "refuse": "refuse {}"}


def in_words(faults: Mapping[str, Any]) -> str:
    """The faults in the words of `fault_ls`: `down, delay 2 s`; empty if there are none."""
    return ", ".join(_WORDS[key].format(value) for key, value in faults.items())


class FaultyNetwork(ABC):
    """The operator's requests about faults, for any network. Raises ValueError with the remedy."""

    faults = Faults()
    """The current faults."""

    async def fault_ls(self) -> dict[str, Any]:
        """The current faults, by their names."""
        return dict(msgspec.to_builtins(self.faults))

    async def fault_set(self, **given: Any) -> dict[str, Any]:
        """Set these faults in addition to the current ones; returns all."""
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
        """Remove all faults."""
        await self._apply(Faults())
        self.faults = Faults()

    @abstractmethod
    async def _apply(self, faults: Faults) -> None:
        """Apply the faults. Raises ValueError for impossible ones."""


class Door:
    """The port of a network, which can be closed and opened again."""

    def __init__(self, factory: Any, end_all: Callable[[], None]) -> None:
        """`end_all` closes the connections of the factory."""
        self._factory = factory
        self._end_all = end_all
        self._endpoint: Any
        self._port: Any = None  # an IListeningPort

    async def open(self, endpoint: Any) -> Any:
        """Listen at this server endpoint; returns the IListeningPort."""
        self._endpoint = endpoint
        self._port = await endpoint.listen(self._factory)

        return self._port

    async def shut(self) -> None:
        """Refuse connections, and close the open ones."""
        port, self._port = self._port, None
        if port is not None:
            await port.stopListening()
        self._end_all()

    async def be(self, is_open: bool) -> None:
        """Open or close the port, unless it is so already."""
        if is_open and self._port is None:
            await self.open(self._endpoint)
        elif not is_open and self._port is not None:
            await self.shut()
