"""An account of a running lab, and all that one does as it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from cluster.lab.errors import LabError
from cluster.lab.progress import Tell, untold

if TYPE_CHECKING:
    from cluster.client.archived import ArchivedMessage
    from cluster.client.asking import RosterContact
    from cluster.client.managed import ManagedClient
    from cluster.client.messenger import Messenger
    from cluster.lab.answers import Sent
    from cluster.lab.folder import LabFolder
    from cluster.lab.tracing.prober import Prober
    from cluster.topology.plan import Plan
    from cluster.xmpp.jid import Jid
    from cluster.xmpp.stanza import Stanza


class Account:
    """Logs in for each call, without presence, so that nobody sees it and offline messages stay where they are; `chat`
    comes online. Other addresses are as in `Lab.address`. All methods raise LabError."""

    def __init__(self, folder: LabFolder, jid: Jid, password: str | None) -> None:
        self._folder = folder
        self.jid = jid
        """Bare."""
        self._password = password

    def send(self, to: str, text: str) -> Sent:
        """Send a message, and wait until it is accepted or returned."""
        from cluster.lab.clients.sending import checked_text, send_message

        receiver = self._address(to)
        password = self._known_password()
        return send_message(self._folder, self._plan, self.jid, password, receiver, checked_text(text))

    def inbox(self, most: int) -> list[ArchivedMessage]:
        """The newest messages that others sent to it, by its archive (XEP-0313)."""
        from cluster.client.archive import received
        from cluster.lab.clients.login import log_in
        from cluster.xmpp.streams.login import StreamFailed

        try:
            with log_in(self._folder, self._plan, self.jid, self._known_password()) as client:
                return received(client, most)
        except StreamFailed as error:
            raise LabError(f"{error}; check that the server of {self.jid} has the module `archive`") from None

    def roster(self) -> list[RosterContact]:
        """Its contacts."""
        from cluster.lab.clients.asking import roster

        return roster(self._folder, self._plan, self.jid, self._password)

    def add_contact(self, contact: str) -> None:
        """Put a contact on its roster, and ask for its presence."""
        self._change_roster(contact, is_on=True)

    def remove_contact(self, contact: str) -> None:
        """Remove a contact and both subscriptions."""
        self._change_roster(contact, is_on=False)

    def chat(self, sent: Callable[[Stanza], None] = lambda stanza: None) -> tuple[Messenger, ManagedClient]:
        """Log in, and stay logged in until the client is closed.

        `sent`: is called with each stanza that the messenger sends.
        """
        from secrets import token_hex

        from cluster.client.managed import ManagedClient
        from cluster.client.messenger import Messenger
        from cluster.lab.clients.login import connector, explained

        password = self._known_password()

        def send(stanza: Stanza) -> None:
            sent(stanza)
            client.send([stanza])

        messenger = Messenger(self.jid, send)
        connect = connector(self._folder, self._plan, self.jid.with_resource(f"chat-{token_hex(4)}"), password)
        with explained(self._folder, self._plan, self.jid):  # the first login; later ones are tried until they succeed
            client = ManagedClient(connect, messenger.greeting(), time.monotonic)
        return messenger, client

    def prober(
        self,
        to: str,
        *,
        resource: str = "",
        node: str = "",
        with_receiver: bool = True,
        timeout_s: float = 10.0,
        tell: Tell = untold,
    ) -> AbstractContextManager[Prober]:
        """Log in to send probes to another account; see `cluster.lab.tracing.prober`.

        `resource`: one client of the receiver.
        """
        from cluster.lab.clients.names import with_resource
        from cluster.lab.tracing.prober import prober

        receiver = with_resource(self._address(to), resource)
        return prober(
            self._folder, self._plan, self.jid, receiver, self._known_password(),
            node=node, with_receiver=with_receiver, timeout_s=timeout_s, tell=tell,
        )  # fmt: skip

    @property
    def _plan(self) -> Plan:
        return self._folder.plan()

    def _address(self, text: str) -> Jid:
        from cluster.lab.clients.names import account_of

        return account_of(self._folder, self._plan, text)

    def _known_password(self) -> str:
        from cluster.lab.clients.login import known_password

        return known_password(self._folder, self._plan, self.jid, self._password)

    def _change_roster(self, contact: str, *, is_on: bool) -> None:
        from cluster.lab.clients.asking import change_roster

        change_roster(self._folder, self._plan, self.jid, self._address(contact), self._password, is_on=is_on)
