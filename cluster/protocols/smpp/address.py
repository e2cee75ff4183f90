"""Phone numbers as SMPP addresses (sections 5.2.5 to 5.2.9)."""

from __future__ import annotations

import re

import msgspec

from cluster.protocols.smpp.constants import Npi, Ton

_INTERNATIONAL = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
"""ITU-T E.164: country code and number, together at most 15 digits."""


class Address(msgspec.Struct, frozen=True):
    """One address; the plus of an international number is in its type of number."""

    ton: int
    npi: int
    digits: str


def is_phone_number(text: str) -> bool:
    """Whether this is an international number with its plus, and nothing else."""
    return _INTERNATIONAL.fullmatch(text) is not None


def address_of(number: str) -> Address:
    """The address of `+393331234567`, or of a short code such as `4444`."""
    if number.startswith("+"):
        return Address(Ton.INTERNATIONAL, Npi.ISDN, number[1:])
    return Address(Ton.UNKNOWN, Npi.ISDN, number)


def number_of(ton: int, digits: str) -> str:
    """The number of an address, with its plus if it is international."""
    return f"+{digits.removeprefix('+')}" if ton == Ton.INTERNATIONAL else digits
