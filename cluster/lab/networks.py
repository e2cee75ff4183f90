"""The foreign networks that a lab runs, and the phones and mailboxes in them."""

from __future__ import annotations

from typing import TypeVar

from msgspec import UNSET, UnsetType

from cluster.lab.answers import MailView, NetworkView, TextView
from cluster.lab.control.ask import ask
from cluster.lab.control.requests import (
    FaultClear,
    FaultLs,
    FaultSet,
    Inbox,
    MailReply,
    PhoneInbox,
    PhoneSend,
    PhoneSwitch,
    Send,
    Status,
)
from cluster.lab.errors import BadInput
from cluster.lab.folder import LabFolder
from cluster.networks.faults import in_words
from cluster.topology.plan import NetworkNode, Plan

Given = TypeVar("Given")


class Phone:
    """A phone in a network of the lab."""

    def __init__(self, folder: LabFolder, plan: Plan, network: NetworkNode, number: str) -> None:
        self.number = number
        self._at = (folder, plan, network)

    def inbox(self, after: int = 0) -> list[TextView]:
        """Its texts, oldest first, without the first `after`. Raises LabError."""
        return ask(*self._at, PhoneInbox(self.number, after))

    def send(self, to: str, text: str, trace_id: str = "") -> None:
        """Write to a number, an address or a local name such as romeo. Raises LabError."""
        ask(*self._at, PhoneSend(self.number, to, text, trace_id))

    def reply(self, text: str) -> None:
        """Answer the newest text. Raises BadInput where there is none."""
        texts = self.inbox()
        if not texts:
            raise BadInput("nobody has written to this phone")
        self.send(texts[-1].from_, text)

    def switch(self, *, on: bool) -> None:
        """Switch it on or off; one that is off gets its texts when it is on again. Raises LabError."""
        ask(*self._at, PhoneSwitch(self.number, on))


class Mailbox:
    """A mailbox in a network of the lab."""

    def __init__(self, folder: LabFolder, plan: Plan, network: NetworkNode, address: str) -> None:
        self.address = address
        self._at = (folder, plan, network)

    def inbox(self, after: int = 0) -> list[MailView]:
        """Its mails, oldest first, without the first `after`. Raises LabError."""
        return ask(*self._at, Inbox(self.address, after))

    def send(self, to: str, subject: str, text: str, trace_id: str = "") -> None:
        """Write to an address. Raises LabError."""
        ask(*self._at, Send(self.address, to, subject, text, trace_id))

    def reply(self, text: str, number: str = "") -> None:
        """Answer the mail of this number in the inbox, else the newest. Raises BadInput."""
        mails = self.inbox()
        if number and not (number.isascii() and number.isdigit() and 1 <= int(number) <= len(mails)):
            raise BadInput(f"there is no mail {number}; the inbox has {len(mails)}")
        if not mails:
            raise BadInput(f"there is nothing to reply to: no mail for {self.address} has come")
        self.answer(mails[int(number) - 1 if number else -1].message_id, text)

    def answer(self, message_id: str, text: str, trace_id: str = "", to: str = "") -> None:
        """Answer the mail of this Message-ID; `to`: at another address than the mail's own. Raises LabError."""
        ask(*self._at, MailReply(self.address, message_id, text, trace_id, to))


def find_phone(folder: LabFolder, plan: Plan, wanted: str) -> Phone:
    """The phone of this name or number. Raises BadInput."""
    found = [(network, name, number) for network in plan.networks for name, number in network.phones.items()]
    for network, name, number in found:
        if wanted in (name, number):
            return Phone(folder, plan, network, number)
    raise BadInput(f"there is no phone {wanted} in this lab; there is: {_listed(found)}")


def find_mailbox(folder: LabFolder, plan: Plan, wanted: str) -> Mailbox:
    """The mailbox of this name or address. Raises BadInput."""
    found = [(network, name, address) for network in plan.networks for name, address in network.mailboxes.items()]
    for network, name, address in found:
        if wanted in (name, address):
            return Mailbox(folder, plan, network, address)
    raise BadInput(f"there is no mailbox {wanted} in this lab; there is: {_listed(found)}")


def _listed(found: list[tuple[NetworkNode, str, str]]) -> str:
    return ", ".join(f"{address} ({name})" for _, name, address in found) or "none"


class Networks:
    """The foreign networks that the lab runs, and their faults. Raises LabError, and BadInput for an unknown name."""

    def __init__(self, folder: LabFolder, plan: Plan) -> None:
        self._folder = folder
        self._plan = plan
        self._known = {network.name: network for network in plan.networks if not network.is_external}

    def ls(self) -> list[NetworkView]:
        """All of them: who is connected, what waits, what is wrong."""
        found = []
        for network in self._known.values():
            status = ask(self._folder, self._plan, network, Status())
            faults = ask(self._folder, self._plan, network, FaultLs())
            found.append(NetworkView(network.name, network.kind, status, faults))
        return found

    def set(
        self,
        name: str,
        *,
        down: bool = False,
        delay_s: float | None = None,
        max_per_s: float | None = None,
        refuse: str | None = None,
    ) -> str:
        """Give a network these faults, beside those that it has; all of them, in words."""
        faults = FaultSet(down or UNSET, _given(delay_s), _given(max_per_s), _given(refuse))
        return in_words(ask(self._folder, self._plan, self._find(name), faults))

    def clear(self, name: str) -> None:
        """Take all faults from a network."""
        ask(self._folder, self._plan, self._find(name), FaultClear())

    def _find(self, name: str) -> NetworkNode:
        if name not in self._known:
            raise BadInput(f"the lab runs no network {name!r}; there is: {', '.join(self._known) or 'none'}")
        return self._known[name]


def _given(value: Given | None) -> Given | UnsetType:
    return UNSET if value is None else value
