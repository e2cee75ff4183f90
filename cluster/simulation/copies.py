"""Accounts with several devices: each message reaches all of those that are online (XEP-0280)."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from cluster.virtual.timeline import NS

PATIENCE_NS = 60 * NS
"""A copy that comes later than this after the first one, to a device that is online, is missing."""


def account_of(device: str) -> str:
    """The account of a device such as `12.0`: `12`."""
    return device.partition(".")[0]


class Copies:
    """The copies that devices wait for."""

    def __init__(self) -> None:
        self.devices: dict[str, list[str]] = {}
        """Of each account that has several."""
        self._listening_ns: dict[str, int] = {}
        """Since when the session of a device gets copies."""
        self._due: dict[str, dict[str, int]] = {}
        """The messages that a device has not seen, and when another one had them."""
        self._ended_ns: dict[str, int] = {}
        """When a session of an account ended last, or its connection broke or came back."""
        self._unsettled: dict[str, set[str]] = {}
        """The devices of an account whose connection is broken, or which log out."""

    def listens(self, device: str, at_ns: int) -> None:
        """From now on its session gets copies."""
        self._listening_ns.setdefault(device, at_ns)

    def ended(self, device: str, at_ns: int, *, is_orderly: bool) -> list[str]:
        """Its session has ended; returns what is missing. If it did not end in an orderly way, nothing is known."""
        self._listening_ns.pop(device, None)
        due = self._due.pop(device, {})
        self.settle(device, at_ns)
        return [id for id, since_ns in due.items() if is_orderly and at_ns - since_ns > PATIENCE_NS]

    def unsettle(self, device: str) -> None:
        """Its connection is broken, or it logs out: what it has not got may go to another device."""
        if account_of(device) in self.devices:
            self._unsettled.setdefault(account_of(device), set()).add(device)

    def settle(self, device: str, at_ns: int) -> None:
        """Its connection is back, or its session has ended."""
        if account_of(device) in self.devices:
            self._unsettled.get(account_of(device), set()).discard(device)
            self._ended_ns[account_of(device)] = at_ns

    def expect(self, id: str, at: str, sent_ns: int, at_ns: int, has: Callable[[str], bool]) -> None:
        """A message of `sent_ns` has left this device, or reached it: the others of its account see it, too."""
        for device in self.devices.get(account_of(at), ()):
            if device != at and sent_ns > self._listening_ns.get(device, inf) and not has(device):
                self._due.setdefault(device, {})[id] = at_ns

    def seen(self, device: str, id: str) -> None:
        """A device has it."""
        if due := self._due.get(device):
            due.pop(id, None)

    def missing(self) -> list[str]:
        """When all has settled: what did not come."""
        return [f"{id} at device {device}" for device, due in self._due.items() for id in due]

    def may_come_late(self, account: str, sent_ns: int) -> bool:
        """Whether a session of the account has ended since: what it had not got goes to another device."""
        return bool(self._unsettled.get(account)) or self._ended_ns.get(account, -1) >= sent_ns
