# mypy: allow-untyped-calls, allow-untyped-decorators
# (locust annotates only some of its functions)
"""Scenario `rooms`: everybody is in one of several rooms with people of all domains, and speaks there.

locust -f loadtests/rooms.py --headless -u 50 -r 25 -t 30s --rooms 2 --rate 0.2
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError
from functools import cache
from typing import Any
from xml.sax.saxutils import quoteattr

from locust import events, task
from locust.env import Environment
from locust.runners import WorkerRunner
from typing_extensions import override

from cluster.client.blocking import BlockingClient
from cluster.xmpp import element as xml
from cluster.xmpp.extensions.muc import MUC, OWNER, USER
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.parser import Slice
from cluster.xmpp.streams.login import Login
from loadtests import lab, stamp
from loadtests.fan_out import FanOut
from loadtests.ledger import LOST_AFTER_S, Lost
from loadtests.paced_user import BODY, PacedUser
from loadtests.stamp import Stamp
from loadtests.xmpp_user import bounced, crowd, since_ms

FIRST, LAST = "room first copy", "room last copy"
CREATED, SELF = "201", "110"


def rooms(text: str) -> int:
    """A number of rooms, from 1."""
    value = int(text)
    if value < 1:
        raise ArgumentTypeError(f"{text} is no number of rooms; give one from 1")
    return value


@events.init_command_line_parser.add_listener
def add_options(parser: ArgumentParser) -> None:
    """A field of the web UI too."""
    parser.add_argument("--rooms", type=rooms, default=1, help="Rooms, over which the users are spread. Default: 1")


@events.init.add_listener
def check(environment: Environment, **_: Any) -> None:
    """End locust with the reason where the lab has no rooms."""
    if isinstance(environment.runner, WorkerRunner):
        return
    try:
        crowd().lab.check_rooms()
    except lab.LabUnusable as error:
        sys.exit(f"locust: {error}")


@cache
def fan_out() -> FanOut:
    """What was said in the rooms of this process."""
    return FanOut()


class RoomUser(PacedUser):
    """Enters a room, says `--rate` messages per second there, and hears what the others say.

    Fires beside what each user does, for each message:

    - `room first copy`: from when it was due until the first of those in the room had read it.
    - `room last copy`: until all of them had, who were in the room when it was sent and are users of this process.
    """

    @override
    def on_start(self) -> None:
        self.occupant: Jid | None = None
        super().on_start()

    @override
    def _connect(self, login: Login) -> BlockingClient:
        client = super()._connect(login)
        number = int(login.jid.localpart.split("-")[1])
        room = f"load-{number % self.environment.parsed_options.rooms}-{self.crowd.run_id}"
        self.occupant = Jid(room, self.crowd.lab.rooms[0], login.jid.localpart)
        history = f"<x xmlns='{MUC}'><history maxstanzas='0'/></x>"
        client.send(f"<presence to={quoteattr(str(self.occupant))}>{history}</presence>".encode())
        return client

    @override
    def on_stop(self) -> None:
        jid = self.jid
        if jid is not None:
            fan_out().wait_until_heard(jid, LOST_AFTER_S)
            for _ in fan_out().leave(jid):
                lost = Lost(f"lost: not all have heard it within {LOST_AFTER_S:g} s after the end (indefinite)")
                self._fire(LAST, None, exception=lost)
        super().on_stop()

    @task
    def speak(self) -> None:
        """One message to all in the room."""
        due_ns = self.pace.take()
        if self.occupant is None or self.jid is None:
            return
        client, id = self._client.get(), self.crowd.next_message_id()
        raw = stamp.message(self.occupant.bare, id, BODY, Stamp(due_ns, "room"), type="groupchat")
        if not fan_out().say(id, self.jid, self.occupant.bare, due_ns):
            return  # it is not in the room yet, or not again
        try:
            client.send(raw)
        except OSError as error:
            self._fire("send", since_ms(due_ns), len(raw), error)
            client.cut()
            self._lose(client)
        else:
            self._fire("send", since_ms(due_ns), len(raw))

    @override
    def _on_child(self, child: Slice) -> None:
        get = child.attributes.get
        if child.name == f"{CLIENT} presence" and get("from") == str(self.occupant):
            self._on_own_presence(child)
        elif child.name == f"{CLIENT} message" and get("type") in ("groupchat", "error"):
            self._on_said(child)
        else:
            super()._on_child(child)

    def _on_own_presence(self, child: Slice) -> None:
        assert self.jid is not None
        assert self.occupant is not None
        codes = {each.get("code") for each in xml.parse(child.raw).iter(f"{{{USER}}}status")}
        if child.attributes.get("type") == "unavailable":
            fan_out().leave(self.jid)
        elif SELF in codes:
            if CREATED in codes:
                form = f"<query xmlns='{OWNER}'><x xmlns='jabber:x:data' type='submit'/></query>"
                room = quoteattr(str(self.occupant.bare))
                self._client.get().send(f"<iq type='set' to={room} id='instant'>{form}</iq>".encode())
            fan_out().enter(self.jid, self.occupant.bare)

    def _on_said(self, child: Slice) -> None:
        assert self.jid is not None
        id = child.attributes.get("id", "")
        if child.attributes.get("type") == "error":
            if fan_out().give_up(id):
                self._fire(LAST, None, len(child.raw), bounced(child))
            return
        heard = fan_out().hear(id, self.jid)
        if heard is None:
            return
        if heard.is_first:
            self._fire(FIRST, since_ms(heard.sent_ns), len(child.raw))
        if heard.is_last:
            self._fire(LAST, since_ms(heard.sent_ns), len(child.raw))
