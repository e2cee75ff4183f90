"""What a room does with floods, forgeries and too much of something, and while its storage is away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from typing_extensions import override

from cluster.server.c2s.client_stream import MAX_UNSETTLED
from cluster.services.rooms import affiliations
from cluster.services.rooms.settings import MAX_ITEMS
from cluster.store.archive import ArchivedMessage, Page
from cluster.store.limits import Limit
from cluster.store.memory import MemoryArchives, memory_store
from cluster.streams.connection import CLOSE_TIMEOUT_S
from cluster.streams.outbox import MAX_UNSENT_BYTES
from cluster.xmpp.extensions.mam import Query
from cluster.xmpp.extensions.muc import ADMIN
from cluster.xmpp.extensions.rsm import RSM
from cluster.xmpp.jid import Jid
from cluster.xmpp.limits import FROM_CLIENT
from cluster.xmpp.stanza import Stanza, opening
from tests.client import SOCKET_BYTES, Client
from tests.network import ELSINORE, MONTAGUE, watched_log
from tests.unit.services.rooms.play import BENVOLIO, JULIET, ROMEO, VERONA, Play, lines

PING = "<iq type='get' id='1' to='montague.lit'><ping xmlns='urn:xmpp:ping'/></iq>"


class LaterArchives(MemoryArchives):
    """Archives that are written when a test says so, and may be away."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Deferred[None]] = []
        self.is_slow = self.is_away = False

    @override
    def append(self, localpart: str, message: ArchivedMessage, limit: Limit) -> Deferred[None]:
        kept = super().append(localpart, message, limit)
        if not self.is_slow:
            return kept
        self.waiting.append(Deferred())
        return self.waiting[-1]

    @override
    async def query(self, account: Jid, query: Query) -> Page:
        if self.is_away:
            raise ConnectionLost
        return await super().query(account, query)


@pytest.fixture
def archives() -> LaterArchives:
    return LaterArchives()


@pytest.fixture
def play(archives: LaterArchives) -> Play:
    return Play(store=replace(memory_store(), room_archives=archives))


@pytest.fixture
def romeo(play: Play) -> Client:
    romeo = play.online(ROMEO)
    play.create(romeo, "romeo", persistentroom="1")
    return romeo


@pytest.fixture
def failures() -> Iterator[list[object]]:
    with watched_log() as failures:
        yield failures


def test_a_flood_is_not_read_faster_than_it_is_kept(
    play: Play, romeo: Client, juliet: Client, archives: LaterArchives
) -> None:
    benvolio = play.online(BENVOLIO)
    archives.is_slow = True
    text = "x" * (SOCKET_BYTES // MAX_UNSETTLED // 2)
    flood = [f"<message to='{VERONA}' type='groupchat'><body>{n} {text}</body></message>" for n in range(200)]
    play.network.say(romeo, "".join(flood))
    assert romeo.wire.producerState == "paused"
    assert len(archives.waiting) < 3 * MAX_UNSETTLED
    play.network.say(benvolio, PING)
    assert benvolio.take() == ["iq/result montague.lit 1"]
    for place in range(200):
        archives.waiting[place].callback(None)
        play.network.settle()
    assert romeo.wire.producerState == "producing"
    play.network.advance(1)
    assert [each.split()[1] for each in lines(juliet)] == [str(n) for n in range(200)]


def test_an_occupant_that_never_reads_leaves_and_the_others_hear_all(play: Play, romeo: Client, juliet: Client) -> None:
    benvolio = play.online(BENVOLIO)
    play.enter(benvolio, "benvolio")
    play.silence(juliet)
    benvolio.reading = False
    text, count = "x" * 100_000, MAX_UNSENT_BYTES // 100_000 + 10
    for number in range(count):
        romeo.send(f"<message to='{VERONA}' type='groupchat'><body>{number} {text}</body></message>")
        play.network.settle()
    play.network.advance(CLOSE_TIMEOUT_S)
    play.network.advance(CLOSE_TIMEOUT_S)
    heard = lines(juliet)
    assert [each.split()[1] for each in heard if each.startswith("romeo")] == [str(number) for number in range(count)]
    assert any(each.startswith("gone benvolio none none") for each in heard)


def test_nobody_speaks_as_an_occupant(play: Play, romeo: Client, juliet: Client) -> None:
    """Another domain may write what it likes into its link: its `from` is not of that domain."""
    for from_ in (f"{VERONA}/romeo", VERONA, ROMEO):
        forged = Jid.parse(from_)
        raw = opening("message", forged) + f" to='{VERONA}' type='groupchat'><body>forged</body></message>".encode()
        payloads = ("jabber:client body",)
        play.network.abroad.send(Stanza("message", Jid.parse(VERONA), forged, None, "groupchat", payloads, raw))
    play.network.advance(1)
    assert lines(juliet) == lines(romeo) == []
    assert forged.domainpart != ELSINORE


def test_a_client_that_claims_to_be_an_occupant_is_cut_off(play: Play, romeo: Client, juliet: Client) -> None:
    play.say(romeo, f"<message from='{VERONA}/juliet' to='{VERONA}' type='groupchat'><body>forged</body></message>")
    assert b"invalid-from" in romeo.output
    assert "forged" not in str(lines(juliet))


def test_what_is_too_large_with_what_the_room_adds_comes_back(play: Play, romeo: Client, juliet: Client) -> None:
    content = "<body>" + "&quot;" * 40_000 + "</body>"
    assert len(content) < FROM_CLIENT.max_bytes
    play.say(romeo, f"<message to='{VERONA}' type='groupchat' id='x'>{content}</message>")
    [heard], [echo] = lines(juliet), lines(romeo)
    assert heard == echo


def test_affiliations_have_a_bound(play: Play, romeo: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(affiliations, "MAX_AFFILIATES", 3)
    assert play.admin(romeo, *(f"affiliation='member' jid='m{n}@capulet.lit'" for n in range(2))) == ["iq/result"]
    full = "iq/error verona wait resource-constraint"
    assert play.admin(romeo, "affiliation='member' jid='one@more.lit'") == [full]
    assert play.admin(romeo, *(f"affiliation='none' jid='m{n}@x.lit'" for n in range(MAX_ITEMS + 1))) == [full]
    assert play.admin(romeo, "affiliation='none' jid='m0@capulet.lit'") == ["iq/result"]
    assert play.admin(romeo, "affiliation='member' jid='one@more.lit'") == ["iq/result"]


def test_a_room_whose_history_cannot_be_read_is_tried_again(
    play: Play, romeo: Client, archives: LaterArchives, failures: list[object]
) -> None:
    play.speak(romeo, "before")
    play.network.kill(MONTAGUE)
    archives.is_away = True
    play.network.start(MONTAGUE)
    again = play.online(ROMEO)
    assert play.enter(again, "romeo") == ["presence/error romeo wait resource-constraint"]
    assert not failures
    archives.is_away = False
    assert "romeo: before (before)" in play.enter(again, "romeo")


def test_what_comes_over_a_link_waits_for_the_storage(play: Play, romeo: Client, archives: LaterArchives) -> None:
    play.network.kill(MONTAGUE)
    archives.is_away = True
    play.network.start(MONTAGUE)
    juliet = play.online(JULIET)
    assert play.enter(juliet, "juliet") == []
    archives.is_away = False
    play.network.kill(MONTAGUE)
    play.network.start(MONTAGUE)
    play.network.advance(1)
    assert "presence juliet none participant 110 170" in lines(juliet)


def test_a_list_that_no_link_carries_is_an_error_and_not_nothing(play: Play, romeo: Client) -> None:
    """XEP-0045 has no pages of affiliations: across domains the whole list is an error. XEP-0059 has pages."""
    juliet = play.online(JULIET)
    play.admin(romeo, f"affiliation='owner' jid='{juliet.jid.bare}'")
    play.silence(juliet)
    for first in range(0, 5_000, 1_000):
        assert "iq/result" in play.admin(
            romeo, *[f"affiliation='member' jid='p{number}@capulet.lit'" for number in range(first, first + 1_000)]
        )
    assert play.admin(juliet, "affiliation='member'", type="get") == ["iq/error verona modify policy-violation"]
    query = f"<query xmlns='{ADMIN}'><item affiliation='member'/>{{}}</query>"
    assert len(play.reply(romeo, "get", query.format(""))[0]) == 5_000
    seen: list[str | None] = []
    while len(seen) < 5_000:
        after = f"<after>{seen[-1]}</after>" if seen else ""
        asked = query.format(f"<set xmlns='{RSM}'><max>800</max>{after}</set>")
        *people, end = play.reply(juliet, "get", asked)[0]
        assert end.findtext(f"{{{RSM}}}count") == "5000"
        assert end.findtext(f"{{{RSM}}}last") == people[-1].get("jid")
        seen += [each.get("jid") for each in people]
    assert seen == [f"p{number}@capulet.lit" for number in range(5_000)]
    gone = query.format(f"<set xmlns='{RSM}'><after>tybalt@capulet.lit</after></set>")
    assert play.ask(juliet, "get", gone) == ["iq/error verona cancel item-not-found"]
