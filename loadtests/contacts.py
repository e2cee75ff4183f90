# mypy: allow-untyped-calls, allow-untyped-decorators
# (locust annotates only some of its functions)
"""A load user that has contacts in all domains, with subscriptions both ways."""

from __future__ import annotations

import contextlib
from argparse import ArgumentParser, ArgumentTypeError
from functools import cache

from locust import events
from typing_extensions import override

from cluster.client.blocking import BlockingClient
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.parser import Slice
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.streams.login import Login
from loadtests.connection import Connection
from loadtests.fan_out import FanOut
from loadtests.ledger import LOST_AFTER_S, Lost
from loadtests.paced_user import PacedUser
from loadtests.xmpp_user import GET_ROSTER, sender_of

ASKED_AGAIN = 5
"""How often a partner is chosen for each contact: the same one may come again."""
PRESENCE = f"{CLIENT} presence"


def contacts(text: str) -> int:
    """A number of contacts, from 1."""
    value = int(text)
    if value < 1:
        raise ArgumentTypeError(f"{text} is no number of contacts; give one from 1")
    return value


@events.init_command_line_parser.add_listener
def add_options(parser: ArgumentParser) -> None:
    """A field of the web UI too."""
    text = "Contacts for which each user asks; --cross of them in other domains. Default: 10"
    parser.add_argument("--contacts", type=contacts, default=10, help=text)


@cache
def fan_out() -> FanOut:
    """What the users of this process have told their contacts. The group of a user is those who hear of it."""
    return FanOut()


class ContactUser(PacedUser):
    """Asks `--contacts` others for subscriptions, approves what it is asked for, and waits at its end until all have
    heard what it told them."""

    abstract = True

    @override
    def on_start(self) -> None:
        self._asked: set[Jid] = set()
        super().on_start()
        self._find_contacts()

    @override
    def on_stop(self) -> None:
        if self.jid is not None:
            fan_out().wait_until_heard(self.jid, LOST_AFTER_S)
            for id in fan_out().leave(self.jid):
                lost = Lost(f"lost: not all have heard it within {LOST_AFTER_S:g} s after the end (indefinite)")
                self.figures.fail(f"{self._row(id)} last copy", lost)
        super().on_stop()

    def _row(self, id: str) -> str:
        """How the rows begin that count what was told by this id."""
        raise NotImplementedError

    @property
    def _own(self) -> Jid:
        assert self.jid is not None
        return self.jid

    def _find_contacts(self) -> None:
        """Ask users that are there for subscriptions (RFC 6121 section 3.1); those that come later ask this one."""
        options = self.environment.parsed_options
        for _ in range(ASKED_AGAIN * options.contacts):
            partner = self.partner(options.cross)
            if partner is None or len(self._asked) >= options.contacts:
                return
            self._ask(partner.bare)

    def _ask(self, contact: Jid) -> None:
        if contact not in self._asked:
            self._asked.add(contact)
            with contextlib.suppress(OSError):  # it comes back without this contact
                self._connection.get().write(f"<presence type='subscribe' to={quoteattr(str(contact))}/>".encode())

    @override
    def _connect(self, login: Login) -> BlockingClient:
        client = super()._connect(login)
        client.send(GET_ROSTER)
        return client

    @override
    def _on_lost(self, connection: Connection, error: Exception) -> None:
        if self.jid is not None:
            fan_out().go_out(self.jid)
        super()._on_lost(connection, error)

    @override
    def _on_child(self, child: Slice) -> None:
        sender = sender_of(child)
        if child.name == PRESENCE and child.attributes.get("type") == "subscribe" and sender is not None:
            self._connection.get().write(f"<presence type='subscribed' to={quoteattr(str(sender.bare))}/>".encode())
            self._ask(sender.bare)
        else:
            super()._on_child(child)

    def _hear(self, id: str, size_bytes: int) -> None:
        """A contact told this; count it if it is the first or the last that heard of it."""
        heard = fan_out().hear(id, self._own)
        if heard is not None and heard.is_first:
            self.figures.take(f"{self._row(id)} first copy", heard.sent_ns, size_bytes)
        if heard is not None and heard.is_last:
            self.figures.take(f"{self._row(id)} last copy", heard.sent_ns, size_bytes)
