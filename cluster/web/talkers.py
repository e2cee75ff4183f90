"""Those who talk in the chat panes: an account of the lab, or a phone or mailbox behind a gateway."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from secrets import token_hex
from threading import Event as Flag
from typing import Any, Protocol
from xml.etree.ElementTree import Element, ParseError, XMLParser

from cluster.client import messenger
from cluster.client.managed import ManagedClient
from cluster.client.messenger import Messenger
from cluster.lab.api import BadInput, Lab
from cluster.xmpp import element as xml
from cluster.xmpp.extensions.muc import MUC
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza, make, payload_names

MAX_KEPT = 200
"""Events of a pane, for a page that is loaded again."""
LOOK_EVERY_S = 0.05
"""How often a client looks for what is to be sent while nothing arrives."""
INBOX_EVERY_S = 0.5

Event = dict[str, Any]
Tell = Callable[[Event], None]


class Talker(Protocol):
    """One conversation partner of the lab, as a pane uses it. For one thread."""

    jid: str
    kind: str
    """`account` or `person`."""

    def step(self) -> None:
        """Wait a moment for what arrives, and tell it."""

    def say(self, to: str, text: str) -> None: ...
    def send_xml(self, text: str) -> None: ...
    def close(self) -> None: ...


def talker_of(lab: Lab, who: str, password: str, tell: Tell) -> Talker:
    """The phone or mailbox of this name or address, otherwise an account."""
    for each in lab.correspondents():
        if who in (each.name, each.address, str(each.jid)):
            return Person(lab, each, tell)
    return Account(lab, who, password, tell)


class Account:
    """A client that is logged in; it comes back when its connection breaks (XEP-0198)."""

    kind = "account"

    def __init__(self, lab: Lab, who: str, password: str, tell: Tell) -> None:
        self._tell = tell
        self._messenger: Messenger
        self._client: ManagedClient
        for stanza in Messenger.greeting():
            self._sent(stanza)
        self._messenger, self._client = lab.account(who, password or None).chat(self._sent)
        self.jid = str(self._messenger.account)
        self._was_connected = True
        services = (service for server in lab.plan.servers for service in server.services)
        self._room_domains = {service.domain for service in services if service.kind == "rooms"}
        self._entered: set[Jid] = set()

    def _sent(self, stanza: Stanza) -> None:
        self._tell({"what": "xml", "way": "out", "text": stanza.raw.decode(errors="replace")})

    def step(self) -> None:
        child = self._client.receive(LOOK_EVERY_S)
        if child is not None:
            self._tell({"what": "xml", "way": "in", "text": child.raw.decode(errors="replace")})
            for event in self._messenger.take(child):
                self._tell_event(event)
        if self._client.is_connected != self._was_connected:
            self._was_connected = self._client.is_connected
            if self._was_connected and not self._client.breaks[-1].is_resumed:
                self._entered.clear()  # a new session is in no room
            self._tell({"what": "connected" if self._was_connected else "broken", "text": ""})

    def _tell_event(self, event: messenger.Event) -> None:
        """A message to a room comes back to its sender (XEP-0045 section 7.4), who has seen it already, unless it is
        of the room's history."""
        is_of_room = event.who.domainpart in self._room_domains
        is_message = event.what == "message" and event.sent_utc_s is None
        if is_of_room and is_message and event.who.resourcepart == self._nick:
            return
        who = str(event.who if is_of_room or event.what != "message" else event.who.bare)
        self._tell({"what": event.what, "who": who, "text": event.text, "sent_utc_s": event.sent_utc_s})

    @property
    def _nick(self) -> str:
        return self._messenger.account.localpart

    def say(self, to: str, text: str) -> None:
        jid = Jid.parse(to)
        if jid.is_bare and jid.domainpart in self._room_domains:
            self._say_in_room(jid, text)
        else:
            self._messenger.write(jid, text)
        self._tell({"what": "said", "who": to, "text": text})

    def _say_in_room(self, room: Jid, text: str) -> None:
        """Enter it before the first message (section 7.2), with the account's name as nickname."""
        stanzas = []
        if room not in self._entered:
            self._entered.add(room)
            occupant = room.with_resource(self._nick)
            stanzas.append(make("presence", to=occupant, payload=[Element(f"{{{MUC}}}x")]))
        body = Element(f"{{{CLIENT}}}body")
        body.text = text
        stanzas.append(make("message", to=room, id=token_hex(8), type="groupchat", payload=[body]))
        self._send(stanzas)

    def send_xml(self, text: str) -> None:
        self._send([read_stanza(text)])

    def _send(self, stanzas: Sequence[Stanza]) -> None:
        for stanza in stanzas:
            self._sent(stanza)
        self._client.send(stanzas)

    def close(self) -> None:
        self._client.close()


class Person:
    """A phone or mailbox; what it has received already is shown at first."""

    kind = "person"

    def __init__(self, lab: Lab, correspondent: Any, tell: Tell) -> None:
        self.jid = correspondent.name
        self._domain = correspondent.gateway.domain
        self._person = correspondent.person(lab.folder, lab.plan)
        self._tell = tell
        self._seen = 0
        self._pause = Flag()

    def step(self) -> None:
        texts: Sequence[Any] = self._person.inbox(self._seen)
        self._seen += len(texts)
        for text in texts[-MAX_KEPT:]:
            subject = getattr(text, "subject", "")
            body = f"{subject}\n{text.text}" if subject else text.text
            self._tell({"what": "message", "who": text.from_, "text": body, "sent_utc_s": text.at_utc_s})
        self._pause.wait(INBOX_EVERY_S if not texts else LOOK_EVERY_S)

    def say(self, to: str, text: str) -> None:
        self._person.write(to, self._domain, text, "")
        self._tell({"what": "said", "who": to, "text": text})

    def send_xml(self, text: str) -> None:
        raise BadInput(f"{self.jid} does not speak XMPP: only an account sends stanzas")

    def close(self) -> None:
        """Nothing is open."""


def read_stanza(text: str) -> Stanza:
    """The one stanza that was typed. Raises BadInput."""
    parser = XMLParser()
    try:
        parser.feed(f"<stream xmlns='{CLIENT}'>")
        parser.feed(text.strip())
        parser.feed("</stream>")
        stream = parser.close()
    except (ParseError, ValueError) as error:
        raise BadInput(f"not well-formed XML: {error}") from None
    return _stanza(stream)


def _stanza(stream: Element) -> Stanza:
    children = list(stream)
    if len(children) != 1 or (stream.text or "").strip() or (children[0].tail or "").strip():
        raise BadInput("write exactly one stanza, such as <presence/>")
    [tree] = children
    namespace, kind = xml.split(tree.tag)
    if namespace != CLIENT or kind not in ("message", "presence", "iq"):
        raise BadInput("a stanza is <message/>, <presence/> or <iq/> (RFC 6120 section 8)")
    tree.tail = None
    raw = xml.serialize(tree)
    return Stanza(kind, None, None, tree.get("id"), tree.get("type"), payload_names(tree), raw)  # type: ignore[arg-type]
