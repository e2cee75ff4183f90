"""Client State Indication (XEP-0352): an inactive client is not woken for presence and chat states."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cluster.server.context import ModuleContext, ServerModule
from cluster.server.im.accounts import LocalAccount
from cluster.server.sessions.session import Session
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.chat_states import is_chat_state
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.events import Nonza

NS = "urn:xmpp:csi:0"
MAX_HELD = 1_000
"""Stanzas that are held back for one client: two of each contact in a large roster. Then they are sent."""
MAX_HELD_BYTES = 1_048_576
"""Of these stanzas together."""

module = ServerModule("csi", ns=NS, xep=352, version="1.0.0")
is_inactive = module.session_state("inactive", bool, default=False)
"""Stanzas may be held back from the session, in the memory of its process only."""


class Inactive:
    """The held stanzas of an inactive client: the last presence and the last chat state of each sender."""

    def __init__(self, ended: Callable[[], None]) -> None:
        """`ended` is called when nothing is held back any more."""
        self._ended = ended
        self._held: dict[tuple[str, Jid | None], Stanza] = {}
        self._held_bytes = 0

    def let_through(self, stanza: Stanza) -> list[Stanza]:
        """No stanzas if this one can wait; otherwise all held ones before it, so that the order is kept."""
        if not _can_wait(stanza):
            return [*self._take(), stanza]
        key = stanza.kind, stanza.from_
        if (older := self._held.pop(key, None)) is not None:  # the newer one goes to the end
            self._held_bytes -= len(older.raw)
        self._held[key] = stanza
        self._held_bytes += len(stanza.raw)
        return self._take() if len(self._held) > MAX_HELD or self._held_bytes > MAX_HELD_BYTES else []

    def take(self) -> list[Stanza]:
        """All held stanzas, oldest first; the client is active again."""
        self._ended()
        return self._take()

    def _take(self) -> list[Stanza]:
        held, self._held, self._held_bytes = self._held, {}, 0
        return [*held.values()]


def _can_wait(stanza: Stanza) -> bool:
    if stanza.kind == "presence":
        return stanza.type in (None, "unavailable")
    return is_chat_state(stanza)


@module.stream_feature("after login")
def offer(ctx: ModuleContext) -> Element:
    """Offered to all (section 4.1)."""
    return Element(f"{{{NS}}}csi")


@module.on_nonza("inactive")
def keep_back(ctx: ModuleContext, session: Session, nonza: Nonza) -> None:
    """Hold back from now on (section 4.2)."""
    if session.holdback is None:
        is_inactive.set(session, True)
        session.hold_back(Inactive(partial(is_inactive.set, session, False)))


@module.on_bind("active")
def begin_active(ctx: ModuleContext, session: Session, nonza: Nonza) -> bytes:
    """As every session does that says nothing (XEP-0386 section 3.2)."""
    return b""


@module.on_bind("inactive")
def begin_inactive(ctx: ModuleContext, session: Session, nonza: Nonza) -> bytes:
    """Hold back from the beginning (XEP-0386 section 3.2)."""
    keep_back(ctx, session, nonza)
    return b""


@module.on_nonza("active")
def go_on(ctx: ModuleContext, session: Session, nonza: Nonza) -> None:
    """Send all held stanzas, before the answers to later requests of the client (sections 4.2 and 5.1)."""
    session.stop_holdback()


@module.on("restored")
async def ask_again(ctx: ModuleContext, account: LocalAccount, session: Session) -> bool:
    """The held presence was lost with the process that held it: ask the contacts."""
    missed = [each for each in account.sessions.values() if is_inactive.of(each)]
    for each in missed:
        is_inactive.set(each, False)
    if missed:
        ctx.presence.ask_contacts(account)
    return False
