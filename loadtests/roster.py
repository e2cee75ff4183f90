# mypy: allow-untyped-calls, allow-untyped-decorators
# (locust annotates only some of its functions)
"""Scenario `roster`: subscriptions are made and ended, in the own domain and across.

xmpplab load roster --users 50 --time 30s --cross 0.5 --rate 0.5
"""

from __future__ import annotations

from zlib import crc32

from locust import task
from typing_extensions import override

from cluster.client.blocking import BlockingClient
from cluster.xmpp import element as xml
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, ROSTER
from cluster.xmpp.parser import Slice
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.streams.login import Login
from loadtests.ledger import InFlight
from loadtests.messages import kind_of
from loadtests.paced_user import PacedUser
from loadtests.xmpp_user import GET_ROSTER, bounced

CHOICES = 8
"""How often a user looks for somebody to subscribe to, in one step."""


class RosterUser(PacedUser):
    """Takes a step `--rate` times per second: subscribes to somebody, then removes that contact, and so on.

    Fires beside what each user does, for contacts in the same domain (`local`) and in others (`cross-domain`):

    - `subscribe local`, `subscribe cross-domain`: from when the step was due until the roster says that the contact has
      approved (RFC 6121 section 3.1.6).
    - `remove local`, `remove cross-domain`: until the contact has read that it has lost its subscriber (section 2.5.2).
    """

    @override
    def on_start(self) -> None:
        self._contact: Jid | None = None
        self._is_subscribed = False
        super().on_start()

    @override
    def _connect(self, login: Login) -> BlockingClient:
        client = super()._connect(login)
        client.send(GET_ROSTER)
        return client

    @task
    def step(self) -> None:
        """Subscribe, or remove the contact."""
        due_ns = self.take_due()
        if self.jid is None:
            return
        if self._contact is not None:
            if self._is_subscribed:
                self._remove(self.jid, self._contact, due_ns)
        elif contact := self._choose(self.jid):
            self._contact = contact
            raw = f"<presence type='subscribe' id='subscribe' to={quoteattr(str(contact.bare))}/>".encode()
            self._send_step("subscribe", contact, due_ns, raw)

    def _choose(self, own: Jid) -> Jid | None:
        """Somebody to subscribe to; None if chance finds nobody now."""
        for _ in range(CHOICES):
            contact = self.partner(self.environment.parsed_options.cross)
            if contact is not None and is_subscriber(own, contact):
                return contact
        return None

    def _remove(self, own: Jid, contact: Jid, due_ns: int) -> None:
        self._contact, self._is_subscribed = None, False
        item = f"<item jid={quoteattr(str(contact.bare))} subscription='remove'/>"
        raw = f"<iq type='set' id='remove'><query xmlns='{ROSTER}'>{item}</query></iq>".encode()
        self._send_step("remove", contact, due_ns, raw)

    def _send_step(self, step: str, contact: Jid, due_ns: int, raw: bytes) -> None:
        connection = self._connection.get()
        own, row = connection.jid, f"{step} {kind_of(connection.jid, contact)}"
        self._send(connection, _id(step, own, contact), InFlight(own, contact, row, due_ns), raw)

    @override
    def _on_child(self, child: Slice) -> None:
        if child.name == f"{CLIENT} presence" and child.attributes.get("type"):
            self._on_subscription(child)
        elif child.name == f"{CLIENT} iq" and f"{ROSTER} query" in child.payloads:
            self._on_push(child)
        else:
            super()._on_child(child)

    def _on_subscription(self, child: Slice) -> None:
        assert self.jid is not None
        sender, type = Jid.parse(child.attributes.get("from", "")), child.attributes["type"]
        if type == "subscribe":
            self._connection.get().write(f"<presence type='subscribed' to={quoteattr(str(sender.bare))}/>".encode())
        elif type == "unsubscribe":
            self._settle(_id("remove", sender, self.jid), len(child.raw))
        elif type == "error" and (message := self.crowd.ledger.remove(_id("subscribe", self.jid, sender))):
            self._contact = None
            self.figures.fail(message.row, bounced(child), size_bytes=len(child.raw))

    def _on_push(self, child: Slice) -> None:
        """RFC 6121 section 2.1.6."""
        assert self.jid is not None
        get = child.attributes.get
        if get("type") != "set" or get("from", str(self.jid.bare)) != str(self.jid.bare):
            return  # the roster itself, or not from the own account (section 2.1.6, security warning)
        self._connection.get().write(f"<iq type='result' id={quoteattr(get('id', ''))}/>".encode())
        contact = self._contact.bare if self._contact is not None else None
        for item in xml.parse(child.raw).iter(f"{{{ROSTER}}}item"):
            if item.get("subscription") in ("to", "both") and Jid.parse(item.get("jid", "")) == contact:
                self._is_subscribed = True
                self._settle(_id("subscribe", self.jid, contact), len(child.raw))

    def _settle(self, id: str, size_bytes: int) -> None:
        if message := self.crowd.ledger.remove(id):
            self.figures.take(message.row, message.sent_ns, size_bytes)


def is_subscriber(own: Jid, contact: Jid) -> bool:
    """Who of two subscribes to the other: always the same one, and as often one as the other.

    Who removes a contact ends the subscriptions both ways (RFC 6121 section 2.5.2), so two would undo what the other
    measures.
    """
    one, other = sorted((str(own.bare), str(contact.bare)))
    return (crc32(f"{one} {other}".encode()) % 2 == 0) == (str(own.bare) == one)


def _id(step: str, who: Jid, contact: Jid) -> str:
    """Of a step in flight: who takes it has one with this contact."""
    return f"{step} {who.bare} {contact.bare}"
