"""Phone numbers: their normal form, and those that users registered as their own."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cluster.gateways.sms.store import Table
from cluster.protocols.smpp.address import is_phone_number
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid

_DECORATION = re.compile(r"[\s().\-/]")


MAX_REGISTERED = 10_000
"""Users with numbers: anybody of any domain may register one, and all are in memory."""


def phone_number(text: str) -> str:
    """`+39 333 123-4567` and `0039…` as `+393331234567`. Raises StanzaError (item-not-found) for no phone number."""
    number = _DECORATION.sub("", text)
    if number.startswith("00"):
        number = f"+{number[2:]}"
    if not is_phone_number(number):
        raise StanzaError(Condition.ITEM_NOT_FOUND, f"{text!r} is not a phone number; write it like +393331234567")
    return number


class RegisteredNumbers:
    """The gateway's `Registrar`: users write from the number that they registered; others from the gateway's own.

    Nothing proves that a number is the user's own: in a lab the operator decides, not the phone.
    """

    instructions = "Your phone number, like +393331234567: people at phones see it as the sender, and answer to it."
    fields: tuple[str, ...] = ("phone",)
    required = False
    """Users may write without a registration."""

    def __init__(self, table: Table[str]) -> None:
        self._table = table
        self._numbers: dict[Jid, str] = {}
        self._owners: dict[str, Jid] = {}

    async def load(self) -> None:
        """Load what earlier processes stored."""
        for user, number in (await self._table.load()).items():
            self._keep(Jid.parse(user), number)

    def number_of(self, user: Jid) -> str | None:
        """The number of a user (bare JID)."""
        return self._numbers.get(user)

    def owner_of(self, number: str) -> Jid | None:
        """The user who has this number."""
        return self._owners.get(number)

    # --- as the Registrar

    async def users(self) -> list[Jid]:
        """All registered users."""
        return sorted(self._numbers)

    async def find(self, user: Jid) -> Mapping[str, str] | None:
        """The user's number, as a field of XEP-0077."""
        number = self._numbers.get(user)
        return None if number is None else {"phone": number}

    async def register(self, user: Jid, answers: Mapping[str, str]) -> None:
        """Store the user's number. Raises StanzaError if it is not a number (not-acceptable), or taken (conflict)."""
        try:
            number = phone_number(answers["phone"])
        except StanzaError as error:
            raise StanzaError(Condition.NOT_ACCEPTABLE, error.text) from None
        if self._owners.get(number, user) != user:
            raise StanzaError(Condition.CONFLICT, f"{number} is registered by somebody else")
        if user not in self._numbers and len(self._numbers) >= MAX_REGISTERED:
            raise StanzaError(Condition.RESOURCE_CONSTRAINT, f"{MAX_REGISTERED} numbers are registered; no more can be")
        self._drop(user)
        self._keep(user, number)
        await self._table.put(str(user), number)

    async def remove(self, user: Jid) -> None:
        """Remove the user's number."""
        self._drop(user)
        await self._table.delete(str(user))

    def _keep(self, user: Jid, number: str) -> None:
        self._numbers[user] = number
        self._owners[number] = user

    def _drop(self, user: Jid) -> None:
        number = self._numbers.pop(user, None)
        if number is not None:
            del self._owners[number]
