"""Requests about links and foreign networks."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from cluster.lab.api import BadInput, seconds
from cluster.web.requests.ask import Ask, Change, Name, Page


class FaultSet(Change, frozen=True, tag="fault_set"):
    """Add faults to a link, or change them."""

    from_: Name = msgspec.field(name="from")
    to: Name
    faults: Annotated[dict[str, Name], Meta(min_length=1, max_length=20)]
    both: bool = False

    def run(self, page: Page) -> Any:
        return page.lab.faults.set(self.from_, self.to, self.faults, both=self.both)

    def words(self) -> tuple[str, ...]:
        given = [word for key, text in self.faults.items() for word in (f"--{key}", text)]
        return ("fault", "set", self.from_, self.to, *given, *(("--both",) if self.both else ()))


class FaultClear(Change, frozen=True, tag="fault_clear"):
    """Remove the faults of a link; without servers, of all links."""

    from_: Name | None = msgspec.field(name="from", default=None)
    to: Name | None = None
    both: bool = False

    def run(self, page: Page) -> Any:
        if (self.from_ is None) != (self.to is None):
            raise BadInput("a link has two ends: give both, or none for all links")
        return page.lab.faults.clear(self.from_, self.to, both=self.both)

    def words(self) -> tuple[str, ...]:
        ends = [name for name in (self.from_, self.to) if name is not None]
        return ("fault", "clear", *ends, *(("--both",) if self.both else ()))


class NetworkLs(Ask, frozen=True, tag="network_ls"):
    """The foreign networks, their states and faults."""

    def run(self, page: Page) -> Any:
        return page.lab.networks.ls()

    def words(self) -> tuple[str, ...]:
        return ("network", "ls")


class NetworkSet(Change, frozen=True, tag="network_set"):
    """Add faults to a foreign network."""

    network: Name
    down: bool = False
    delay: str | None = None

    def run(self, page: Page) -> Any:
        if not self.down and self.delay is None:
            raise BadInput("no fault given: choose `down`, or a delay such as 2s")
        delay_s = None if self.delay is None else seconds(self.delay, "delay")
        return page.lab.networks.set(self.network, down=self.down, delay_s=delay_s, max_per_s=None, refuse=None)

    def words(self) -> tuple[str, ...]:
        given = (*(("--down",) if self.down else ()), *(("--delay", self.delay) if self.delay is not None else ()))
        return ("network", "set", self.network, *given)


class NetworkClear(Change, frozen=True, tag="network_clear"):
    """Remove the faults of a foreign network."""

    network: Name

    def run(self, page: Page) -> Any:
        page.lab.networks.clear(self.network)

    def words(self) -> tuple[str, ...]:
        return ("network", "clear", self.network)
