# mypy: allow-untyped-calls, allow-untyped-decorators
# (locust annotates only some of its functions)
"""Scenario `pep`: personal events. Everybody publishes nickname, mood and tune, and hears those of the contacts.

xmpplab load pep --users 50 --time 30s --contacts 10 --rate 0.5
"""

from __future__ import annotations

import re

from locust import task
from typing_extensions import override

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.extensions.caps import CAPS, INFO, NOTIFY, verification
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.parser import Slice
from cluster.xmpp.quoting import quoteattr
from loadtests.connection import Connection
from loadtests.contacts import ContactUser, fan_out
from loadtests.ledger import InFlight
from loadtests.xmpp_user import MESSAGE, bounced, sender_of

PUBSUB = "http://jabber.org/protocol/pubsub"
_NICK, _MOOD, _TUNE = (f"http://jabber.org/protocol/{name}" for name in ("nick", "mood", "tune"))
NODES = {
    _NICK: f"<nick xmlns='{_NICK}'>Ishmael</nick>",
    _MOOD: f"<mood xmlns='{_MOOD}'><happy/><text>Yay, the mood spec has been approved!</text></mood>",
    _TUNE: f"<tune xmlns='{_TUNE}'><artist>Yes</artist><title>Heart of the Sunrise</title></tune>",
}
"""What a user publishes, by turns (XEP-0172, XEP-0107, XEP-0118)."""
PUBLISH, EVENT = "publish", "event"
"""The rows."""

_IQ = f"{CLIENT} iq"
_EVENT = f"{PUBSUB}#event event"
_ITEM = re.compile(rb"<item\s[^<>]*?\bid=['\"]([^'\"<>]*)['\"]")
"""The ids of items that users publish need no escapes."""


def _description() -> Element:
    """What this client says of itself: it wants the events of these nodes (XEP-0163 section 4)."""
    query = Element(f"{{{INFO}}}query")
    SubElement(query, f"{{{INFO}}}identity", category="client", type="bot", name="xmpplab load")
    for feature in (INFO, CAPS, *(f"{node}{NOTIFY}" for node in NODES)):
        SubElement(query, f"{{{INFO}}}feature", var=feature)
    return query


_DESCRIPTION = _description()
_VERIFICATION = verification(_DESCRIPTION)
_CLIENT = "https://xmpplab.example/load"


class PepUser(ContactUser):
    """Publishes `--rate` personal events per second (XEP-0163), and hears those of its contacts.

    Fires beside what each user does:

    - `publish`: from when it was due until the server has accepted it.
    - `event first copy`: until the first contact had read it.
    - `event last copy`: until all had who have had an earlier one, are still there, and are users of this process.
    """

    INITIAL_PRESENCE = (
        f"<presence><c xmlns='{CAPS}' hash='sha-1' node='{_CLIENT}' ver='{_VERIFICATION}'/></presence>".encode()
    )

    @override
    def on_start(self) -> None:
        self._published = 0
        super().on_start()

    @task
    def publish(self) -> None:
        """The next one of NODES."""
        due_ns = self.take_due()
        connection, id = self._connection.get(), self.crowd.next_message_id()
        node, payload = [*NODES.items()][self._published % len(NODES)]
        self._published += 1
        item = f"<publish node='{node}'><item id='{id}'>{payload}</item></publish>"
        raw = f"<iq type='set' id='{id}'><pubsub xmlns='{PUBSUB}'>{item}</pubsub></iq>".encode()
        fan_out().say(id, self._own, self._own.bare, due_ns)
        self._send(connection, id, InFlight(self._own, self._own, PUBLISH, due_ns), raw)

    @override
    def _row(self, id: str) -> str:
        return EVENT

    @override
    def _on_child(self, child: Slice) -> None:
        if child.name == MESSAGE and _EVENT in child.payloads:
            self._on_event(child)
        elif child.name == _IQ and child.attributes.get("type") == "get" and f"{INFO} query" in child.payloads:
            self._describe(self._connection.get(), child)
        elif child.name == _IQ and (published := self.crowd.ledger.remove(child.attributes.get("id", ""))):
            self._on_published(published, child)
        else:
            super()._on_child(child)

    def _on_event(self, child: Slice) -> None:
        sender, item = sender_of(child), _ITEM.search(child.raw)
        if sender is None or item is None or sender.bare == self._own.bare:
            return  # of the own account, whose resources hear of it too (section 4.3.4)
        self._hear(item[1].decode(), len(child.raw))
        fan_out().enter(self._own, sender.bare)  # the next ones come too: its server knows what this client wants

    def _on_published(self, published: InFlight, child: Slice) -> None:
        if child.attributes.get("type") == "error":
            fan_out().give_up(child.attributes["id"])
            self.figures.fail(PUBLISH, bounced(child), size_bytes=len(child.raw))
        else:
            self.figures.take(PUBLISH, published.sent_ns, len(child.raw))

    def _describe(self, connection: Connection, question: Slice) -> None:
        """Answer a server that wants to know what the presence refers to (XEP-0115 section 6.2)."""
        get = question.attributes.get
        asked = xml.parse(question.raw).find(f"{{{INFO}}}query")
        node = "" if asked is None else asked.get("node", "")
        answer = Element(_DESCRIPTION.tag, {"node": node} if node else {})
        answer.extend(_DESCRIPTION)
        addresses = f"to={quoteattr(get('from', ''))} id={quoteattr(get('id', ''))}"
        connection.write(b"<iq type='result' %b>%b</iq>" % (addresses.encode(), xml.serialize(answer)))
