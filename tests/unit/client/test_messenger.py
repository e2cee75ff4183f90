"""An instant messaging client: what it makes of a stream, and what it sends."""

from __future__ import annotations

import pytest

from cluster.client.messenger import BLOCKING, MAX_RESOURCES, Event, Messenger
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, ROSTER
from cluster.xmpp.stanza import Stanza
from tests.unit.client.slices import slices

ROMEO, JULIET = Jid.parse("romeo@montague.lit"), Jid.parse("juliet@capulet.lit")
BALCONY = JULIET.with_resource("balcony")


class Romeo:
    """His client, and what it has sent."""

    def __init__(self) -> None:
        self.sent: list[Stanza] = []
        self.messenger = Messenger(ROMEO, self.sent.append)

    def gets(self, raw: str) -> list[Event]:
        return [event for child in slices(raw) for event in self.messenger.take(child)]

    def gets_roster(self, *items: str) -> None:
        self.gets(f"<iq type='result' id='roster'><query xmlns='{ROSTER}'>{''.join(items)}</query></iq>")

    def last(self) -> str:
        return self.sent[-1].raw.decode()


@pytest.fixture
def romeo() -> Romeo:
    romeo = Romeo()
    romeo.gets_roster("<item jid='juliet@capulet.lit' name='Juliet' subscription='both'><group>Verona</group></item>")
    return romeo


def test_messages(romeo: Romeo) -> None:
    assert romeo.gets(f"<message from='{BALCONY}' type='chat'><body>Ay me</body></message>") == [
        Event("message", BALCONY, "Ay me")
    ]
    delay = "<delay xmlns='urn:xmpp:delay' stamp='%s'/>"
    waited = f"<message from='{BALCONY}'><subject>s</subject><body>b</body>{delay}</message>"
    [event] = romeo.gets(waited % "1970-01-01T00:00:01Z")
    assert (event.text, event.sent_utc_s) == ("s\nb", 1.0)
    assert romeo.gets(waited % "yesterday")[0].sent_utc_s is None
    assert romeo.gets(f"<message from='{BALCONY}'><composing xmlns='c'/></message>") == []
    assert romeo.gets("<message from='@'><body>b</body></message>") == []


def test_a_message_that_comes_back(romeo: Romeo) -> None:
    error = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    assert romeo.gets(f"<message from='{JULIET}' type='error'><body>x</body>{error}</message>") == [
        Event("bounced", JULIET, "service-unavailable")
    ]


def test_presence_of_contacts(romeo: Romeo) -> None:
    here = f"<presence from='{BALCONY}'><show>away</show><status>asleep</status></presence>"
    assert romeo.gets(here) == [Event("presence", BALCONY, "is away: asleep")]
    assert romeo.gets(here) == []
    assert romeo.messenger.roster[JULIET].there == {"balcony": "is away: asleep"}
    assert romeo.gets("<presence from='tybalt@capulet.lit/x'/>") == []
    assert romeo.gets(f"<presence from='{BALCONY}' type='unavailable'/>") == [Event("presence", BALCONY, "has left")]
    assert romeo.messenger.roster[JULIET].there == {}


def test_the_resources_of_a_contact_are_bounded(romeo: Romeo) -> None:
    for number in range(MAX_RESOURCES + 10):
        romeo.gets(f"<presence from='{JULIET}/{number}'/>")
    assert len(romeo.messenger.roster[JULIET].there) == MAX_RESOURCES


def test_a_request_waits_for_its_answer(romeo: Romeo) -> None:
    tybalt = Jid.parse("tybalt@capulet.lit")
    assert romeo.gets(f"<presence from='{tybalt}' type='subscribe'/>") == [Event("request", tybalt)]
    assert list(romeo.messenger.requests) == [tybalt]
    romeo.messenger.answer(tybalt, yes=True)
    assert (romeo.sent[-1].to, romeo.sent[-1].type) == (tybalt, "subscribed")
    assert not romeo.messenger.requests


def test_an_item_that_is_there_keeps_its_name_and_groups(romeo: Romeo) -> None:
    """RFC 6121 section 2.3.3: a roster set replaces the item."""
    romeo.messenger.subscribe(JULIET)
    assert [stanza.kind for stanza in romeo.sent] == ["presence"]
    romeo.messenger.subscribe(Jid.parse("tybalt@capulet.lit"))
    assert [stanza.kind for stanza in romeo.sent[1:]] == ["iq", "presence"]


def test_roster_pushes_are_taken_from_the_account_only(romeo: Romeo) -> None:
    """RFC 6121 section 2.1.6."""
    push = f"<query xmlns='{ROSTER}'><item jid='tybalt@capulet.lit' ask='subscribe' subscription='none'/></query>"
    romeo.gets(f"<iq type='set' id='1' from='tybalt@capulet.lit/x'>{push}</iq>")
    assert "service-unavailable" in romeo.last()
    assert len(romeo.messenger.roster) == 1
    romeo.gets(f"<iq type='set' id='2'>{push}</iq>")
    assert (romeo.sent[-1].id, romeo.sent[-1].type) == ("2", "result")
    assert romeo.messenger.roster[Jid.parse("tybalt@capulet.lit")].is_pending
    remove = f"<query xmlns='{ROSTER}'><item jid='juliet@capulet.lit' subscription='remove'/></query>"
    romeo.gets(f"<iq type='set' id='3' from='{ROMEO}'>{remove}</iq>")
    assert JULIET not in romeo.messenger.roster


def test_the_block_list(romeo: Romeo) -> None:
    romeo.gets(f"<iq type='result' id='blocklist'><blocklist xmlns='{BLOCKING}'><item jid='a.b'/></blocklist></iq>")
    romeo.gets(f"<iq type='set' id='1'><block xmlns='{BLOCKING}'><item jid='c.d'/></block></iq>")
    assert romeo.messenger.blocked == {Jid.parse("a.b"), Jid.parse("c.d")}
    romeo.gets(f"<iq type='set' id='2'><unblock xmlns='{BLOCKING}'><item jid='a.b'/></unblock></iq>")
    assert romeo.messenger.blocked == {Jid.parse("c.d")}
    romeo.gets(f"<iq type='set' id='3'><unblock xmlns='{BLOCKING}'/></iq>")
    assert romeo.messenger.blocked == set()


def test_what_the_server_refuses(romeo: Romeo) -> None:
    romeo.messenger.block(JULIET, yes=True)
    error = "<error type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    answer = f"<iq type='error' id='{romeo.sent[-1].id}' from='%s'>{error}</iq>"
    assert romeo.gets(answer % "tybalt@capulet.lit/x") == []
    assert romeo.gets(answer % ROMEO) == [Event("refused", ROMEO, f"{JULIET} cannot be blocked: not-allowed")]


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("type='get' id='1' from='montague.lit'><ping xmlns='urn:xmpp:ping'/>", "result"),
        ("type='get' id='1' from='montague.lit'><query xmlns='jabber:iq:version'/>", "error"),
        ("type='set' id='1' from='juliet@capulet.lit/x'><q xmlns='x'/>", "error"),
    ],
)
def test_every_request_gets_an_answer(romeo: Romeo, request_: str, answer: str) -> None:
    romeo.gets(f"<iq {request_}</iq>")
    assert (romeo.sent[-1].id, romeo.sent[-1].type) == ("1", answer)


def test_the_greeting_and_the_end() -> None:
    assert [stanza.kind for stanza in Messenger.greeting()] == ["iq", "iq", "presence"]
    romeo = Romeo()
    romeo.messenger.finish()
    assert not romeo.messenger.is_ready
    romeo.gets_roster()
    assert romeo.messenger.is_ready
    assert not romeo.messenger.is_finished
    romeo.gets(f"<iq xmlns='{CLIENT}' type='result' id='last'/>")
    assert romeo.messenger.is_finished
