# mypy: allow-untyped-calls, allow-untyped-decorators
# (locust annotates only some of its functions)
"""Scenario `archive`: everybody writes to somebody and reads the newest page of the own archive, by turns.

xmpplab load archive --users 50 --time 30s --cross 0.5 --rate 1
"""

from __future__ import annotations

from locust import task
from typing_extensions import override

from cluster.client.blocking import BlockingClient
from cluster.xmpp.extensions.rsm import RSM
from cluster.xmpp.namespaces import CLIENT, MAM
from cluster.xmpp.parser import Slice
from loadtests import archiving
from loadtests.ledger import InFlight
from loadtests.paced_user import PacedUser
from loadtests.xmpp_user import bounced

PAGE = 20
"""Messages."""
ROW = "archive page"
_LAST_PAGE = f"<set xmlns='{RSM}'><max>{PAGE}</max><before/></set>"


class ArchiveUser(PacedUser):
    """Takes a step `--rate` times per second: writes a message that both archives keep, then reads the last page.

    Fires `archive page`, beside what each user does: from when the query was due until the last 20 messages have been
    read (XEP-0313 section 4, XEP-0059 section 2.5).
    """

    @override
    def on_start(self) -> None:
        self._is_reading_next = False
        super().on_start()

    @override
    def _prepare(self, client: BlockingClient) -> None:
        archiving.keep(client, "always")

    @task
    def step(self) -> None:
        """One of both."""
        due_ns = self.take_due()
        is_reading, self._is_reading_next = self._is_reading_next, not self._is_reading_next
        if not is_reading:
            self.write_to_somebody(due_ns)
            return
        connection, id = self._connection.get(), self.crowd.next_message_id()
        raw = f"<iq type='set' id='{id}'><query xmlns='{MAM}' queryid='{id}'>{_LAST_PAGE}</query></iq>".encode()
        self._send(connection, id, InFlight(connection.jid, connection.jid, ROW, due_ns), raw)

    @override
    def _on_child(self, child: Slice) -> None:
        if child.name != f"{CLIENT} iq":
            super()._on_child(child)
        elif query := self.crowd.ledger.remove(child.attributes.get("id", "")):
            if child.attributes.get("type") == "error":
                self.figures.fail(ROW, bounced(child), size_bytes=len(child.raw))
            else:
                self.figures.take(ROW, query.sent_ns, len(child.raw))
