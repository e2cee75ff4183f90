"""Reading an archive, page by page."""

from __future__ import annotations

import re
from collections import deque

import pytest

from cluster.client import archive
from cluster.client.archive import received, search
from cluster.xmpp.jid import Jid
from cluster.xmpp.parser import Slice
from cluster.xmpp.streams.login import StreamFailed
from tests.unit.client.slices import slices

ROMEO = "romeo@montague.lit"


class Server:
    """As a client with an archive of `count` messages, every second one his own; two a page.

    `probe`: a child of those that others sent, from and to whom.
    """

    to = f"{ROMEO}/pda"
    from_ = "juliet@capulet.lit/balcony"
    probe = ""

    def __init__(self, count: int) -> None:
        self.jid = Jid.parse(f"{ROMEO}/pda")
        self.pages = 0
        self.refuses = False
        self._count = count
        self._ready: deque[Slice] = deque()

    def send(self, raw: bytes, timeout_s: float) -> None:
        self.pages += 1
        id = re.findall('queryid="(.*?)"', raw.decode())[0]
        [before] = re.findall("<before>(.*?)</before>|<before/>", raw.decode())
        end = int(before) if before else self._count
        numbers = range(max(0, end - 2), end)
        first = f"<first>{numbers[0]}</first>" if numbers else ""
        complete = "" if numbers and numbers[0] else " complete='true'"
        fin = f"<fin xmlns='urn:xmpp:mam:2'{complete}><set xmlns='http://jabber.org/protocol/rsm'>{first}</set></fin>"
        results = [self._result(number, id, ROMEO) for number in numbers]
        forged = [self._result(66, id, "tybalt@capulet.lit"), self._result(67, "other", ROMEO)]
        if self.refuses:
            fin = "<error type='cancel'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
        answer = f"<iq type='{'error' if self.refuses else 'result'}' id='{id}'>{fin}</iq>"
        self._ready.extend(slices("".join([*results, *forged, answer])))

    def _result(self, number: int, id: str, from_: str) -> str:
        ends = f"from='{ROMEO}'" if number % 2 else f"from='{self.from_}' to='{self.to}'"
        message = f"<message xmlns='jabber:client' {ends} type='chat'><body>{number}</body>{self.probe}</message>"
        return (
            f"<message from='{from_}'><result xmlns='urn:xmpp:mam:2' queryid='{id}' id='{number}'>"
            f"<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2026-11-20T12:00:00Z'/>"
            f"{message}</forwarded></result></message>"
        )

    def receive(self, timeout_s: float) -> Slice:
        return self._ready.popleft()


@pytest.mark.parametrize(
    ("count", "wanted", "found"),
    [(0, 5, []), (1, 5, ["0"]), (7, 2, ["4", "6"]), (7, 50, ["0", "2", "4", "6"])],
)
def test_what_others_sent(count: int, wanted: int, found: list[str]) -> None:
    messages = received(Server(count), wanted)
    assert [message.body for message in messages] == found
    assert all(message.at_utc == "2026-11-20T12:00:00Z" for message in messages)


@pytest.mark.parametrize(
    ("from_", "to", "found"),
    [
        ("juliet@capulet.lit/trace-0a71b07f", ROMEO, []),
        ("+393331234567@sms.montague.lit", f"{ROMEO}/trace-1cd0ad20", []),  # the answer to a probe
        ("+393331234567@sms.montague.lit", ROMEO, ["0", "2"]),  # a text that `xmpplab watch` follows
    ],
)
def test_probes_of_xmpplab_trace_are_left_out(from_: str, to: str, found: list[str]) -> None:
    server = Server(4)
    server.from_, server.to, server.probe = from_, to, "<probe xmlns='urn:xmpplab:trace:0' id='329a5f1d2023d7bb'/>"
    assert [message.body for message in received(server, 5)] == found


def test_no_more_pages_are_asked_for_than_needed() -> None:
    server = Server(1000)
    assert len(received(server, 3)) == 3
    assert server.pages == 3


def test_an_archive_that_refuses() -> None:
    server = Server(1)
    server.refuses = True
    with pytest.raises(StreamFailed, match="archive: forbidden"):
        received(server, 1)


def test_a_search_finds_words_of_bodies_and_addresses_however_written() -> None:
    assert [message.body for message in search(Server(30), "JULIET", 3)] == ["24", "26", "28"]
    assert [message.body for message in search(Server(30), "7", 5)] == ["7", "17", "27"]
    assert search(Server(30), "tybalt", 5) == []


def test_a_search_reads_the_newest_messages_of_a_long_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_SEARCHED", 10 * archive.MAX_PAGE)
    server = Server(1_000)
    assert search(server, "nothing", 5) == []
    assert server.pages == 10
