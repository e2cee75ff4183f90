"""The rooms that a device visits (XEP-0045): it enters, talks, leaves, and enters again when it was sent away."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cluster.simulation.habits import in_s
from cluster.simulation.room_checker import Stay
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.extensions import muc_status
from cluster.xmpp.extensions.muc import MUC
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import make

if TYPE_CHECKING:
    from cluster.simulation.resource import Resource

AGAIN_S = 5.0
"""Mean time before it enters a room again that has sent it away or refused it."""
ANSWER_S = 60.0
"""A room that has not answered in this time is entered again."""
PING = "urn:xmpp:ping"
_ID = re.compile(rb"<body[^>]*>(g\d+-\d+) ")
_MARK = re.compile(rb"""<(?:stanza-id|delivery)\s[^>]*?\sid=["']([^"']*)""")
_SELF = re.compile(rb"""<status\s[^>]*?code=["']%d["']""" % muc_status.SELF)


class Visit:
    """One room, and whether the device is in it."""

    __slots__ = ("number", "occupant", "room", "stay", "timers")

    def __init__(self, number: int, room: Jid, nick: str) -> None:
        """`number`: of the room at the checker."""
        self.number = number
        self.room = room
        self.occupant = room.with_resource(nick)
        self.stay: Stay | None = None
        """While it is in the room."""
        self.timers: dict[str, Any] = {}


class Visits:
    """All visits of one device."""

    __slots__ = ("_checker", "_resource", "_visits")

    def __init__(self, resource: Resource, rooms: Sequence[Jid]) -> None:
        self._resource = resource
        self._checker = resource.person.checker.rooms
        nick = f"p{resource.address.replace('.', '-')}"
        numbers = resource.person.population.room_numbers
        self._visits = {str(room): Visit(numbers[room], room, nick) for room in rooms}

    # --- what it does

    def on_session(self) -> None:
        """A new session has begun: it is in no room."""
        for visit in self._visits.values():
            self._is_over(visit)
            if self._resource.is_acting:
                self._enter(visit)

    def on_session_end(self) -> None:
        """The session has ended, and with it all visits."""
        for visit in self._visits.values():
            self._is_over(visit)

    def rest(self) -> None:
        """Stop acting. A room may have forgotten an occupant while it could not say so: ask (XEP-0410)."""
        for visit in self._visits.values():
            self._forget_timers(visit)
            if visit.stay is not None:
                ping = make("iq", to=visit.occupant, id="here", type="get", payload=[Element(f"{{{PING}}}ping")])
                self._resource.device.send([ping])

    def _in(self, visit: Visit, what: str, seconds: float, do: Callable[[Visit], None]) -> None:
        """Schedule an action, in place of an earlier one of its kind."""
        if (timer := visit.timers.get(what)) is not None and timer.active():
            timer.cancel()
        visit.timers[what] = self._resource.host.callLater(seconds, do, visit)

    def _by_chance(self, visit: Visit, what: str, mean_s: float, do: Callable[[Visit], None]) -> None:
        self._in(visit, what, in_s(mean_s, self._resource.person.chance), do)

    def _enter(self, visit: Visit) -> None:
        if not self._resource.is_acting:
            return
        x = Element(f"{{{MUC}}}x")
        SubElement(x, f"{{{MUC}}}history", maxstanzas="0")
        self._resource.device.send([make("presence", to=visit.occupant, payload=[x])])
        self._in(visit, "enter", ANSWER_S, self._enter)

    def _leave(self, visit: Visit) -> None:
        self._resource.device.send([make("presence", to=visit.occupant, type="unavailable")])
        self._forget_timers(visit)
        self._by_chance(visit, "enter", self._resource.person.habits.of.absence, self._enter)

    def _remark(self, visit: Visit) -> None:
        person = self._resource.person
        if visit.stay is not None and person.is_active():
            id = self._checker.new_id(visit.stay, self._resource.now_ns)
            person.say(self._resource, visit.room, id)
        self._by_chance(visit, "remark", person.habits.of.remark, self._remark)

    def _forget_timers(self, visit: Visit) -> None:
        for timer in visit.timers.values():
            if timer.active():
                timer.cancel()
        visit.timers.clear()

    def _is_over(self, visit: Visit) -> None:
        self._forget_timers(visit)
        if visit.stay is not None:
            self._checker.is_over(visit.stay)
            visit.stay = None

    # --- what it sees

    def take(self, stanza: Slice) -> bool:
        """Handle a stanza of a room; False for any other one."""
        of = stanza.attributes
        visit = self._visits.get(of.get("from", "").partition("/")[0])
        if visit is None:
            return False
        if stanza.name == f"{CLIENT} presence":
            self._on_presence(visit, stanza, of.get("type", ""))
        elif stanza.name == f"{CLIENT} message":
            self._on_message(visit, stanza, of)
        elif of.get("id") == "here" and of.get("type") == "error" and b"<not-acceptable" in stanza.raw:
            self._is_over(visit)
        return True

    def _on_presence(self, visit: Visit, stanza: Slice, type: str) -> None:
        if type == "error":
            self._is_over(visit)
            self._by_chance(visit, "enter", AGAIN_S, self._enter)
        elif stanza.attributes["from"] != str(visit.occupant) or not _SELF.search(stanza.raw):
            return
        elif type == "unavailable":
            is_wanted = "remark" in visit.timers
            self._is_over_by_room(visit, is_wanted=is_wanted)
        elif visit.stay is None or "enter" in visit.timers:
            self._is_over(visit)
            visit.stay = self._checker.enters(visit.number, self._resource.address)
            if self._resource.is_acting:
                of = self._resource.person.habits.of
                self._by_chance(visit, "leave", of.visit, self._leave)
                self._by_chance(visit, "remark", of.remark, self._remark)

    def _is_over_by_room(self, visit: Visit, *, is_wanted: bool) -> None:
        """It has left, or was sent away, as by a room whose server comes back."""
        if visit.stay is not None:
            self._checker.is_over(visit.stay)
            visit.stay = None
        if is_wanted:
            self._forget_timers(visit)
            self._by_chance(visit, "enter", AGAIN_S, self._enter)

    def _on_message(self, visit: Visit, stanza: Slice, of: dict[str, str]) -> None:
        if of.get("type") == "error":
            self._checker.came_back(of.get("id", ""), stanza.raw[-200:].decode(errors="replace"))
            if b"<not-acceptable" in stanza.raw:
                self._is_over_by_room(visit, is_wanted=self._resource.is_acting)
            return
        found = _ID.search(stanza.raw)
        if found is not None and visit.stay is not None:
            marks = _MARK.findall(stanza.raw)
            self._checker.hears(visit.stay, found[1].decode(), self._resource.now_ns, marks[-1] if marks else b"")
