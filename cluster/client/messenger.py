"""An instant messaging client on a stream (RFC 6121): roster, presence, messages, block list (XEP-0191)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Literal

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp import timestamp
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.namespaces import CLIENT, DELAY, ROSTER
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Stanza, error_of, make

BLOCKING = "urn:xmpp:blocking"
PING = "urn:xmpp:ping"
MAX_RESOURCES = 50
"""Resources of one contact whose presence is known."""

What = Literal["message", "bounced", "presence", "request", "subscription", "refused"]
Show = Literal["", "away", "chat", "dnd", "xa"]


class Event(msgspec.Struct, frozen=True):
    """Something to tell the user."""

    what: What
    who: Jid
    """A full JID if a client sent it. For `refused`: the own account, if it is about no other."""
    text: str = ""
    """Body of a message; presence and subscription in words; why a stanza was bounced or refused."""
    sent_utc_s: float | None = None
    """For a message that waited (XEP-0203)."""


class Contact(msgspec.Struct):
    """One item of the roster."""

    jid: Jid
    name: str = ""
    subscription: str = "none"
    is_pending: bool = False
    """It has not answered the subscription request."""
    there: dict[str, str] = {}
    """Presence in words, by resource."""


class Messenger:
    """Handles the stanzas of a stream, answers requests, and returns events for the user."""

    def __init__(self, account: Jid, send: Callable[[Stanza], None]) -> None:
        """`account`: its bare JID."""
        self.account = account
        self.roster: dict[Jid, Contact] = {}
        self.requests: dict[Jid, None] = {}
        """The accounts with an unanswered subscription request, oldest first."""
        self.blocked: set[Jid] = set()
        self.is_ready = False
        """The roster has arrived."""
        self.is_finished = False
        """The server has handled all that was sent before `finish`."""
        self._send = send
        self._ids = count(1)
        self._asked: dict[str, str] = {}
        """The purposes of pending requests, by their ids."""

    @staticmethod
    def greeting() -> list[Stanza]:
        """The stanzas to send on each new stream."""
        roster, blocked = Element(f"{{{ROSTER}}}query"), Element(f"{{{BLOCKING}}}blocklist")
        return [
            make("iq", id="roster", type="get", payload=[roster]),
            make("iq", id="blocklist", type="get", payload=[blocked]),
            make("presence"),
        ]

    # --- actions of the user

    def write(self, to: Jid, body: str) -> None:
        """Send a chat message."""
        text = Element(f"{{{CLIENT}}}body")
        text.text = body
        self._send(make("message", to=to, id=self._new_id(), type="chat", payload=[text]))

    def show(self, show: Show, status: str) -> None:
        """Send presence to all who may see it (section 4.7.2)."""
        parts = []
        for name, text in (("show", show), ("status", status)):
            if text:
                parts.append(Element(f"{{{CLIENT}}}{name}"))
                parts[-1].text = text
        self._send(make("presence", payload=parts))

    def subscribe(self, jid: Jid) -> None:
        """Add to the roster and request a subscription (section 3.1)."""
        if jid not in self.roster:  # an existing item would lose its name and groups (section 2.3.3)
            self._put(f"{jid} is not put on the roster", Element(f"{{{ROSTER}}}item", jid=str(jid)))
        self._send(make("presence", to=jid, type="subscribe"))

    def answer(self, jid: Jid, *, yes: bool) -> None:
        """Answer a subscription request, or cancel an earlier approval (sections 3.1.4, 3.2)."""
        self.requests.pop(jid, None)
        self._send(make("presence", to=jid, type="subscribed" if yes else "unsubscribed"))

    def remove(self, jid: Jid) -> None:
        """Remove from the roster, with both subscriptions (section 2.5)."""
        self._put(f"{jid} is not removed", Element(f"{{{ROSTER}}}item", jid=str(jid), subscription="remove"))

    def block(self, jid: Jid, *, yes: bool) -> None:
        """Block an address in both directions; or unblock it."""
        verb = "block" if yes else "unblock"
        request = Element(f"{{{BLOCKING}}}{verb}")
        SubElement(request, f"{{{BLOCKING}}}item", jid=str(jid))
        self._request(f"{jid} cannot be {verb}ed", request)

    def finish(self) -> None:
        """Send a ping (XEP-0199) after everything else; errors for earlier stanzas arrive before its answer."""
        self._send(make("iq", id="last", type="get", payload=[Element(f"{{{PING}}}ping")]))

    def _put(self, otherwise: str, item: Element) -> None:
        query = Element(f"{{{ROSTER}}}query")
        query.append(item)
        self._request(otherwise, query)

    def _request(self, otherwise: str, payload: Element) -> None:
        """Send a request. `otherwise`: the text for the user if the server refuses, before the server's reason."""
        id = self._new_id()
        self._asked[id] = otherwise
        self._send(make("iq", id=id, type="set", payload=[payload]))

    def _new_id(self) -> str:
        return f"chat-{next(self._ids)}"

    # --- stanzas of the stream

    def take(self, child: Slice) -> list[Event]:
        """Handle a stanza; yields events for the user. Malformed content is ignored."""
        stanza = _read(child, self.account)
        if stanza is None or stanza.from_ is None:
            return []
        match stanza.kind:
            case "message":
                return self._message(stanza, stanza.from_)
            case "presence":
                return self._presence(stanza, stanza.from_)
            case _:
                return self._iq(stanza, stanza.from_)

    def _message(self, stanza: Stanza, from_: Jid) -> list[Event]:
        if stanza.type == "error":
            return [Event("bounced", from_, _why(stanza))]
        tree = stanza.tree
        subject, body = (xml.text_of(tree, f"{{{CLIENT}}}{name}") for name in ("subject", "body"))
        text = "\n".join(part for part in (subject, body) if part)
        if not text:
            return []
        sent_utc_s = None
        if (delay := tree.find(f"{{{DELAY}}}delay")) is not None:
            with suppress(ValueError):  # otherwise it is shown with the time of now
                sent_utc_s = timestamp.parse(delay.get("stamp", ""))
        return [Event("message", from_, text, sent_utc_s)]

    def _presence(self, stanza: Stanza, from_: Jid) -> list[Event]:
        match stanza.type:
            case None | "unavailable":
                return self._came_or_went(stanza, from_)
            case "subscribe":
                self.requests[from_.bare] = None
                return [Event("request", from_.bare)]
            case "subscribed":
                return [Event("subscription", from_.bare, "lets you see its presence")]
            case "unsubscribed":
                return [Event("subscription", from_.bare, "does not let you see its presence")]
            case "unsubscribe":
                return [Event("subscription", from_.bare, "looks at your presence no more")]
            case "error":
                return [Event("bounced", from_, _why(stanza))]
        return []

    def _came_or_went(self, stanza: Stanza, from_: Jid) -> list[Event]:
        contact = self.roster.get(from_.bare)
        if contact is None or from_.bare == self.account:
            return []
        before = contact.there.get(from_.resourcepart)
        now = _how(stanza) if stanza.type is None else None
        if now is None:
            contact.there.pop(from_.resourcepart, None)
        elif before is not None or len(contact.there) < MAX_RESOURCES:
            contact.there[from_.resourcepart] = now
        return [] if now == before else [Event("presence", from_, now or "has left")]

    def _iq(self, stanza: Stanza, from_: Jid) -> list[Event]:
        if stanza.type in ("result", "error"):
            return self._answered(stanza) if from_.bare == self.account else []
        is_push = stanza.type == "set" and from_ == self.account and self._is_push(stanza.tree)
        if is_push or (stanza.type == "get" and stanza.is_payload(PING, "ping")):
            self._send(stanza.reply())
        else:  # RFC 6120 section 8.2.3: every request is answered
            self._send(stanza.error(StanzaError(Condition.SERVICE_UNAVAILABLE)))
        return []

    def _is_push(self, tree: Element) -> bool:
        """Handle a push of the roster (section 2.1.6) or the block list (XEP-0191 section 3.3); False for other
        requests."""
        if (query := tree.find(f"{{{ROSTER}}}query")) is not None:
            self._take_roster(query)
        elif (block := tree.find(f"{{{BLOCKING}}}block")) is not None:
            self.blocked |= _jids(block)
        elif (unblock := tree.find(f"{{{BLOCKING}}}unblock")) is not None:
            self.blocked -= _jids(unblock) if len(unblock) else set(self.blocked)
        else:
            return False
        return True

    def _answered(self, stanza: Stanza) -> list[Event]:
        what = self._asked.pop(stanza.id or "", None)
        self.is_ready |= stanza.id == "roster"
        self.is_finished |= stanza.id == "last"
        if stanza.type == "error":
            return [] if what is None else [Event("refused", self.account, f"{what}: {_why(stanza)}")]
        tree = stanza.tree
        if stanza.id == "roster" and (query := tree.find(f"{{{ROSTER}}}query")) is not None:
            self.roster.clear()
            self._take_roster(query)
        elif stanza.id == "blocklist" and (blocked := tree.find(f"{{{BLOCKING}}}blocklist")) is not None:
            self.blocked = _jids(blocked)
        return []

    def _take_roster(self, query: Element) -> None:
        for item in query.findall(f"{{{ROSTER}}}item"):
            for jid in _jids(query, item):
                if item.get("subscription") == "remove":
                    self.roster.pop(jid, None)
                    continue
                contact = self.roster.setdefault(jid, Contact(jid))
                contact.name, contact.is_pending = item.get("name", ""), item.get("ask") == "subscribe"
                contact.subscription = item.get("subscription", "none")


def _read(child: Slice, account: Jid) -> Stanza | None:
    """A stanza without `from` is from the account itself (RFC 6120 section 8.1.2.1)."""
    namespace, _, kind = child.name.rpartition(" ")
    if namespace != CLIENT or kind not in ("message", "presence", "iq"):
        return None
    of = child.attributes
    try:
        from_ = Jid.parse(of["from"]) if of.get("from") else account
    except JidError:
        return None
    return Stanza(kind, None, from_, of.get("id"), of.get("type"), child.payloads, child.raw)  # type: ignore[arg-type]


def _how(stanza: Stanza) -> str:
    """Available presence in words (section 4.7.2)."""
    tree = stanza.tree
    show, status = (xml.text_of(tree, f"{{{CLIENT}}}{name}") or "" for name in ("show", "status"))
    words = {
        "away": "is away",
        "xa": "is away for long",
        "dnd": "does not want to be disturbed",
        "chat": "wants to chat",
    }
    return words.get(show, "is here") + (f": {status}" if status else "")


def _why(stanza: Stanza) -> str:
    error = error_of(stanza)
    return f"{error.condition} ({error.text})" if error.text else str(error.condition)


def _jids(parent: Element, *items: Element) -> set[Jid]:
    """The JIDs of these items, otherwise of all; malformed ones are left out."""
    found = set()
    for item in items or tuple(parent):
        try:
            found.add(Jid.parse(item.get("jid", "")))
        except JidError:
            continue
    return found
