"""A device of a person: comes and goes by itself, and reports what it receives to the checker.

It has a resource of the account (RFC 6120 section 7), and never the same one as another device.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from cluster.simulation.device import Device
from cluster.simulation.habits import in_s
from cluster.simulation.visits import Visits
from cluster.virtual.host import Host
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, ROSTER
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Stanza, make
from cluster.xmpp.streams.login import Login

if TYPE_CHECKING:
    from cluster.simulation.person import Person

SHOWS = ("", "away", "dnd", "xa")
CARBONS = "urn:xmpp:carbons:2"
GOODBYE = make("presence", type="unavailable")
_SHOW = re.compile(rb"<show>([a-z]+)</show>")
_ID = re.compile(rb"<body[^>]*>(m[\w.]+-\w+-\d+)")
"""A message is known by its text, which gateways keep, too."""
_GATEWAY_ID = re.compile(rb"""<message\s[^>]*?\sid=["']([^"']*)""")
"""A gateway gives a message that it repeats the same id, and the server another stanza-id."""
_MARK = re.compile(rb"""<(?:stanza-id|delivery)\s[^>]*?\sid=["']([^"']*)""")


class Resource:
    """One device: its session, what it shows of itself, and what it sees of others."""

    __slots__ = (
        "_has_session", "_is_first", "_timers", "address", "device", "host", "is_acting", "jid", "logins", "person",
        "seen", "server", "show", "there_since_ns", "visits",
    )  # fmt: skip

    def __init__(self, person: Person, number: int, host: Host, server: tuple[str, int], password: str) -> None:
        """`number`: among the devices of the person, from 0; `server`: the address that it connects to."""
        self.person = person
        self.jid = person.jid.with_resource("sim" if number == 0 else f"sim-{number + 1}")
        self.address = f"{person.number}.{number}"
        """By which the checker knows it."""
        self.show = ""
        """The `<show/>` of its last presence."""
        self.seen: dict[str, str] = {}
        """The `<show/>` of each available resource that it knows of, by full JID."""
        self.there_since_ns = 0
        """When its session began."""
        self.logins = 0
        self.host = host
        self.server = server[0]
        """Name of the node that it connects to."""
        self.is_acting = False
        """Its user is there."""
        self._is_first = number == 0
        self._has_session = False
        self._timers: dict[str, Any] = {}
        greeting = _greeting(has_carbons=person.has_carbons, is_first=number == 0)
        self.device = Device(host, [server], Login(self.jid, password), self, person.chance, greeting)
        self.visits = Visits(self, person.rooms)

    # --- what it does

    def begin(self) -> None:
        """Start to act."""
        self._in("come", self.person.chance.random() * self.person.habits.of.arrival, self._come)

    def rest(self) -> None:
        """Stop acting; an online device stays online."""
        self.is_acting = False
        self.visits.rest()
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        self._timers.clear()

    def leave(self) -> None:
        """Log out."""
        self.person.checker.copies.unsettle(self.address)
        self.device.leave(GOODBYE)

    def _in(self, what: str, seconds: float, do: Callable[[], None]) -> None:
        """Schedule an action; at most one of each kind is scheduled."""
        self._timers[what] = self.host.callLater(seconds, do)

    def _by_chance(self, what: str, mean_s: float | None, do: Callable[[], None]) -> None:
        if mean_s is not None:
            self._in(what, in_s(mean_s, self.person.chance), do)

    def _come(self) -> None:
        of = self.person.habits.of
        if not self.person.is_active():
            self._by_chance("come", of.absence, self._come)
            return
        del self._timers["come"]
        self.is_acting = True
        self.device.come()
        self._by_chance("leave", of.session, self._leave)
        self._by_chance("break", of.breaks, self._break)
        self._by_chance("roam", of.roaming, self._roam)
        self._by_chance("show", of.presence, self._change)

    def _leave(self) -> None:
        self.rest()
        self.leave()
        self._by_chance("come", self.person.habits.of.absence, self._come)

    def _break(self) -> None:
        self.device.cut()
        self._by_chance("break", self.person.habits.of.breaks, self._break)

    def _roam(self) -> None:
        elsewhere = " elsewhere"
        at = self.host.address
        self.device.roam(at.removesuffix(elsewhere) if at.endswith(elsewhere) else at + elsewhere)
        self._by_chance("roam", self.person.habits.of.roaming, self._roam)

    def _change(self) -> None:
        if self.device.is_online:
            self.show = self.person.chance.choice(SHOWS)
            self.person.note_activity()
            self.device.send([self._presence()])
        self._by_chance("show", self.person.habits.of.presence, self._change)

    def _presence(self) -> Stanza:
        payload = []
        for name, text in (("show", self.show), ("priority", self._priority)):
            if text:
                payload.append(Element(f"{{{CLIENT}}}{name}"))
                payload[-1].text = text
        return make("presence", payload=payload)

    @property
    def _priority(self) -> str:
        return "1" if self.person.has_carbons and self._is_first else ""

    # --- what it sees

    @property
    def now_ns(self) -> int:
        """The current time."""
        return self.person.lab.timeline.now_ns

    def on_online(self, *, is_new: bool) -> None:
        """The device is online."""
        self.logins += 1
        self.person.note_activity()
        self.person.checker.copies.settle(self.address, self.now_ns)
        if is_new:
            if self._has_session:
                self.person.checker.session_ended(self.address, self.now_ns, is_orderly=False)
            self._has_session = True
            self.show = ""
            self.seen.clear()
            self.there_since_ns = self.now_ns
            self.visits.on_session()

    def on_break(self) -> None:
        """The connection is lost; its session may go on."""
        self.person.checker.copies.unsettle(self.address)

    def on_offline(self) -> None:
        """The device is offline."""
        self._has_session = False
        self.person.checker.session_ended(self.address, self.now_ns, is_orderly=True)
        self.visits.on_session_end()
        self.seen.clear()

    def on_stanza(self, stanza: Slice) -> None:
        """The device received a stanza."""
        of = stanza.attributes
        self.person.lab.journal.received(self.now_ns, str(self.jid), stanza.raw)
        if self.visits.take(stanza):
            return
        if stanza.name == f"{CLIENT} message":
            self._on_message(stanza)
        elif stanza.name == f"{CLIENT} presence":
            self._on_presence(stanza, of.get("from", ""), of.get("type", ""))
        elif of.get("type") in ("get", "set"):
            self._answer(stanza)
        elif of.get("id") == "carbons" and of.get("type") == "result":
            self.person.checker.listens(self.address, self.now_ns)

    def _on_message(self, stanza: Slice) -> None:
        checker, of = self.person.checker, stanza.attributes
        if of.get("type") == "error":
            if of.get("id", "").startswith("m"):  # others are copies of errors for another device
                checker.came_back(of["id"], stanza.raw[-200:].decode(errors="replace"))
            return
        found = _ID.search(stanza.raw)
        if found is None:
            return
        id = found[1].decode()
        marks = (_GATEWAY_ID if id.startswith("mb") else _MARK).findall(stanza.raw)
        mark = marks[-1] if marks else b""
        if f"{CARBONS} sent" in stanza.payloads:
            checker.copied(id, self.address, mark)
            return
        writer = checker.arrived(id, self.address, self.now_ns, self.there_since_ns, mark)
        if writer is not None and self.is_acting and self.person.habits.answers(self.person.chance):
            think_s = self.person.habits.think_s(self.person.chance)
            self._in(f"answer {id}", think_s, lambda: self._reply(id, writer))

    def _reply(self, id: str, writer: str) -> None:
        self._timers.pop(f"answer {id}", None)
        self.person.write(self, writer)

    def _on_presence(self, stanza: Slice, from_: str, type: str) -> None:
        if type == "unavailable":
            self.seen.pop(from_, None)
        elif not type:
            show = _SHOW.search(stanza.raw)
            self.seen[sys.intern(from_)] = show[1].decode() if show else ""  # many see the same resource

    def _answer(self, stanza: Slice) -> None:
        """RFC 6120 section 8.2.3: each request has an answer."""
        of = stanza.attributes
        from_ = Jid.parse(of["from"]) if of.get("from") else self.person.jid
        request = Stanza("iq", self.person.jid, from_, of.get("id"), of.get("type"), stanza.payloads, stanza.raw)
        if of.get("type") == "set" and f"{ROSTER} query" in stanza.payloads:
            self.device.send([request.reply()])
        else:
            self.device.send([request.error(StanzaError(Condition.SERVICE_UNAVAILABLE))])

    # --- what is true

    def mistakes(self) -> list[str]:
        """Differences between the presence that its device shows and the actual one; empty while it is offline."""
        if not self.device.is_online:
            return []
        wrong = []
        for contact in (self.person, *self.person.contacts):
            for other in contact.resources:
                seen = self.seen.get(str(other.jid))
                true = other.show if other.device.is_online else None
                if seen != true and other is not self:
                    wrong.append(f"{self.jid} sees {other.jid} {_words(seen)}, who is {_words(true)}")
        return wrong


@cache
def _greeting(*, has_carbons: bool, is_first: bool) -> Sequence[Stanza]:
    """With which a device begins a session; devices share it."""
    roster = make("iq", id="roster", type="get", payload=[Element(f"{{{ROSTER}}}query")])
    if not has_carbons:
        return (roster, make("presence"))
    priority = Element(f"{{{CLIENT}}}priority")
    priority.text = "1" if is_first else "0"  # the first one gets messages, the others get copies
    copies = make("iq", id="carbons", type="set", payload=[Element(f"{{{CARBONS}}}enable")])
    return (roster, copies, make("presence", payload=[priority]))


def _words(show: str | None) -> str:
    return "away from the network" if show is None else show or "available"
