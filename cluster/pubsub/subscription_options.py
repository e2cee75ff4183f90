"""The options of a subscription: whether it is told, and when it ends (XEP-0060 sections 6.3, 12.19 and 16.4.2)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cluster.pubsub import configuration
from cluster.pubsub.errors import PUBSUB, refusal
from cluster.pubsub.service import PubsubService
from cluster.store.pubsub import Party
from cluster.xmpp import timestamp
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition
from cluster.xmpp.extensions import data_form

SUBSCRIBE_OPTIONS = f"{PUBSUB}#subscribe_options"
_DELIVER, _EXPIRE = "pubsub#deliver", "pubsub#expire"


def options_form(kind: str, party: Party) -> Element:
    """The options of a subscription: a `form` to change them, or a `result`."""
    form = data_form.new(kind, SUBSCRIBE_OPTIONS)
    is_form = kind == "form"
    label = "Whether to be told of what is published" if is_form else ""
    data_form.add(form, _DELIVER, "boolean" if is_form else "", ["1" if party.deliver else "0"], label)
    if is_form or party.ends_utc_s:
        label = "When the subscription ends (XEP-0082); empty: never" if is_form else ""
        ends = [timestamp.to_text(party.ends_utc_s)] if party.ends_utc_s else []
        data_form.add(form, _EXPIRE, "text-single" if is_form else "", ends, label)
    return form


def with_options(service: PubsubService, options: Element | None, party: Party) -> Party:
    """The subscription with these options; those that are left out stay. Raises StanzaError."""
    values = configuration.read_form(options, SUBSCRIBE_OPTIONS)
    if values is None:
        return party
    unknown = sorted(values.keys() - {_DELIVER, _EXPIRE})
    if unknown:
        text = f"the options are {_DELIVER} and {_EXPIRE}, not {', '.join(unknown)}"
        raise refusal(Condition.BAD_REQUEST, "invalid-options", text)
    try:
        deliver, ends_utc_s = party.deliver, party.ends_utc_s
        if _DELIVER in values:
            deliver = configuration.read_boolean(values[_DELIVER])
        if _EXPIRE in values:
            ends_utc_s = _end(values[_EXPIRE], service.now_utc_s())
    except ValueError as error:
        raise refusal(Condition.BAD_REQUEST, "invalid-options", str(error)) from None
    return msgspec.structs.replace(party, deliver=deliver, ends_utc_s=ends_utc_s)


def _end(values: Sequence[str], now_utc_s: float) -> float:
    text = "".join(values).strip()
    ends_utc_s = timestamp.parse(text) if text else 0.0
    if text and ends_utc_s <= now_utc_s:
        raise ValueError(f"{text} is over")
    return ends_utc_s
