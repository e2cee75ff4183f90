# mypy: allow-untyped-calls, allow-untyped-decorators
# (locust annotates only some of its functions)
"""Scenario `presence`: a storm. Everybody comes, changes and goes, again and again, and has contacts in all domains.

locust -f loadtests/presence.py --headless -u 50 -r 25 -t 30s --contacts 10 --rate 0.5
"""

from __future__ import annotations

from locust import task
from typing_extensions import override

from cluster.xmpp.jid import Jid
from cluster.xmpp.parser import Slice
from loadtests.connection import Connection
from loadtests.contacts import PRESENCE, ContactUser, fan_out
from loadtests.xmpp_user import bounced, sender_of

LIFE = ("<show>away</show>", "<show>dnd</show>", "", None)
"""What a user shows, step by step, from its login on; None: that it is gone."""


class PresenceUser(ContactUser):
    """Changes its presence `--rate` times per second, by LIFE, and hears what its contacts show.

    Fires beside what each user does, for each presence that somebody sees:

    - `presence first copy`: from when it was due until the first contact had read it.
    - `presence last copy`: until all had, who were available when it was sent and still are, and are users of this
      process.
    - `unavailable first copy`, `unavailable last copy`: the same of one that says that the user goes.
    """

    @override
    def on_start(self) -> None:
        self._seen: dict[Jid, None] = {}  # contacts whose presence it gets while it is available
        self._step = 0
        self._is_gone = False
        self._coming: str | None = ""  # the id of the presence by which it comes, until the server has it
        super().on_start()

    @override
    def _on_lost(self, connection: Connection, error: Exception) -> None:
        self._is_gone, self._coming = False, ""  # as it comes back
        super()._on_lost(connection, error)

    @task
    def show(self) -> None:
        """The next step of its life."""
        due_ns = self.take_due()
        connection, shown = self._connection.get(), LIFE[self._step]
        self._step = (self._step + 1) % len(LIFE)
        kind, type = ("presence", "") if shown is not None else ("unavailable", " type='unavailable'")
        id = f"{kind}-{self.crowd.next_message_id()}"
        if shown is None:
            fan_out().go_out(self._own)
            self._is_gone = True
        elif self._is_gone:
            self._is_gone, self._coming = False, id
        fan_out().say(id, self._own, self._own.bare, due_ns)
        self._write(connection, due_ns, f"<presence id='{id}'{type}>{shown or ''}</presence>".encode())

    @override
    def _row(self, id: str) -> str:
        return id.partition("-")[0]

    @override
    def _on_child(self, child: Slice) -> None:
        sender, type, id = sender_of(child), child.attributes.get("type"), child.attributes.get("id", "")
        if child.name != PRESENCE or sender is None or type == "subscribe":
            super()._on_child(child)
        elif type == "subscribed":
            self._seen[sender.bare] = None
            if self._coming is None and not self._is_gone:
                fan_out().enter(self._own, sender.bare)
        elif type == "error":
            if fan_out().give_up(id):
                self.figures.fail(f"{self._row(id)} last copy", bounced(child), size_bytes=len(child.raw))
        elif sender == self._own:  # RFC 6121 section 4.2.2
            self._on_own(id)
        else:
            self._hear(id, len(child.raw))

    def _on_own(self, id: str) -> None:
        """The server has this presence of the user itself; from the first one on, it gets that of its contacts."""
        if id == self._coming and not self._is_gone:
            self._coming = None
            for contact in self._seen:
                fan_out().enter(self._own, contact)
