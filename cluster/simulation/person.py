"""A simulated person: acts by its habits, and reports what its device receives to the checker."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from cluster.simulation.device import Device
from cluster.simulation.habits import Habits, in_s
from cluster.virtual.host import Host
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, ROSTER
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Stanza, make
from cluster.xmpp.streams.login import Login

if TYPE_CHECKING:
    from cluster.simulation.population import Population

SHOWS = ("", "away", "dnd", "xa")
RESOURCE = "sim"
_SHOW = re.compile(rb"<show>([a-z]+)</show>")
_MARK = re.compile(rb"""<(?:stanza-id|delivery)\s[^>]*?\sid=["']([^"']*)""")
GREETING = [
    make("iq", id="roster", type="get", payload=[Element(f"{{{ROSTER}}}query")]),
    make("presence"),
]
GOODBYE = make("presence", type="unavailable")


class Person:
    """Logs in and out, talks to its contacts, and has one device."""

    def __init__(
        self, number: int, jid: Jid, login: Login, population: Population, host: Host, server: tuple[str, int]
    ) -> None:
        """`number`: identifies it at the checker; `server`: the address that its device connects to."""
        self.number = number
        self.jid = jid
        self.contacts: list[Person] = []
        """The contacts of its roster that are simulated; subscribed both ways."""
        self.show = ""
        """The `<show/>` of its last presence."""
        self.seen: dict[str, str] = {}
        """The `<show/>` of each available resource that it knows of, by full JID."""
        self.there_since_ns = 0
        """When its session began."""
        self._of_all = population
        self._habits: Habits = population.habits
        self.host = host
        self.server = server[0]
        """Name of the node that it connects to."""
        self.logins = 0
        self._chance = Random(f"{population.lab.seed} {jid}")
        self._timers: dict[str, Any] = {}
        self.device = Device(host, server, login, self, self._chance, GREETING)

    # --- what it does

    def begin(self) -> None:
        """Start to act."""
        self._in("come", self._chance.random() * self._habits.arrives_s, self._come)

    def rest(self) -> None:
        """Stop to act; an online device stays online."""
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        self._timers.clear()

    def _in(self, what: str, seconds: float, do: Callable[[], None]) -> None:
        """Schedule an action; at most one of each kind is scheduled."""
        self._timers[what] = self.host.callLater(seconds, do)

    def _by_chance(self, what: str, mean_s: float, do: Callable[[], None]) -> None:
        self._in(what, in_s(mean_s, self._chance), do)

    def _come(self) -> None:
        self.device.come()
        self._by_chance("leave", self._habits.stays_s, self._leave)
        self._by_chance("break", self._habits.breaks_every_s, self._break)
        self._by_chance("show", self._habits.shows_every_s, self._change)
        if self.contacts:
            self._by_chance("talk", self._habits.talks_every_s, self._talk)

    def _leave(self) -> None:
        self.rest()
        self.leave()
        self._by_chance("come", self._habits.away_s, self._come)

    def leave(self) -> None:
        """Log out."""
        self.device.leave(GOODBYE)

    def _break(self) -> None:
        self.device.cut()
        self._by_chance("break", self._habits.breaks_every_s, self._break)

    def _change(self) -> None:
        if self.device.is_online:
            self.show = self._chance.choice(SHOWS)
            self._of_all.is_active()
            self.device.send([_presence(self.show)])
        self._by_chance("show", self._habits.shows_every_s, self._change)

    def _talk(self) -> None:
        self._write(self._chance.choice(self.contacts))
        self._by_chance("talk", self._habits.talks_every_s, self._talk)

    def _write(self, to: Person) -> None:
        """Send a message; while the connection is broken, it is sent after the reconnect."""
        id = self._of_all.checker.new_id(self.number, to.number, self._of_all.lab.timeline.now_ns)
        self._of_all.is_active()
        size = 1 + int(in_s(self._habits.message_characters, self._chance))
        self.device.send([_message(to.jid, id, "x" * min(size, 4_000))])

    # --- what it sees

    def on_online(self, *, is_new: bool) -> None:
        """The device is online."""
        self.logins += 1
        self._of_all.is_active()
        if is_new:
            self.show = ""
            self.seen.clear()
            self.there_since_ns = self._of_all.lab.timeline.now_ns

    def on_offline(self) -> None:
        """The device is offline."""
        self.seen.clear()

    def on_stanza(self, stanza: Slice) -> None:
        """The device received a stanza."""
        lab, of = self._of_all.lab, stanza.attributes
        lab.journal.received(lab.timeline.now_ns, str(self.jid), stanza.raw)
        if stanza.name == f"{CLIENT} message":
            self._on_message(stanza, of.get("id", ""), of.get("type", ""))
        elif stanza.name == f"{CLIENT} presence":
            self._on_presence(stanza, of.get("from", ""), of.get("type", ""))
        elif of.get("type") in ("get", "set"):
            self._answer(stanza)

    def _on_message(self, stanza: Slice, id: str, type: str) -> None:
        checker = self._of_all.checker
        if not id.startswith("m"):
            return
        if type == "error":
            checker.came_back(id, stanza.raw[-200:].decode(errors="replace"))
            return
        marks = _MARK.findall(stanza.raw)
        now_ns = self._of_all.lab.timeline.now_ns
        writer = checker.arrived(id, self.number, now_ns, self.there_since_ns, marks[-1] if marks else b"")
        is_resting = not self._timers or "come" in self._timers
        if writer is not None and not is_resting and self._chance.random() < self._habits.answers:
            to = self._of_all.people[writer]
            self._in(f"answer {id}", self._habits.think_s(self._chance), lambda: self._reply(id, to))

    def _reply(self, id: str, to: Person) -> None:
        self._timers.pop(f"answer {id}", None)
        self._write(to)

    def _on_presence(self, stanza: Slice, from_: str, type: str) -> None:
        if type == "unavailable":
            self.seen.pop(from_, None)
        elif not type:
            show = _SHOW.search(stanza.raw)
            self.seen[from_] = show[1].decode() if show else ""

    def _answer(self, stanza: Slice) -> None:
        """RFC 6120 section 8.2.3: each request has an answer."""
        of = stanza.attributes
        from_ = Jid.parse(of["from"]) if of.get("from") else self.jid
        request = Stanza("iq", self.jid, from_, of.get("id"), of.get("type"), stanza.payloads, stanza.raw)
        if of.get("type") == "set" and f"{ROSTER} query" in stanza.payloads:
            self.device.send([request.reply()])
        else:
            self.device.send([request.error(StanzaError(Condition.SERVICE_UNAVAILABLE))])

    # --- what is true

    @property
    def resource(self) -> str:
        """Its full JID."""
        return f"{self.jid}/{RESOURCE}"

    def mistakes(self) -> list[str]:
        """Differences between the presence that its device shows and the actual one; empty while it is offline."""
        if not self.device.is_online:
            return []
        wrong = []
        for contact in self.contacts:
            seen = self.seen.get(contact.resource)
            true = contact.show if contact.device.is_online else None
            if seen != true:
                wrong.append(f"{self.jid} sees {contact.jid} {_words(seen)}, who is {_words(true)}")
        return wrong


def _words(show: str | None) -> str:
    return "away from the network" if show is None else show or "available"


def _presence(show: str) -> Stanza:
    raw = f"<presence><show>{show}</show></presence>" if show else "<presence/>"
    payloads = (f"{CLIENT} show",) if show else ()
    return Stanza("presence", None, None, None, None, payloads, raw.encode())


def _message(to: Jid, id: str, body: str) -> Stanza:
    raw = f"<message to={quoteattr(str(to))} id='{id}' type='chat'><body>{body}</body></message>"
    return Stanza("message", to, None, id, "chat", (f"{CLIENT} body",), raw.encode())
