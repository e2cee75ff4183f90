"""Rooms of the load, and who is in them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cluster.xmpp.extensions.muc import CONFIG, MUC, OWNER
from loadtests.bench.crew import Crew
from loadtests.bench.hearer import Hearer

_AT_ONCE = 20
"""How many enter together."""
_WITHIN_S = 60.0
"""How long they may take: a server may look at all who are in the room for each of them."""
_ENTERED = b"<subject"
"""A room says its subject last (XEP-0045 section 7.2.15)."""


def open_room(crew: Crew, owner: Hearer, room: str) -> None:
    """Make a persistent room without an archive, in which only moderators are shown to others, so that many can enter
    it soon."""
    enter(crew, room, [owner])
    values = {"persistentroom": "1", "enablelogging": "0", "presencebroadcast": "moderator"}
    fields = f"<field var='FORM_TYPE'><value>{CONFIG}</value></field>" + "".join(
        f"<field var='muc#roomconfig_{name}'><value>{value}</value></field>" for name, value in values.items()
    )
    form = f"<query xmlns='{OWNER}'><x xmlns='jabber:x:data' type='submit'>{fields}</x></query>"
    request = f"<iq type='set' id='configure' to='{room}'>{form}</iq>"
    _wait(crew, [owner], b"configure", [request.encode()], f"{room} was not configured")


def enter(crew: Crew, room: str, guests: Sequence[Hearer]) -> None:
    """All of them, without its history."""
    history = f"<x xmlns='{MUC}'><history maxstanzas='0'/></x>"
    for start in range(0, len(guests), _AT_ONCE):
        some = guests[start : start + _AT_ONCE]
        wanted = [f"<presence to='{room}/{guest.jid.localpart}'>{history}</presence>".encode() for guest in some]
        _wait(crew, some, _ENTERED, wanted, f"not all could enter {room}")


def leave(owner: Hearer, room: str) -> None:
    """The room stays."""
    owner.line.send(f"<presence type='unavailable' to='{room}/{owner.jid.localpart}'/>".encode())


def _wait(crew: Crew, guests: Sequence[Hearer], mark: bytes, sent: Sequence[bytes], what: str) -> None:
    """Send each of them its stanza; until each has read the mark."""
    left = dict.fromkeys(guests)
    for guest, stanza in zip(guests, sent, strict=True):
        guest.mark, guest.on_heard = mark, partial(left.pop, guest)
        guest.line.send(stanza)
    crew.serve_until(lambda: not left, what, _WITHIN_S)
