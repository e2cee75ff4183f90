"""A phone, as its owner uses it."""

from __future__ import annotations

from typing_extensions import override

from cluster.networks.person import Person
from cluster.networks.smsc.requests import PhoneInbox, PhoneSend, PhoneSwitch, TextView


class Phone(Person):
    """A phone in a network of the lab; its address is its number."""

    @override
    def inbox(self, after: int = 0) -> list[TextView]:
        return self._ask(PhoneInbox(self.address, after))

    @override
    def write(self, to: str, domain: str, text: str, trace_id: str) -> None:
        self.send(to, text, trace_id)

    def send(self, to: str, text: str, trace_id: str = "") -> None:
        """Write to a number, an address or a local name such as romeo."""
        self._ask(PhoneSend(self.address, to, text, trace_id))

    def reply(self, text: str) -> None:
        """Answer the newest text. Raises ValueError if there is no text."""
        texts = self.inbox()
        if not texts:
            raise ValueError("nothing to reply to: this phone has received no text")
        self.send(texts[-1].from_, text)

    def switch(self, *, on: bool) -> None:
        """Switch the phone on or off; a phone that is off gets its texts when it is on again."""
        self._ask(PhoneSwitch(self.address, on))
