# mypy: allow-untyped-calls, allow-untyped-decorators
# (locust annotates only some of its functions)
"""Scenario `rooms`: each user enters one of several rooms with users of all domains, and writes there.

locust -f loadtests/rooms.py --headless -u 50 -r 25 -t 30s --rooms 2 --rate 0.2
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from functools import cache

from locust import events, task
from locust.env import Environment
from typing_extensions import override

from cluster.client.blocking import BlockingClient
from cluster.xmpp import element as xml
from cluster.xmpp.extensions import muc_status
from cluster.xmpp.extensions.muc import MUC, OWNER
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.parser import Slice
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.streams.login import Login
from loadtests import messages
from loadtests.fan_out import FanOut
from loadtests.ledger import LOST_AFTER_S, Lost
from loadtests.messages import BODY
from loadtests.paced_user import PacedUser
from loadtests.run import crowd
from loadtests.xmpp_user import bounced

FIRST, LAST = "room first copy", "room last copy"


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


@cache
def fan_out() -> FanOut:
    """The messages in the rooms of this process."""
    return FanOut()


class RoomUser(PacedUser):
    """Enters a room, sends `--rate` messages per second there, and receives those of the others.

    Besides the events of each user, fires for each message:

    - `room first copy`: from its due time until the first occupant had read it.
    - `room last copy`: until all had read it who were in the room when it was sent and are users of this process.
    """

    @classmethod
    def check(cls, environment: Environment) -> None:
        """Raises LabUnusable if the lab has no rooms."""
        crowd(environment).lab.check_rooms()

    @override
    def on_start(self) -> None:
        self.occupant: Jid | None = None
        super().on_start()

    @override
    def _connect(self, login: Login) -> BlockingClient:
        client = super()._connect(login)
        room = f"load-{self.place.number % self.environment.parsed_options.rooms}-{self.crowd.run_id}"
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
                lost = Lost(f"lost: not all have received it within {LOST_AFTER_S:g} s after the end (indefinite)")
                self.figures.fail(LAST, lost)
        super().on_stop()

    @task
    def speak(self) -> None:
        """One message to all in the room."""
        due_ns = self.take_due()
        if self.occupant is None or self.jid is None or not fan_out().is_inside(self.jid, self.occupant.bare):
            return  # it is not in the room yet, or not again
        connection, id = self._connection.get(), self.crowd.next_message_id()
        raw = messages.message(self.occupant.bare, id, BODY, type="groupchat")
        fan_out().say(id, self.jid, self.occupant.bare, due_ns)
        self._write(connection, due_ns, raw)

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
        codes = muc_status.codes(xml.parse(child.raw))
        if child.attributes.get("type") == "unavailable":
            fan_out().leave(self.jid)
        elif muc_status.SELF in codes:
            if muc_status.CREATED in codes:
                form = f"<query xmlns='{OWNER}'><x xmlns='jabber:x:data' type='submit'/></query>"
                room = quoteattr(str(self.occupant.bare))
                self._connection.get().write(f"<iq type='set' to={room} id='instant'>{form}</iq>".encode())
            fan_out().enter(self.jid, self.occupant.bare)

    def _on_said(self, child: Slice) -> None:
        assert self.jid is not None
        id = child.attributes.get("id", "")
        if child.attributes.get("type") == "error":
            if fan_out().give_up(id):
                self.figures.fail(LAST, bounced(child), size_bytes=len(child.raw))
            return
        heard = fan_out().hear(id, self.jid)
        if heard is None:
            return
        if heard.is_first:
            self.figures.take(FIRST, heard.sent_ns, len(child.raw))
        if heard.is_last:
            self.figures.take(LAST, heard.sent_ns, len(child.raw))
