"""The form of a node's configuration (XEP-0060 section 16.4.4): shown, read, and compared with publishing options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from cluster.pubsub.errors import PUBSUB, refusal, unsupported
from cluster.store.pubsub import MAX_ITEMS, NodeConfig
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions import data_form
from cluster.xmpp.extensions.data_form import DATA

NODE_CONFIG = f"{PUBSUB}#node_config"
PUBLISH_OPTIONS = f"{PUBSUB}#publish-options"
MAX_TEXT_BYTES = 1_023
"""Of one value."""
MAX_GROUPS = 100
"""Roster groups of one node."""
MAX_SECONDS = 10_000_000_000
"""Of `item_expire`: 317 years."""


class _Field(NamedTuple):
    kind: str
    """Its type in the form (XEP-0004 section 3.3)."""
    label: str
    read: Callable[[Sequence[str]], Any]
    """Raises ValueError."""
    show: Callable[[Any], Sequence[str]]
    options: tuple[str, ...] = ()


def _one(texts: Sequence[str]) -> str:
    if len(texts) != 1:
        raise ValueError("has exactly one value")
    return texts[0].strip()


def _text(texts: Sequence[str]) -> str:
    text = _one(texts) if texts else ""
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise ValueError(f"has at most {MAX_TEXT_BYTES} bytes")
    return text


def _groups(texts: Sequence[str]) -> tuple[str, ...]:
    if len(texts) > MAX_GROUPS:
        raise ValueError(f"has at most {MAX_GROUPS} values")
    return tuple(_text([text]) for text in texts)


def read_boolean(texts: Sequence[str]) -> bool:
    """Both ways to write it (XML Schema part 2 section 3.2.2.1). Raises ValueError."""
    text = _one(texts)
    if text not in ("0", "1", "false", "true"):
        raise ValueError("is 1, true, 0 or false")
    return text in ("1", "true")


def _number(texts: Sequence[str], most: int) -> int:
    text = _one(texts)
    if not (text.isascii() and text.isdigit()):
        raise ValueError("is a whole number")
    return min(int(text[:20]), most)


def _max_items(texts: Sequence[str]) -> int:
    number = MAX_ITEMS if _one(texts) == "max" else _number(texts, MAX_ITEMS)
    if not number:
        raise ValueError("is at least 1; a node without items has persist_items=0")
    return number


def _seconds(texts: Sequence[str]) -> int:
    return 0 if not texts or _one(texts) in ("", "max") else _number(texts, MAX_SECONDS)


def _size(texts: Sequence[str]) -> int:
    return 0 if not texts or not _one(texts) else _number(texts, MAX_SECONDS)


def _choice(*options: str) -> Callable[[Sequence[str]], str]:
    def read(texts: Sequence[str]) -> str:
        if (text := _one(texts)) not in options:
            raise ValueError(f"is one of {', '.join(options)}")
        return text

    return read


def _listed(label: str, *options: str) -> _Field:
    return _Field("list-single", label, _choice(*options), lambda value: [value], options)


def _boolean(label: str) -> _Field:
    return _Field("boolean", label, read_boolean, lambda value: ["1" if value else "0"])


def _line(label: str) -> _Field:
    return _Field("text-single", label, _text, lambda value: [value])


def _or_max(value: int, most: int) -> list[str]:
    return ["max" if value == most else str(value)]


_FIELDS = {
    "title": _line("A short name for the node"),
    "description": _line("What the node is about"),
    "type": _line("The namespace of its payloads"),
    "language": _line("The language of its payloads"),
    "access_model": _listed(
        "Who may subscribe and retrieve items", "open", "presence", "roster", "authorize", "whitelist"
    ),
    "roster_groups_allowed": _Field(
        "list-multi", "Roster groups that may subscribe and retrieve items", _groups, lambda value: value
    ),
    "publish_model": _listed("Who may publish", "publishers", "subscribers", "open"),
    "persist_items": _boolean("Keep items"),
    "max_items": _Field(
        "text-single", "How many items are kept; max: as many as can be", _max_items,
        lambda value: _or_max(value, MAX_ITEMS),
    ),
    "publish_node_full": _listed(
        "What becomes of an item for a full node", "retract-oldest", "discard-oldest", "reject"
    ),
    "item_expire": _Field(
        "text-single", "Seconds for which an item is kept; max: for ever", _seconds, lambda value: _or_max(value, 0)
    ),
    "max_payload_size": _Field(
        "text-single", "Bytes of a payload; empty: what a stanza can hold", _size,
        lambda value: [str(value)] if value else [],
    ),
    "deliver_notifications": _boolean("Tell subscribers of items"),
    "deliver_payloads": _boolean("Tell them with payloads"),
    "notify_config": _boolean("Tell subscribers when the configuration changes"),
    "notify_delete": _boolean("Tell subscribers when the node is deleted"),
    "notify_retract": _boolean("Tell subscribers when items are removed"),
    "notify_sub": _boolean("Tell owners who subscribes and unsubscribes"),
    "notification_type": _listed("The type of the messages", "normal", "headline"),
    "send_last_published_item": _listed(
        "When the last item is sent", "never", "on_sub", "on_sub_and_presence"
    ),
    "itemreply": _Field(
        "list-single", "Whom a reply to an item is for", lambda texts: _choice("", "owner", "publisher")(texts or [""]),
        lambda value: [value] if value else [], ("owner", "publisher"),
    ),
}  # fmt: skip


def form(kind: str, form_type: str, config: NodeConfig, access_models: Sequence[str]) -> Element:
    """The configuration as a `form` or a `result`; a service may not have all access models."""
    shown = data_form.new(kind, form_type)
    is_form = kind == "form"
    for name, field in _FIELDS.items():
        values = field.show(getattr(config, name))
        element = data_form.add(
            shown, f"pubsub#{name}", field.kind if is_form else "", values, field.label if is_form else ""
        )
        for option in field.options if is_form else ():
            if name != "access_model" or option in access_models:
                SubElement(SubElement(element, f"{{{DATA}}}option"), f"{{{DATA}}}value").text = option
    if is_form:
        data_form.add(shown, "pubsub#node_type", "hidden", ["leaf"])
    return shown


def read_form(parent: Element | None, form_type: str) -> Mapping[str, Sequence[str]] | None:
    """What the submitted form in this element says, by field; None where there is none, or it is cancelled."""
    shown = None if parent is None else parent.find(f"{{{DATA}}}x")
    if shown is None or shown.get("type") == "cancel":
        return None
    values = dict(data_form.values(shown))
    said = values.pop("FORM_TYPE", [form_type])
    if said != [form_type]:
        raise refusal(Condition.BAD_REQUEST, "invalid-options", f"the form's FORM_TYPE is {form_type}")
    return values


def changed(config: NodeConfig, values: Mapping[str, Sequence[str]], access_models: Sequence[str]) -> NodeConfig:
    """The configuration with the values of a form; unknown fields are ignored (XEP-0004 section 3.2).

    Raises StanzaError for an invalid value.
    """
    if values.get("pubsub#node_type", ["leaf"]) != ["leaf"]:
        raise unsupported("collections", "nodes are leaf nodes")
    return msgspec.structs.replace(config, **_read(values, access_models))


def unmet(config: NodeConfig, values: Mapping[str, Sequence[str]], access_models: Sequence[str]) -> list[str]:
    """The fields of publishing options that differ from the configuration (section 7.1.5)."""
    return [name for name, value in _read(values, access_models).items() if getattr(config, name) != value]


def check_known(values: Mapping[str, Sequence[str]]) -> None:
    """Raise StanzaError for unknown publishing options (section 7.1.5)."""
    unknown = sorted(name for name in values if name.removeprefix("pubsub#") not in _FIELDS)
    if unknown:
        text = f"unknown publishing options: {', '.join(unknown)}"
        raise refusal(Condition.CONFLICT, "precondition-not-met", text)


def _read(values: Mapping[str, Sequence[str]], access_models: Sequence[str]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, texts in values.items():
        plain = name.removeprefix("pubsub#")
        field = _FIELDS.get(plain)
        if field is None:
            continue
        if plain == "access_model" and list(texts) not in [[model] for model in access_models]:
            text = f"the access model is one of {', '.join(access_models)}"
            raise refusal(Condition.NOT_ACCEPTABLE, "unsupported-access-model", text)
        try:
            read[plain] = field.read(texts)
        except ValueError as error:
            raise StanzaError(Condition.NOT_ACCEPTABLE, f"{name} {error}") from None
    return read
