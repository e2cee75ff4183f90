"""What a flow sees in a mailbox."""

from __future__ import annotations

from typing import Any

from cluster.lab.answers import MailView
from cluster.lab.verify.content import Content
from cluster.lab.verify.foreign import BoxReceiver
from cluster.lab.verify.records import FlowRecord, Leg
from cluster.lab.verify.witness import Book, Flight
from cluster.xmpp.jid import Jid

ROMEO = Jid.parse("romeo@montague.lit/a")
FRIAR = Jid.parse("friar\\40abbey.example@mail.montague.lit")


class Mails:
    """A `BoxClient` of which only this is asked."""

    box: Any = type("Box", (), {"name": "fc6"})

    def __init__(self) -> None:
        self.mails: list[MailView] = []

    def inbox(self, after: int) -> list[MailView]:
        return self.mails[after:]


def test_a_mail_that_comes_twice_is_told_by_its_message_id() -> None:
    book = Book("cafe")
    record = FlowRecord("romeo → fc6", book.prefix(0))
    content = Content("message", record.prefix, FRIAR, 200, is_followed=False)
    book.flights.append(Flight(record, content, ROMEO))
    record.send(0.0)
    client: Any = Mails()
    receiver = BoxReceiver(client, book, lambda: 1.0)
    leg = receiver.legs[0] = Leg(record)
    for message_id in ("<1@mail>", "<1@mail>", "<2@mail>", ""):
        client.mails.append(MailView(0.0, "", "", content.text(0), message_id, ""))
    receiver.turn()
    first, again, other, unknown = (each.stanza_id for each in leg.arrivals())
    assert first == again != other
    assert unknown == 0
