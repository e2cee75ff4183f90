"""The hooks of modules for messages: called at once, in the order of the modules' names, and only if registered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cluster.base.settled import Settled, both
from cluster.server.im.accounts import LocalAccount
from cluster.server.sessions.session import Session
from cluster.xmpp.stanza import Stanza

if TYPE_CHECKING:
    from cluster.server.context import ModuleContext

OF_ROOMS = "groupchat"
"""Messages of this type: the room keeps them, and sends them to each resource that is in it; no account does (XEP-0313
section 6.1.1, XEP-0280 section 6.1)."""


class MessageHooks:
    """The hooks `sent`, `arriving` and `delivered` of one domain; see cluster/host/module.py."""

    def __init__(self, ctx: ModuleContext) -> None:
        self._ctx = ctx
        self._sent = ctx.host.message_hook("sent")
        self._arriving = ctx.host.message_hook("arriving")
        self._delivered = ctx.host.message_hook("delivered")

    def sent(self, session: Session, stanza: Stanza) -> Settled:
        """A session of this domain sent the message, and it is on its way. Settles when what modules store is safe."""
        settled: Settled = None
        copy = stanza
        for handler in self._sent:
            copy, kept = handler(self._ctx, session, copy)
            if kept is not None:
                settled = kept if settled is None else both(settled, kept)
        return settled

    def arriving(self, account: LocalAccount, stanza: Stanza) -> Stanza:
        """The message in the form in which the account gets it."""
        if stanza.type == OF_ROOMS:
            return stanza
        for handler in self._arriving:
            stanza = handler(self._ctx, account, stanza)
        return stanza

    def delivered(self, account: LocalAccount, stanza: Stanza, sessions: Sequence[Session]) -> Settled:
        """The message is delivered: to these sessions, or to none if it is stored for later."""
        settled: Settled = None
        if stanza.type == OF_ROOMS:
            return settled
        for handler in self._delivered:
            kept = handler(self._ctx, account, stanza, sessions)
            if kept is not None:
                settled = kept if settled is None else both(settled, kept)
        return settled
