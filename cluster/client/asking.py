"""Requests of a client, each with its answer: roster, service discovery. For commands, which do one thing."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from cluster.client.blocking import BlockingClient
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.extensions.rsm import RSM
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, ROSTER
from cluster.xmpp.stanza import Stanza, error_of, make
from cluster.xmpp.streams.login import StreamFailed

PATIENCE_S = 10.0
MAX_ITEMS = 200
"""Of one answer of service discovery; further ones are not asked for."""
MAX_DIGITS = 10
"""Of a number of occupants; a longer one is not believed."""
SHORTEST_WAIT_S = 0.01
"""0 would mean not to wait to a socket."""
DISCO_INFO, DISCO_ITEMS = (f"http://jabber.org/protocol/disco#{name}" for name in ("info", "items"))
_FORM = "{jabber:x:data}"


class RosterContact(msgspec.Struct, frozen=True):
    """An item of a roster (RFC 6121 section 2.1.2)."""

    jid: str
    name: str
    """Empty: none."""
    subscription: str
    """`none`, `to`, `from` or `both` (section 2.1.2.5)."""
    is_asked: bool
    """It has not answered a request for a subscription."""
    groups: list[str]


class RoomInfo(msgspec.Struct, frozen=True):
    """A room that its service lists (XEP-0045 section 6.3)."""

    jid: str
    name: str
    occupants: int | None
    """None if the room does not tell."""


def ask(client: BlockingClient, type: Literal["get", "set"], payload: Element, to: Jid | None = None) -> Element:
    """Send a request and wait for its result; returns the whole `<iq/>`.

    Raises StreamFailed if it is refused or the stream ends, TimeoutError without an answer in PATIENCE_S.
    """
    request = make("iq", to=to, id=secrets.token_hex(8), type=type, payload=[payload])
    client.send(request.raw, PATIENCE_S)
    until_s = time.monotonic() + PATIENCE_S
    # RFC 6120 section 8.1.2.1; ejabberd answers as the client's own full address, which nobody else can have either
    senders = {None, str(client.jid.bare), str(client.jid)} if to is None else {None, str(to)}
    while (child := client.receive(max(SHORTEST_WAIT_S, until_s - time.monotonic()))) is not None:
        if time.monotonic() > until_s:  # other stanzas come all the time
            raise TimeoutError(f"no answer within {PATIENCE_S:g} s")
        of = child.attributes
        is_answer = (
            child.name == f"{CLIENT} iq" and of.get("id") == request.id and of.get("type") in ("result", "error")
        )
        if is_answer and of.get("from") in senders:
            if of.get("type") == "error":
                error = error_of(Stanza("iq", None, None, None, "error", (), child.raw))
                raise StreamFailed(payload.tag.rpartition("}")[2], error.condition, error.text)
            return xml.parse(child.raw)
    raise StreamFailed(payload.tag.rpartition("}")[2], "closed", "the server ended the stream before it answered")


def roster(client: BlockingClient) -> list[RosterContact]:
    """The roster of the account (RFC 6121 section 2.1.3)."""
    answer = ask(client, "get", Element(f"{{{ROSTER}}}query"))
    return [
        RosterContact(
            item.get("jid", ""), item.get("name", ""), item.get("subscription", "none"),
            item.get("ask") == "subscribe", [group.text or "" for group in item.findall(f"{{{ROSTER}}}group")],
        )
        for item in answer.iterfind(f"{{{ROSTER}}}query/{{{ROSTER}}}item")
    ]  # fmt: skip


def add_contact(client: BlockingClient, contact: Jid) -> None:
    """Put a contact on the roster, and ask for its presence (sections 2.3 and 3.1)."""
    known = {each.jid for each in roster(client)}
    if str(contact) not in known:  # an existing item would lose its name and groups (section 2.3.3)
        _put(client, contact)
    client.send(make("presence", to=contact, type="subscribe").raw, PATIENCE_S)
    roster(client)  # an answer after the request: the server has handled both


def remove_contact(client: BlockingClient, contact: Jid) -> None:
    """Remove a contact and both subscriptions (section 2.5)."""
    _put(client, contact, {"subscription": "remove"})


def _put(client: BlockingClient, contact: Jid, more: Mapping[str, str] | None = None) -> None:
    query = Element(f"{{{ROSTER}}}query")
    SubElement(query, f"{{{ROSTER}}}item", {"jid": str(contact), **(more or {})})
    ask(client, "set", query)


def rooms(client: BlockingClient, service: Jid) -> Iterator[RoomInfo]:
    """The public rooms of a service, MAX_ITEMS at the most (XEP-0045 section 6.3)."""
    query = Element(f"{{{DISCO_ITEMS}}}query")
    SubElement(SubElement(query, f"{{{RSM}}}set"), f"{{{RSM}}}max").text = str(MAX_ITEMS)
    items = ask(client, "get", query, service).findall(f"{{{DISCO_ITEMS}}}query/{{{DISCO_ITEMS}}}item")
    for item in items[:MAX_ITEMS]:
        jid = Jid.parse(item.get("jid", ""))
        yield RoomInfo(str(jid), item.get("name", ""), _occupants(client, jid))


def _occupants(client: BlockingClient, room: Jid) -> int | None:
    """As the room's extended information has it (section 6.4)."""
    try:
        info = ask(client, "get", Element(f"{{{DISCO_INFO}}}query"), room)
    except StreamFailed:  # it was destroyed in between
        return None
    text = info.findtext(f".//{_FORM}field[@var='muc#roominfo_occupants']/{_FORM}value", "")
    return int(text) if text.isdecimal() and len(text) < MAX_DIGITS else None
