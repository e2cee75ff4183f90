"""Requests of a client, and their answers."""

from __future__ import annotations

import re
from collections import deque

import pytest

from cluster.client import asking
from cluster.client.asking import RosterContact
from cluster.xmpp.jid import Jid
from cluster.xmpp.parser import Slice
from cluster.xmpp.streams.login import StreamFailed
from tests.unit.client.slices import slices

ROMEO = "romeo@montague.lit"
ITEMS = (
    "<item jid='juliet@capulet.lit' name='Juliet' subscription='both'><group>Verona</group></item>"
    "<item jid='paris@capulet.lit' ask='subscribe'/>"
)


class Server:
    """Answers each request as `answers` says, in order: an attribute `from`, the type, and the content."""

    def __init__(self, *answers: tuple[str, str, str]) -> None:
        self.jid = Jid.parse(f"{ROMEO}/pda")
        self.sent: list[str] = []
        self._answers = deque(answers)
        self._ready: deque[Slice] = deque()

    def send(self, raw: bytes, timeout_s: float) -> None:
        self.sent.append(raw.decode())
        for id in re.findall('<iq [^>]*id="(.*?)"', raw.decode()):
            from_, type, content = self._answers.popleft()
            forged = f"<iq type='result' id='{id}' from='tybalt@capulet.lit'><query xmlns='jabber:iq:roster'/></iq>"
            self._ready.extend(slices(f"{forged}<iq type='{type}' id='{id}'{from_}>{content}</iq>"))

    def receive(self, timeout_s: float) -> Slice | None:
        return self._ready.popleft() if self._ready else None


ROSTER = ("", "result", f"<query xmlns='jabber:iq:roster'>{ITEMS}</query>")


def test_the_contacts_are_those_that_the_server_tells() -> None:
    """Not those that somebody else tells, under the id of the request (RFC 6120 section 8.1.2.1)."""
    assert asking.roster(Server(ROSTER)) == [
        RosterContact("juliet@capulet.lit", "Juliet", "both", False, ["Verona"]),
        RosterContact("paris@capulet.lit", "", "none", True, []),
    ]


@pytest.mark.parametrize("from_", ["", f" from='{ROMEO}'", f" from='{ROMEO}/pda'"])
def test_the_server_answers_for_the_account(from_: str) -> None:
    """ejabberd does so as the client itself."""
    assert len(asking.roster(Server((from_, *ROSTER[1:])))) == 2


def test_a_known_contact_keeps_its_name() -> None:
    server = Server(ROSTER, ROSTER)
    asking.add_contact(server, Jid.parse("juliet@capulet.lit"))
    assert not any('type="set"' in raw for raw in server.sent)
    assert any('type="subscribe"' in raw for raw in server.sent)


def test_what_is_refused() -> None:
    refusal = "<error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    with pytest.raises(StreamFailed, match="forbidden"):
        asking.remove_contact(Server(("", "error", refusal)), Jid.parse("juliet@capulet.lit"))


def test_the_server_ends_the_stream() -> None:
    silent = Server()
    silent.send = lambda raw, timeout_s: None
    with pytest.raises(StreamFailed, match="ended the stream before it answered"):
        asking.roster(silent)


@pytest.mark.parametrize(("told", "occupants"), [("3", 3), ("many", None), ("9" * 5_000, None), ("-1", None)])
def test_the_rooms_of_a_service(told: str, occupants: int | None) -> None:
    of = " from='rooms.montague.lit'"
    items = (
        "<query xmlns='http://jabber.org/protocol/disco#items'><item jid='verona@rooms.montague.lit' name='V'/></query>"
    )
    field = f"<field var='muc#roominfo_occupants'><value>{told}</value></field>"
    info = f"<query xmlns='http://jabber.org/protocol/disco#info'><x xmlns='jabber:x:data'>{field}</x></query>"
    server = Server((of, "result", items), (" from='verona@rooms.montague.lit'", "result", info))
    [room] = asking.rooms(server, Jid.parse("rooms.montague.lit"))
    assert (room.jid, room.name, room.occupants) == ("verona@rooms.montague.lit", "V", occupants)


def test_other_stanzas_do_not_prolong_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy(Server):
        def receive(self, timeout_s: float) -> Slice | None:
            return slices("<presence from='tybalt@capulet.lit'/>")[0]

    monkeypatch.setattr(asking, "PATIENCE_S", 0.05)
    with pytest.raises(TimeoutError, match="no answer"):
        asking.roster(Busy(ROSTER))
