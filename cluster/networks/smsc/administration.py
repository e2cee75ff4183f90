"""The requests of a lab's operator to its message centre: its phones, their texts, its faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cluster.networks.faults import Door, Faults, FaultyNetwork
from cluster.networks.smsc.centre import MessageCentre
from cluster.networks.smsc.configuration import SmscSettings
from cluster.networks.smsc.esmes import EsmeSessions
from cluster.networks.smsc.hops import Hops
from cluster.networks.smsc.limits import Limits
from cluster.networks.smsc.phone import Phone
from cluster.protocols.smpp.compose import short_messages
from cluster.protocols.smpp.constants import CommandId, CommandStatus
from cluster.protocols.smpp.pdu import Pdu
from cluster.protocols.smpp.text import TextTooLong
from cluster.trace.hop import Event


class SmscAdministration(FaultyNetwork):
    """The operator's requests. Raises ValueError with the remedy."""

    def __init__(
        self,
        settings: SmscSettings,
        centre: MessageCentre,
        esmes: EsmeSessions,
        phones: dict[str, Phone],
        limits: Limits,
        hops: Hops,
        door: Door,
        *,
        now_utc_s: Callable[[], float],
        first_reference: int,
    ) -> None:
        """`first_reference`: the first number for messages of phones, another one at each start."""
        self._settings = settings
        self._centre = centre
        self._esmes = esmes
        self._phones = phones
        self._limits = limits
        self._hops = hops
        self._door = door
        self._now_utc_s = now_utc_s
        self._reference = first_reference

    async def status(self) -> dict[str, Any]:
        """The bound ESMEs by system_id, the messages that wait, and the phones that are off, by name."""
        off = [phone.name for phone in self._phones.values() if not phone.on]
        counts = {"esmes": self._esmes.bound, "waiting": self._centre.waiting, "phones": len(self._phones)}
        return {"ready": True, **counts, "off": off}

    async def phone_ls(self) -> list[dict[str, Any]]:
        """All phones: number, name, whether it is on, number of texts."""
        now_s = self._now_utc_s()
        return [
            {"number": phone.number, "name": phone.name, "on": phone.on, "texts": len(phone.inbox(now_s))}
            for phone in self._phones.values()
        ]

    async def phone_inbox(self, number: str, after: int = 0) -> list[dict[str, Any]]:
        """The phone's texts, oldest first, without the first `after`: at_utc_s, from, text, trace_id."""
        return self._phone(number).inbox(self._now_utc_s())[int(after) :]

    async def phone_send(self, number: str, to: str, text: str, trace_id: str = "") -> None:
        """Send a text from the phone, to a number, or to an XMPP address (or local name) through the gateway."""
        phone = self._phone(number)
        if not phone.on:
            raise ValueError(f"{number} is switched off; switch it on first")
        if not to.removeprefix("+").isdigit():
            to, text = self._by_gateway(to, text)
        if to not in self._phones and self._centre.esme_for(to) is None:
            raise ValueError(f"unknown recipient {to}; write to a phone, a gateway's number or name@domain")
        try:
            messages = short_messages(phone.number, to, text, self._reference, trace_id=trace_id)
        except TextTooLong as error:
            raise ValueError(f"{error}; send less at a time") from None
        self._reference = (self._reference + len(messages)) % 65536
        for message in messages:
            pdu = Pdu(CommandId.SUBMIT_SM, 0, message.sm, 0, message.tlvs)
            self._hops.record(Event.SENT, pdu, phone.name, f"to {to}")
            self._centre.submit(pdu)

    async def phone_switch(self, number: str, on: bool) -> None:
        """Switch a phone on or off; texts for a phone that is off wait until they expire."""
        phone = self._phone(number)
        phone.on = bool(on)
        if phone.on:
            self._centre.switched_on(phone)

    async def _apply(self, faults: Faults) -> None:
        refusal = CommandStatus.__members__.get(faults.refuse) or None
        if faults.refuse and not refusal:
            raise ValueError(
                f"{faults.refuse!r} is not a command_status with which SMPP refuses a message; write "
                "it like ESME_RSYSERR"
            )
        self._limits.refusal = refusal
        self._limits.delay_s = faults.delay_s
        self._limits.limit(faults.max_per_s)
        await self._door.be(not faults.down)

    def _by_gateway(self, to: str, text: str) -> tuple[str, str]:
        """The number and text with which a person writes to an XMPP address: the gateway's number, the address before
        the text."""
        if not self._settings.esmes:
            raise ValueError(f"{to} is not a phone number, and this network has no gateway to XMPP")
        return self._settings.esmes[0].numbers[0], f"{to}: {text}" if "@" in to else f"@{to} {text}"

    def _phone(self, number: str) -> Phone:
        phone = self._phones.get(number)
        if phone is None:
            raise ValueError(f"no phone {number} (phones: {', '.join(self._phones) or 'none'})")
        return phone
