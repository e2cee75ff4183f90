"""The requests that a message centre answers."""

from __future__ import annotations

from typing import Any

import msgspec

from cluster.base.request import Request, Requests, Status
from cluster.networks.requests import FAULTS


class TextView(msgspec.Struct, frozen=True):
    """A text in the inbox of a phone."""

    at_utc_s: float
    from_: str = msgspec.field(name="from")
    text: str
    trace_id: str
    """Key of its hops in the journal; empty if it is not followed."""


class PhoneLs(Request[list[dict[str, Any]]], frozen=True, tag="phone_ls"):
    """The phones of a message centre."""


class PhoneInbox(Request[list[TextView]], frozen=True, tag="phone_inbox"):
    """The texts of a phone, oldest first, without the first `after`."""

    number: str
    after: int = 0


class PhoneSend(Request[None], frozen=True, tag="phone_send"):
    """Send a text from a phone to a number, an address or a local name."""

    number: str
    to: str
    text: str
    trace_id: str = ""


class PhoneSwitch(Request[None], frozen=True, tag="phone_switch"):
    """Switch a phone on or off."""

    number: str
    on: bool


REQUESTS: Requests = (Status, *FAULTS, PhoneLs, PhoneInbox, PhoneSend, PhoneSwitch)
