"""Messages with the time at which they were due, from which receivers compute the latency."""

from __future__ import annotations

from typing import Literal, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from cluster.xmpp import element as xml
from cluster.xmpp.jid import Jid

NS = "urn:xmpplab:load:0"
PAYLOAD = f"{NS} stamp"
"""The name of the stamp among a stanza's children."""

Kind = Literal["local", "cross-domain", "sms", "mail", "room"]
"""Where a message goes: to a user of the same domain or of another, to a phone, to a mailbox, or to a room."""


class Stamp(NamedTuple):
    """Child `<stamp xmlns='urn:xmpplab:load:0' sent='…' kind='…'/>` of a message."""

    sent_ns: int
    """When the message was due, on CLOCK_MONOTONIC: one clock for all processes of a Linux host."""
    kind: str
    """A Kind."""


def kind_of(sender: Jid, receiver: Jid) -> Kind:
    """Whether a message between users stays in its domain."""
    return "local" if sender.domainpart == receiver.domainpart else "cross-domain"


def message(to: Jid, id: str, body: str, stamp: Stamp, *, type: str = "chat") -> bytes:
    """A message, ready for the wire."""
    return (
        f"<message to={quoteattr(str(to))} id='{id}' type='{type}'><body>{escape(body)}</body>"
        f"<stamp xmlns='{NS}' sent='{stamp.sent_ns}' kind='{stamp.kind}'/></message>"
    ).encode()


def read(raw: bytes) -> Stamp:
    """The stamp of a message that has one (see PAYLOAD). Raises ValueError for an invalid one."""
    found = xml.parse(raw).find(f"{{{NS}}}stamp")
    if found is None:
        raise ValueError("the message has no stamp")
    return Stamp(int(found.get("sent", "")), found.get("kind", ""))
